"""Reads and writes the compact model's weights to train from: in half precision with the sizes in the header, as a run
leaves them, and out of what motion324.training.export has made.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.write_aside import written_aside
from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.model import NodeModel
from motion324.reconstructors.node_model.model_file import broken_file, read_model_file
from motion324.reconstructors.node_model.torch_model import model_of

HEADER_KEY = "node_model"


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
    """The model of a file that was exported, in float32 on the CPU; the weights have the file's half precision.

    Raises Motion324Error("weights-missing" or "weights-broken")."""
    file = read_model_file(path)
    try:
        return model_of(file)
    except RuntimeError as error:
        raise broken_file(path) from error
