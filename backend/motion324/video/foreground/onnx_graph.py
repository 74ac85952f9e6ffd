"""Takes a convolutional network's ONNX file apart, without the package onnx, which is large and which nothing else here
needs.

A file is one protocol-buffers message (https://protobuf.dev/programming-guides/encoding), a sequence of fields, each a
key (number << 3 | wire type) and a value. Only the numbers used here matter; all else is copied as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Fields of the messages in onnx.proto (ModelProto, GraphProto, NodeProto, ValueInfoProto,
# TensorProto).
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_OUTPUT, _GRAPH_VALUE = 1, 5, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 1, 2, 4
_TENSOR_SIZE, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_BYTES = 1, 2, 8, 9
_FLOAT = 1  # TensorProto.DataType
_BYTES = 2  # the wire type of texts and messages
_FLOAT_OF_ANY_SHAPE = b"\x12\x04\x0a\x02\x08\x01"  # ValueInfoProto.type = {tensor_type {elem_type: FLOAT}}


def network_until(model: bytes, tensor: str) -> bytes:
    """The model whose only output is its inner `tensor` of floats. Raises ValueError where no node makes it."""
    parts = []
    for number, raw, value in _fields(model):
        parts.append(_message(_MODEL_GRAPH, _graph_until(value, tensor.encode())) if number == _MODEL_GRAPH else raw)
    return b"".join(parts)


def convolutions(model: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernels (out, in, h, w) and biases (out,), float32, of all convolutions, in the order in which they are computed.

    Raises ValueError where one has no bias, or is not kept as floats.
    """
    graph = next((value for number, _, value in _fields(model) if number == _MODEL_GRAPH), b"")
    fields = list(_fields(graph))
    tensors = dict(_tensor(value) for number, _, value in fields if number == _GRAPH_TENSOR)
    found = []
    for number, _, node in fields:
        if number != _GRAPH_NODE or _values(node, _NODE_KIND) != [b"Conv"]:
            continue
        names = _values(node, _NODE_INPUT)[1:]
        if len(names) != 2 or any(tensors.get(name) is None for name in names):
            raise ValueError("a convolution of the network lacks its kernel or its bias")
        found.append((tensors[names[0]], tensors[names[1]]))
    return found  # type: ignore[return-value]


def _tensor(message: bytes) -> tuple[bytes, np.ndarray | None]:
    """Name and values; None of what is not floats."""
    (name,) = _values(message, _TENSOR_NAME)
    kind, values = _values(message, _TENSOR_TYPE), _values(message, _TENSOR_BYTES)
    if kind != [bytes([_FLOAT])] or not values:
        return name, None
    size = [_varint(value, 0)[0] for value in _values(message, _TENSOR_SIZE)]
    return name, np.frombuffer(values[0], "<f4").reshape(size).copy()


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
