"""Reads and writes the compact model's file: a zip archive of its sizes, its weights, and the graphs that onnxruntime
runs, which hold no weights of their own.

PyTorch takes the weights by their names, and no graph.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.write_aside import written_aside
from motion324.reconstructors.node_model.config import NodeModelConfig

SIZES, USED, WEIGHTS = "sizes.json", "weights_of_graphs.json", "weights.safetensors"
SEE, FIRST, LOOK, POINTS = "see.onnx", "first_answer.onnx", "look.onnx", "points.onnx"
FIRST_ON_CPU = "first_answer_on_cpu.onnx"  # the same as FIRST of what a CPU does fast
PREFIX = "model."  # of the weights' names in the graphs
_WHEN = (1980, 1, 1, 0, 0, 0)  # of every part, so that the same model gives the same file


@dataclass(frozen=True)
class Graph:
    """packed: an ONNX file whose weights are to be handed to onnxruntime beside it. weights: their names, in the
    ModelFile; in the graph each has PREFIX before it."""

    packed: bytes
    weights: tuple[str, ...]


@dataclass(frozen=True)
class ModelFile:
    """weights: float16, by the names of NodeModel's parameters. graphs: SEE, FIRST, POINTS, of a model that looks
    again LOOK, and FIRST_ON_CPU but in files of earlier versions."""

    config: NodeModelConfig
    weights: dict[str, np.ndarray]
    graphs: dict[str, Graph]


def read_model_file(path: Path) -> ModelFile:
    """Raises Motion324Error("weights-missing", "weights-broken")."""
    packed = _read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            config = NodeModelConfig.from_json(archive.read(SIZES).decode())
            used, weights = json.loads(archive.read(USED)), load(archive.read(WEIGHTS))
            names = [SEE, FIRST, POINTS] + ([LOOK] if config.looks_again else [])
            names += [FIRST_ON_CPU] if FIRST_ON_CPU in used else []
            graphs = {name: Graph(archive.read(name), tuple(used[name])) for name in names}
            return ModelFile(config, weights, graphs)
    except (zipfile.BadZipFile, zlib.error, KeyError, TypeError, SafetensorError, ValueError, OSError) as error:
        raise broken_file(path) from error


def write_model_file(path: Path, model: ModelFile) -> None:
    """Nothing half-written is left behind. Raises Motion324Error("disk-full", "cannot-write")."""
    used = {name: graph.weights for name, graph in model.graphs.items()}
    parts = {SIZES: model.config.to_json().encode(), USED: json.dumps(used).encode(), WEIGHTS: save(model.weights)}
    parts |= {name: graph.packed for name, graph in model.graphs.items()}
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _WHEN), part, zipfile.ZIP_DEFLATED)


def broken_file(path: Path) -> Motion324Error:
    return Motion324Error(
        "weights-broken",
        f"The file '{path}' does not hold a whole compact model of this version.",
        "Export it again with `python -m motion324.training.export`.",
        EXIT_BACKEND,
    )


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise Motion324Error(
            "weights-missing",
            f"There is no file '{path}' with the compact model.",
            "Check the path.",
            EXIT_BACKEND,
        )
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or os.fspath(path)).lower()
        raise Motion324Error(
            "weights-broken", f"'{path}' cannot be read: {reason}.", "Check its permissions.", EXIT_BACKEND
        ) from error
