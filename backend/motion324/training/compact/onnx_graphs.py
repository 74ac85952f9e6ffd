"""Graphs for onnxruntime from modules of PyTorch, and the one by which points follow nodes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from motion324.reconstructors.node_model.model import NodeModel, NodeMotions

if TYPE_CHECKING:
    import onnx

OPSET = 17
SMALLEST_HALVED = 256  # values; smaller constants are not worth a conversion
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
            dynamo=False,
        )
    return onnx.load_from_string(target.getvalue())


def halve(model: onnx.ModelProto) -> None:
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
