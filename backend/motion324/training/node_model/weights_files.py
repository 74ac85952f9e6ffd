"""Reads and writes the compact model's weights to train from: in half precision with the sizes in the header, as a run
leaves them, and out of what motion324.training.export has made.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.write_aside import written_aside
from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.model import NodeModel
from motion324.reconstructors.node_model.onnx_file import CONFIG_KEY, DECODER_KEY
from motion324.training.node_model.onnx_graphs import need_onnx

if TYPE_CHECKING:
    import onnx

HEADER_KEY = "node_model"
PREFIX, HALVED = "model.", ".half"
# What PyTorch's exporter makes of weights that it folds, by the operation that they go into.
FOLDED = {"MatMul": "weight", "Mul": "weight", "Add": "bias"}


def save_weights(path: Path, config: NodeModelConfig, weights: dict[str, Tensor]) -> None:
    """All in float16. Nothing half-written is left behind. Raises Motion324Error("disk-full", "cannot-write")."""
    half = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}
    with written_aside(path) as aside:
        aside.write_bytes(save(half, metadata={HEADER_KEY: config.to_json()}))


def load_weights(path: Path) -> NodeModel:
    """The model of a file, in float32 on the CPU. Raises Motion324Error("weights-missing" or "weights-broken")."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise Motion324Error(
            "weights-missing",
            f"The weights of the compact model cannot be read from '{path}': {error.strerror or error}.",
            "Check the path.",
            EXIT_BACKEND,
        ) from error
    config, weights = _unpacked(path, packed)
    model = NodeModel(config)
    try:
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    except RuntimeError as error:
        raise _broken(path) from error
    return model


def _unpacked(path: Path, packed: bytes) -> tuple[NodeModelConfig, dict[str, Tensor]]:
    try:
        weights = load(packed)
        metadata = _metadata(packed)
    except (SafetensorError, ValueError) as error:
        raise _broken(path) from error
    if HEADER_KEY not in metadata:
        raise _broken(path)
    return NodeModelConfig.from_json(metadata[HEADER_KEY]), weights


def _metadata(packed: bytes) -> dict[str, str]:
    length = int.from_bytes(packed[:8], "little")
    found = json.loads(packed[8 : 8 + length]).get("__metadata__", {})
    return {str(key): str(value) for key, value in found.items()}


def _broken(path: Path) -> Motion324Error:
    return Motion324Error(
        "weights-broken",
        f"The file '{path}' does not hold whole weights of the compact model.",
        "Fetch or train them again.",
        EXIT_BACKEND,
    )


def load_exported(path: Path) -> NodeModel:
    """The model of an .onnx file in float32 on the CPU; the weights have the file's half precision.

    Raises Motion324Error("onnx-missing"), or "weights-broken" where the file does not hold all of them.
    """
    need_onnx("To read an exported compact model")
    import onnx

    try:
        states = onnx.load(str(path))
        described = {entry.key: entry.value for entry in states.metadata_props}
        decoder = onnx.load_from_string(base64.b64decode(described[DECODER_KEY]))
        found = {**_weights(decoder), **_weights(states)}
        model = NodeModel(NodeModelConfig.from_json(described[CONFIG_KEY]))
        shapes = {name: value.shape for name, value in model.named_parameters()}
        model.load_state_dict(
            {name: torch.from_numpy(found[name].astype(np.float32)).reshape(shapes[name]) for name in shapes}
        )
    except (OSError, KeyError, ValueError, RuntimeError, onnx.onnx_cpp2py_export.checker.ValidationError) as error:
        raise _broken_export(path, error) from error
    except Exception as error:
        if type(error).__name__ == "DecodeError":  # protobuf's, whose package need not be known here
            raise _broken_export(path, error) from error
        raise
    return model


def _weights(file: onnx.ModelProto) -> dict[str, np.ndarray]:
    """By the names of the module's parameters."""
    import onnx

    values = {
        constant.name.removesuffix(HALVED): onnx.numpy_helper.to_array(constant) for constant in file.graph.initializer
    }
    for node in file.graph.node:
        if node.op_type == "Identity" and node.input[0] in values:  # of several alike only one is stored
            values[node.output[0]] = values[node.input[0]]
    found = {name.removeprefix(PREFIX): value for name, value in values.items() if name.startswith(PREFIX)}
    for node in file.graph.node:
        for name in node.input:
            if name in values and not name.startswith(PREFIX) and node.op_type in FOLDED:
                value = values[name].T if node.op_type == "MatMul" else values[name]
                found[f"{_module(node.name)}.{FOLDED[node.op_type]}"] = value
    return found


def _module(node: str) -> str:
    """ "/rounds.0/mlp/mlp.1/MatMul" -> "rounds.0.mlp.1": a list's member repeats the list's own name."""
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def _broken_export(path: Path, error: Exception) -> Motion324Error:
    return Motion324Error(
        "weights-broken",
        f"The file '{path}' is no whole compact model that was exported ({type(error).__name__}: {error}).",
        "Give a file that `python -m motion324.training.export` has made, or the weights that training leaves.",
        EXIT_BACKEND,
    )
