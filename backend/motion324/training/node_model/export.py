"""Makes of trained weights a file for onnxruntime: `python -m motion324.training.export WEIGHTS OUT.onnx`.

The file is the graph that finds the nodes' motions. Its metadata hold the sizes and, in base64, a second, small graph
that moves points after the nodes, so that a mesh of any size goes through in parts. Of a model that looks again it is a
zip archive of four graphs: see motion324.reconstructors.node_model.looking.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch

from motion324.core.errors import Motion324Error
from motion324.core.write_aside import written_aside
from motion324.reconstructors.node_model.config import TRACK_VALUES
from motion324.reconstructors.node_model.looking import FIRST, LOOK, POINTS, SEE, SIZES
from motion324.reconstructors.node_model.model import NodeModel
from motion324.reconstructors.node_model.onnx_file import CONFIG_KEY, DECODER_KEY
from motion324.training.node_model.onnx_graphs import (
    TRACED_POINTS,
    FirstGraph,
    LookGraph,
    MotionsGraph,
    PointsGraph,
    SeeGraph,
    halve,
    need_onnx,
    traced,
)
from motion324.training.node_model.weights_files import load_weights

GEOMETRY = ["times", "camera", "translation", "nodes"]
MAPS = ["match_maps", "fine_maps", "patches"]


def export(model: NodeModel, path: Path) -> None:
    """Writes a file that motion324.reconstructors.node_model reads; nothing half-written is left behind.

    Weights are stored in half precision (rounded, where they are not already), and computed with in float32.
    Raises Motion324Error("onnx-missing") without the package onnx.
    """
    need_onnx("To export the compact model")
    import onnx

    config = model.config
    if config.looks_again:
        export_looking(model.eval(), path)
        return
    side, nodes = config.image_size, config.nodes
    frames = max(config.frames, 2)
    example = {
        "frames": torch.rand(1, frames, 4, side, side),
        "times": torch.arange(frames)[None].float(),
        "camera": torch.tensor([[2.0, 0.5, 0.5]]),
        "translation": torch.tensor([[0.0, 0.0, 3.0]]),
        "nodes": torch.rand(1, nodes, 10),
    }
    if config.takes_tracks:
        example["tracks"] = torch.rand(1, frames, nodes, TRACK_VALUES)
    model = model.eval()
    states = traced(
        MotionsGraph(model),
        tuple(example.values()),
        {name: {1: "T"} for name in ("frames", "times", "tracks") if name in example},
        list(example),
        ["state", "codes"],
    )
    decoder = traced(
        PointsGraph(model),
        (
            torch.rand(1, TRACED_POINTS, 9),
            example["nodes"],
            torch.rand(1, frames, nodes, 9),
            torch.rand(1, nodes, config.skin_width),
        ),
        {"points": {1: "P"}, "state": {1: "T"}},
        ["points", "nodes", "state", "codes"],
        ["positions"],
    )
    halve(states)
    onnx.helper.set_model_props(
        states,
        {
            CONFIG_KEY: json.dumps(asdict(config), sort_keys=True),
            DECODER_KEY: base64.b64encode(decoder.SerializeToString()).decode("ascii"),
        },
    )
    onnx.checker.check_model(states)
    with written_aside(path) as aside:
        aside.write_bytes(states.SerializeToString())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m motion324.training.export", description=__doc__)
    parser.add_argument("weights", metavar="WEIGHTS", type=Path, help="as motion324.training.node_model leaves them")
    parser.add_argument("out", metavar="OUT.onnx", type=Path)
    options = parser.parse_args(arguments)
    try:
        export(load_weights(options.weights), options.out)
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


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
        SEE: (SeeGraph(model), ["frames"], MAPS),
        FIRST: (FirstGraph(model), MAPS + GEOMETRY, ["state", "codes", "tokens"]),
        LOOK: (LookGraph(model), look, ["found_state", "codes", "found_tokens", "doubt"]),
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
