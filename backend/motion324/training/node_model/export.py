"""Makes of trained weights a file for onnxruntime: `python -m motion324.training.export WEIGHTS OUT.onnx`. WEIGHTS may
also be such a file, whose graphs are then made anew.

It holds a graph that sees frames, so that each is seen once however often the model is asked, one that finds the nodes'
motions, one that looks again where the model does, and a small one that moves points after the nodes, so that a mesh of
any size goes through in parts: see motion324.reconstructors.node_model.model_file.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from pathlib import Path

import torch

from motion324.core.errors import Motion324Error
from motion324.reconstructors.node_model.config import TRACK_VALUES
from motion324.reconstructors.node_model.model import NodeModel
from motion324.reconstructors.node_model.model_file import (
    FIRST,
    FIRST_ON_CPU,
    LOOK,
    POINTS,
    SEE,
    ModelFile,
    write_model_file,
)
from motion324.training.node_model.onnx_graphs import (
    TRACED_POINTS,
    FirstGraph,
    LookGraph,
    PointsGraph,
    SeeGraph,
    for_processors,
    need_onnx,
    traced,
    without_weights,
)
from motion324.training.node_model.weights_files import load_exported, load_weights

GEOMETRY = ["times", "camera", "translation", "nodes"]
MAPS = ["match_maps", "fine_maps", "patches"]


def export(model: NodeModel, path: Path) -> None:
    """Writes a file that motion324.reconstructors.node_model reads; nothing half-written is left behind.

    Weights are stored in half precision (rounded, where they are not already), and computed with in float32.
    Raises Motion324Error("onnx-missing") without the package onnx.
    """
    need_onnx("To export the compact model")
    model, config = model.eval(), model.config
    given, free = _example(model)
    look = MAPS + [f"drawn_{name}" for name in MAPS] + GEOMETRY + ["behind", "state", "first_tokens", "tokens"]
    first = MAPS + GEOMETRY + (["tracks"] if config.takes_tracks else [])
    found = ["found_state", "codes", "found_tokens"]
    graphs: dict[str, tuple[torch.nn.Module, list[str], list[str]]] = {
        SEE: (SeeGraph(model), ["frames"], MAPS),
        FIRST: (FirstGraph(model), first, found),
        FIRST_ON_CPU: (FirstGraph(for_processors(model)), first, found),
        POINTS: (PointsGraph(model), ["points", "nodes", "state", "codes"], ["positions"]),
    }
    if config.looks_again:
        graphs[LOOK] = (LookGraph(model), look, [*found, "doubt"])
    written = {}
    for name, (graph, inputs, outputs) in graphs.items():
        axes = {one: free[one] for one in inputs if one in free}
        written[name] = without_weights(traced(graph, tuple(given[one] for one in inputs), axes, inputs, outputs))
    weights = {name: value.detach().cpu().half().numpy() for name, value in model.named_parameters()}
    write_model_file(path, ModelFile(config, weights, written))


def _example(model: NodeModel) -> tuple[dict[str, torch.Tensor], dict[str, dict[int, str]]]:
    """Inputs of all graphs by their names, and which of their axes may have any length."""
    config = model.config
    frames, nodes, side = max(config.frames, 2), config.nodes, config.image_size
    given = {
        "frames": torch.rand(1, frames, 4, side, side),
        "times": torch.arange(frames)[None].float(),
        "camera": torch.tensor([[2.0, 0.5, 0.5]]),
        "translation": torch.tensor([[0.0, 0.0, 3.0]]),
        "nodes": torch.rand(1, nodes, 10),
        "tracks": torch.rand(1, frames, nodes, TRACK_VALUES),
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
    free = {name: {1: "T"} for name in ("frames", "times", "tracks", "behind", "state", "first_tokens", "tokens")}
    free |= {f"{prefix}{name}": {1: "T"} for prefix in ("", "drawn_") for name in MAPS[:2]}
    free |= {f"{prefix}patches": {0: "T"} for prefix in ("", "drawn_")} | {"points": {1: "P"}}
    return given, free


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m motion324.training.export", description=__doc__)
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        type=Path,
        help="as motion324.training.node_model leaves them, or a file such as OUT.onnx",
    )
    parser.add_argument("out", metavar="OUT.onnx", type=Path)
    options = parser.parse_args(arguments)
    try:
        load = load_exported if zipfile.is_zipfile(options.weights) else load_weights
        export(load(options.weights), options.out)
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
    return 0
