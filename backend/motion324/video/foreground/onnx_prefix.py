"""The first part of an ONNX network, without the package onnx: what leads to one inner tensor, and nothing else.

An ONNX file is one protocol-buffers message (https://protobuf.dev/programming-guides/encoding): a sequence of fields,
each a key (number << 3 | wire type) and a value. Only the numbers used here matter; all else is copied as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

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
