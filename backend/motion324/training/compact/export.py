"""From trained weights to a file for onnxruntime: `python -m motion324.training.export WEIGHTS OUT.onnx`.

The file is the graph that finds the nodes' motions. Its metadata hold the sizes and, in base64, a second, small graph
that moves points after the nodes, so that a mesh of any size goes through in parts.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.write_aside import written_aside
from motion324.reconstructors.node_model.config import TRACK_VALUES
from motion324.reconstructors.node_model.model import NodeInputs, NodeModel, NodeMotions
from motion324.reconstructors.node_model.onnx_file import CONFIG_KEY, DECODER_KEY
from motion324.reconstructors.node_model.weights_file import load_weights

if TYPE_CHECKING:
    import onnx

OPSET = 17
SMALLEST_HALVED = 256  # values; smaller constants are not worth a conversion
TRACED_POINTS = 7  # any number will do: that axis stays free


class _Motions(nn.Module):
    """(1, T, 4, S, S), (1, T), (1, 3), (1, 3), (1, K, 10) and, where it takes them, (1, T, K, 5) ->
    (1, T, K, 9), (1, K, c): see NodeInputs, NodeMotions."""

    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        frames: Tensor,
        times: Tensor,
        camera: Tensor,
        translation: Tensor,
        nodes: Tensor,
        tracks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        inputs = NodeInputs(frames, times, camera, translation, nodes, nodes[..., :9], tracks)
        rounds, _ = self.model.motions(inputs)
        return rounds[-1].state, rounds[-1].codes


class _Points(nn.Module):
    """(1, P, 9), (1, K, 10), and _Motions' results -> (1, T, P, 3)."""

    def __init__(self, model: NodeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, points: Tensor, nodes: Tensor, state: Tensor, codes: Tensor) -> Tensor:
        point_codes = self.model.point_codes(points)
        return self.model.moved_points(points[..., :3], point_codes, nodes[..., :3], NodeMotions(state, codes))


def export(model: NodeModel, path: Path) -> None:
    """Writes a file that motion324.reconstructors.node_model reads; nothing half-written is left behind.

    Weights are stored in half precision (rounded, where they are not already), and computed with in float32.
    Raises Motion324Error("onnx-missing") without the package onnx.
    """
    need_onnx("To export the compact model")
    import onnx

    config = model.config
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
    states = _traced(
        _Motions(model),
        tuple(example.values()),
        {name: "T" for name in ("frames", "times", "tracks") if name in example},
        list(example),
        ["state", "codes"],
    )
    decoder = _traced(
        _Points(model),
        (
            torch.rand(1, TRACED_POINTS, 9),
            example["nodes"],
            torch.rand(1, frames, nodes, 9),
            torch.rand(1, nodes, config.skin_width),
        ),
        {"points": "P", "state": "T"},
        ["points", "nodes", "state", "codes"],
        ["positions"],
    )
    _halve(states)
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m motion324.training.export", description=__doc__)
    parser.add_argument("weights", metavar="WEIGHTS", type=Path, help="as motion324.training.compact leaves them")
    parser.add_argument("out", metavar="OUT.onnx", type=Path)
    options = parser.parse_args(arguments)
    try:
        export(load_weights(options.weights), options.out)
    except Motion324Error as error:
        print(f"motion324: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


def _traced(
    module: nn.Module, example: tuple[Tensor, ...], free: dict[str, str], inputs: list[str], outputs: list[str]
) -> onnx.ModelProto:
    """free: axis 1 of these inputs may have any length, called so."""
    import onnx

    target = io.BytesIO()
    with torch.no_grad():
        torch.onnx.export(
            module,
            example,
            target,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {1: axis} for name, axis in free.items()},
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(target.getvalue())


def _halve(model: onnx.ModelProto) -> None:
    """Stores the larger constants as float16, each with a cast, which onnxruntime carries out once, on loading."""
    import onnx

    casts = []
    for constant in model.graph.initializer:
        if constant.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(constant)
        if values.size < SMALLEST_HALVED:
            continue
        whole = constant.name
        constant.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{whole}.half"))
        casts.append(onnx.helper.make_node("Cast", [constant.name], [whole], to=onnx.TensorProto.FLOAT))
    for place, cast in enumerate(casts):
        model.graph.node.insert(place, cast)
