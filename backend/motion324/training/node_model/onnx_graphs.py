"""Traces modules of PyTorch as graphs for onnxruntime: those of a model's answers, and the one by which points follow
nodes.
"""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.reconstructors.node_model.inputs_and_answers import Answer, NodeInputs, NodeMotions, SeenFrames
from motion324.reconstructors.node_model.model import NodeModel
from motion324.reconstructors.node_model.model_file import PREFIX, WEIGHTS, Graph

if TYPE_CHECKING:
    import onnx

OPSET = 17
TRACED_POINTS = 7  # any number will do: that axis stays free


class PointsGraph(nn.Module):
    """(1, P, 9), (1, K, 10), and NodeMotions' state and codes -> (1, T, P, 3)."""

    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, points: Tensor, nodes: Tensor, state: Tensor, codes: Tensor) -> Tensor:
        point_codes = self.model.point_codes(points)
        return self.model.moved_points(points[..., :3], point_codes, nodes[..., :3], NodeMotions(state, codes))


def traced(
    module: nn.Module,
    example: tuple[Tensor, ...],
    free: dict[str, dict[int, str]],
    inputs: list[str],
    outputs: list[str],
) -> onnx.ModelProto:
    """free: axes of these inputs may have any length, called so."""
    import onnx

    target = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            module,
            example,
            target,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=free,
            opset_version=OPSET,
            do_constant_folding=False,  # so that parameters keep their names; onnxruntime folds them, on loading
            dynamo=False,
        )
    return onnx.load_from_string(target.getvalue())


def without_weights(graph: onnx.ModelProto) -> Graph:
    import onnx

    names = []
    for constant in graph.graph.initializer:
        if constant.name.startswith(PREFIX):
            constant.ClearField("raw_data")
            constant.data_location = onnx.TensorProto.EXTERNAL
            constant.external_data.add(key="location", value=WEIGHTS)
            names.append(constant.name.removeprefix(PREFIX))
    return Graph(graph.SerializeToString(), tuple(names))


def for_processors(model: NodeModel) -> NodeModel:
    """The same model, to be traced for onnxruntime on a CPU, whose kernel of LayerNormalization takes six times as long
    as that of InstanceNormalization over rows does: of an answer's time 12 % and 2 %. Parameters keep their names."""
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.LayerNorm):
                setattr(module, name, _RowNorm(child))
    return model


class _RowNorm(nn.Module):
    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        (self.width,) = norm.normalized_shape

    def forward(self, x: Tensor) -> Tensor:
        normalised: Tensor = _NormalisedRows.apply(x, self.width, self.eps)
        return normalised * self.weight + self.bias


class _NormalisedRows(torch.autograd.Function):
    """x (..., d): each row with mean 0 and variance 1."""

    @staticmethod
    def forward(_: Any, x: Tensor, width: int, eps: float) -> Tensor:
        return F.layer_norm(x, (width,), eps=eps)

    @staticmethod
    def symbolic(g: Any, x: Any, width: int, eps: float) -> Any:
        def constant(values: Tensor) -> Any:
            return g.op("Constant", value_t=values)

        rows = g.op("Reshape", x, constant(torch.tensor([1, -1, width])))
        count = g.op("Slice", g.op("Shape", rows), constant(torch.tensor([1])), constant(torch.tensor([2])))
        ones, zeros = (g.op("Expand", constant(value), count) for value in (torch.ones(1), torch.zeros(1)))
        normalised = g.op("InstanceNormalization", rows, ones, zeros, epsilon_f=eps)
        return g.op("Reshape", normalised, g.op("Shape", x)).setType(x.type())


class SeeGraph(nn.Module):
    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen = self.model.see(frames)
        return seen.match_maps, seen.fine_maps, seen.patches


class FirstGraph(nn.Module):
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
        tracks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs = _inputs(match_maps, times, camera, translation, nodes, tracks)
        answer = self.model.first_answer(self.model.ask(inputs, SeenFrames(match_maps, fine_maps, patches)))
        return answer.rounds[-1].state, answer.rounds[-1].codes, answer.tokens


class LookGraph(nn.Module):
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


def _inputs(
    match_maps: Tensor,
    times: Tensor,
    camera: Tensor,
    translation: Tensor,
    nodes: Tensor,
    tracks: Tensor | None = None,
) -> NodeInputs:
    return NodeInputs(match_maps, times, camera, translation, nodes, nodes[..., :9], tracks)


def need_onnx(purpose: str) -> None:
    """Raises Motion324Error("onnx-missing") without the package; purpose: how the sentence begins."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise Motion324Error(
            "onnx-missing",
            f"{purpose}, the package onnx is needed.",
            "Install the extra 'train': pip install 'motion324[train]'.",
            EXIT_BACKEND,
        ) from error
