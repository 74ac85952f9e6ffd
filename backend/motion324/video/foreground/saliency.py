"""Runs the bundled U2-Net-P, which finds what stands out in a picture, whatever the background.

The network ends in seven side outputs of growing resolution and their fusion. Half of its time goes into the finest
one, stage1d, which changes little: the side output before it, at 160 pixels, agrees with the fusion to a mean IoU of
0.987 (benchmarks/results.md, "Foreground"), and what follows here fits the masks to the picture's own edges anyway. So
the network is computed up to that output only.

What leads to that output is cut out of the file without the package onnx, which is large, and which nothing else here
needs: a file is one protocol-buffers message (https://protobuf.dev/programming-guides/encoding), a sequence of fields,
each a key (number << 3 | wire type) and a value. Only the numbers used here matter; all else is copied as it is.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motion324.core.progress import Progress
from motion324.core.side_by_side import side_by_side

# Fields of the messages in onnx.proto (ModelProto, GraphProto, NodeProto, ValueInfoProto).
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_OUTPUT, _GRAPH_VALUE = 1, 12, 13
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_BYTES = 2  # the wire type of texts and messages
_FLOAT_OF_ANY_SHAPE = b"\x12\x04\x0a\x02\x08\x01"  # ValueInfoProto.type = {tensor_type {elem_type: FLOAT}}


def network_until(model: bytes, tensor: str) -> bytes:
    """The model whose only output is its inner `tensor` of floats. Raises ValueError where no node makes it."""
    parts = []
    for number, raw, value in _fields(model):
        parts.append(_message(_MODEL_GRAPH, _graph_until(value, tensor.encode())) if number == _MODEL_GRAPH else raw)
    return b"".join(parts)


def _graph_until(graph: bytes, tensor: bytes) -> bytes:
    fields = list(_fields(graph))
    needed, kept = {tensor}, set()
    for index, (number, _, node) in reversed(list(enumerate(fields))):  # a file's nodes are in the order of computing
        if number == _GRAPH_NODE and needed & set(_values(node, _NODE_OUTPUT)):
            needed.update(_values(node, _NODE_INPUT))
            kept.add(index)
    if not kept:
        raise ValueError(f"no node of the network makes {tensor.decode()!r}")
    others = (_GRAPH_NODE, _GRAPH_OUTPUT, _GRAPH_VALUE)
    parts = [raw for index, (number, raw, _) in enumerate(fields) if index in kept or number not in others]
    return b"".join(parts) + _message(_GRAPH_OUTPUT, _message(1, tensor) + _FLOAT_OF_ANY_SHAPE)


def _values(message: bytes, wanted: int) -> list[bytes]:
    return [value for number, _, value in _fields(message) if number == wanted]


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(number, the whole field, its value) of each field."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _BYTES:
            size, at = _varint(message, at)
            begin, at = at, at + size
        elif kind == 0:
            begin = at
            _, at = _varint(message, at)
        elif kind in (1, 5):
            begin, at = at, at + (8 if kind == 1 else 4)
        else:
            raise ValueError(f"wire type {kind} is not used in ONNX files")
        yield key >> 3, message[start:at], message[begin:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _message(number: int, value: bytes) -> bytes:
    size, parts = len(value), bytearray([number << 3 | _BYTES])
    while size > 127:
        parts.append(size & 127 | 128)
        size >>= 7
    return bytes(parts) + bytes([size]) + value


log = logging.getLogger(__name__)

MODEL_FILE = Path(__file__).resolve().parent.parent / "models" / "u2netp.onnx"
_SIDE_OUTPUT = "1857"  # of side2, before it is enlarged
_CPU = "CPUExecutionProvider"
_ACCELERATORS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider", "CoreMLExecutionProvider")
# What U2-Net was trained with: the mean and deviation of ImageNet's colours, and pictures of 320 x 320 pixels.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_INPUT_SIDE = 320


def salient_masks(frames: np.ndarray, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, H, W) float32 in [0, 1], each frame by itself; all near 0 where nothing is.

    One frame on each core, or one after another where onnxruntime has a GPU. rembg's own `predict` stretches every
    answer to the full range from 0 to 1, which of an empty picture makes an object out of nothing; this does not.
    """
    session = load_network()
    name = session.get_inputs()[0].name
    height, width = frames.shape[1:3]
    masks = np.empty(frames.shape[:3], np.float32)

    def find(index: int) -> None:
        logits = session.run(None, {name: _input(frames[index])})[0][0, 0]
        fine = cv2.resize(logits, (_INPUT_SIDE, _INPUT_SIDE), interpolation=cv2.INTER_LINEAR)
        saliency = 1 / (1 + np.exp(-np.clip(fine, -30, 30)))
        masks[index] = np.clip(cv2.resize(saliency, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)

    workers = None if session.get_providers()[0] == _CPU else 1
    side_by_side(len(frames), find, lambda done: progress("foreground", done, len(frames)), workers)
    return masks


@functools.cache
def load_network() -> Any:
    """The onnxruntime session, on the GPU provider that is there, else on one thread of the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # frames run side by side instead
    options.log_severity_level = 3  # it would list every weight of the part that is left out
    network = network_until(MODEL_FILE.read_bytes(), _SIDE_OUTPUT)
    there = [name for name in _ACCELERATORS if name in onnxruntime.get_available_providers()]
    if there:
        try:
            return onnxruntime.InferenceSession(network, options, providers=[*there[:1], _CPU])
        except Exception as error:  # onnxruntime's own kinds, one for each provider
            log.warning("onnxruntime cannot use %s, the CPU finds the foreground: %s", there[0], error)
    return onnxruntime.InferenceSession(network, options, providers=[_CPU])


def _input(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (1, 3, 320, 320) float32, normalised as rembg does."""
    small = cv2.resize(frame, (_INPUT_SIDE, _INPUT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    scaled = (small / max(float(small.max()), 1e-6) - _MEAN) / _DEVIATION
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])
