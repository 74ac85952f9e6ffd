"""From the weights of a model that looks again to its file for onnxruntime; see motion324.reconstructors.node_model's
looking_file. Called by motion324.training.export."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from motion324.core.write_aside import written_aside
from motion324.reconstructors.node_model.looking_file import FIRST, LOOK, POINTS, SEE, SIZES
from motion324.reconstructors.node_model.model import Answer, NodeInputs, NodeModel, NodeMotions, SeenFrames
from motion324.training.compact.onnx_graphs import TRACED_POINTS, PointsGraph, halve, traced

GEOMETRY = ["times", "camera", "translation", "nodes"]
MAPS = ["match_maps", "fine_maps", "patches"]


class _See(nn.Module):
    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = self.model.see(frames)
        return seen.match_maps, seen.fine_maps, seen.patches


class _First(nn.Module):
    """The maps and patches, then the geometry -> state, codes, tokens; see Answer."""

    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        match_maps: Tensor,
        fine_maps: Tensor,
        patches: Tensor,
        times: Tensor,
        camera: Tensor,
        translation: Tensor,
        nodes: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs = _inputs(match_maps, times, camera, translation, nodes)
        answer = self.model.first_answer(self.model.ask(inputs, SeenFrames(match_maps, fine_maps, patches)))
        return answer.rounds[-1].state, answer.rounds[-1].codes, answer.tokens


class _Look(nn.Module):
    """Maps and patches of frames and of drawings, geometry, and what was found before -> state, codes, tokens,
    doubt."""

    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        match_maps: Tensor,
        fine_maps: Tensor,
        patches: Tensor,
        drawn_match_maps: Tensor,
        drawn_fine_maps: Tensor,
        drawn_patches: Tensor,
        times: Tensor,
        camera: Tensor,
        translation: Tensor,
        nodes: Tensor,
        behind: Tensor,
        state: Tensor,
        first_tokens: Tensor,
        tokens: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        inputs = _inputs(match_maps, times, camera, translation, nodes)
        question = self.model.ask(inputs, SeenFrames(match_maps, fine_maps, patches))
        unused = torch.zeros(0)
        first, before = Answer([], first_tokens), Answer([NodeMotions(state, unused)], tokens)
        drawn = SeenFrames(drawn_match_maps, drawn_fine_maps, drawn_patches)
        found, _ = self.model.look_again(question, first, before, drawn, behind)
        last = found.rounds[-1]
        return last.state, last.codes, found.tokens, self.model.drawn_look.doubt(found.tokens)


def export_looking(model: NodeModel, path: Path) -> None:
    """Writes the file; nothing half-written is left behind. Weights are stored in half precision."""
    config = model.config
    frames, nodes, side = max(config.frames, 2), config.nodes, config.image_size
    given = {
        "frames": torch.rand(1, frames, 4, side, side),
        "times": torch.arange(frames)[None].float(),
        "camera": torch.tensor([[2.0, 0.5, 0.5]]),
        "translation": torch.tensor([[0.0, 0.0, 3.0]]),
        "nodes": torch.rand(1, nodes, 10),
        "behind": torch.rand(1, frames, nodes),
        "state": torch.rand(1, frames, nodes, 9),
        "first_tokens": torch.rand(1, frames, nodes, config.width),
        "tokens": torch.rand(1, frames, nodes, config.width),
        "points": torch.rand(1, TRACED_POINTS, 9),
        "codes": torch.rand(1, nodes, config.skin_width),
    }
    with torch.no_grad():
        seen = model.see(given["frames"])
    for prefix in ("", "drawn_"):
        for name in MAPS:
            given[prefix + name] = getattr(seen, name)
    free = {name: {1: "T"} for name in ("frames", "times", "behind", "state", "first_tokens", "tokens")}
    free |= {f"{prefix}{name}": {1: "T"} for prefix in ("", "drawn_") for name in MAPS[:2]}
    free |= {f"{prefix}patches": {0: "T"} for prefix in ("", "drawn_")} | {"points": {1: "P"}}
    look = MAPS + [f"drawn_{name}" for name in MAPS] + GEOMETRY + ["behind", "state", "first_tokens", "tokens"]
    graphs = {
        SEE: (_See(model), ["frames"], MAPS),
        FIRST: (_First(model), MAPS + GEOMETRY, ["state", "codes", "tokens"]),
        LOOK: (_Look(model), look, ["found_state", "codes", "found_tokens", "doubt"]),
        POINTS: (PointsGraph(model), ["points", "nodes", "state", "codes"], ["positions"]),
    }
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SIZES, config.to_json())
        for name, (graph, inputs, outputs) in graphs.items():
            axes = {one: free[one] for one in inputs if one in free}
            made = traced(graph, tuple(given[one] for one in inputs), axes, inputs, outputs)
            if name != POINTS:
                halve(made)
            archive.writestr(name, made.SerializeToString())


def _inputs(match_maps: Tensor, times: Tensor, camera: Tensor, translation: Tensor, nodes: Tensor) -> NodeInputs:
    return NodeInputs(match_maps, times, camera, translation, nodes, nodes[..., :9])
