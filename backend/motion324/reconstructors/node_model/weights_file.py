"""Weights of the node model on disk: half precision, the sizes in the header, in one file or in parts of it.

The parts of a file are its bytes cut up: <name>.part0, <name>.part1, ... They exist because some ways of bringing a
trained model home carry small files only.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from motion324.errors import EXIT_BACKEND, Motion324Error
from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.model import NodeModel
from motion324.write_aside import written_aside

CONFIG_KEY = "node_model"
PART_BYTES = 15 * 2**20


def save_weights(path: Path, config: NodeModelConfig, weights: dict[str, Tensor]) -> None:
    """All in float16. Nothing half-written is left behind."""
    with written_aside(path) as aside:
        aside.write_bytes(_packed(config, weights))


def save_weights_in_parts(path: Path, config: NodeModelConfig, weights: dict[str, Tensor]) -> list[Path]:
    """As save_weights, but only the parts of the file. Returns their paths."""
    packed = _packed(config, weights)
    parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
    paths = [part_path(path, number) for number in range(len(parts))]
    for part, piece in zip(paths, parts, strict=True):
        with written_aside(part) as aside:
            aside.write_bytes(piece)
    return paths


def join_parts(path: Path) -> Path:
    """Writes <path> from <path>.part0, <path>.part1, ... Raises Motion324Error where there are none or they are cut."""
    packed = _read(path)
    _unpacked(path, packed)
    with written_aside(path) as aside:
        aside.write_bytes(packed)
    return path


def load_weights(path: Path) -> NodeModel:
    """The model of a file, or of its parts where only those are there, in float32 on the CPU.

    Raises Motion324Error("weights-missing" or "weights-broken").
    """
    config, weights = _unpacked(path, _read(path))
    model = NodeModel(config)
    try:
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    except RuntimeError as error:
        raise _broken(path) from error
    return model


def part_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.part{number}")


def _packed(config: NodeModelConfig, weights: dict[str, Tensor]) -> bytes:
    half = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in weights.items()}
    packed: bytes = save(half, metadata={CONFIG_KEY: config.to_json()})
    return packed


def _read(path: Path) -> bytes:
    if path.is_file():
        return path.read_bytes()
    pieces: list[bytes] = []
    while part_path(path, len(pieces)).is_file():
        pieces.append(part_path(path, len(pieces)).read_bytes())
    if not pieces:
        raise Motion324Error(
            "weights-missing",
            f"There is no file '{path}' with weights of the compact model, nor parts of it.",
            "Check the path.",
            EXIT_BACKEND,
        )
    return b"".join(pieces)


def _unpacked(path: Path, packed: bytes) -> tuple[NodeModelConfig, dict[str, Tensor]]:
    try:
        weights = load(packed)
        metadata = _metadata(packed)
    except (SafetensorError, ValueError) as error:
        raise _broken(path) from error
    if CONFIG_KEY not in metadata:
        raise _broken(path)
    return NodeModelConfig.from_json(metadata[CONFIG_KEY]), weights


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
