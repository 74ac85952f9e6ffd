"""The safetensors body: the format's own, and strict."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.wire.safetensors_body import from_buffer, to_buffers

ARRAYS = {
    "bytes": np.arange(7, dtype=np.uint8),
    "floats": np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3),
    "doubles": np.array(3.5),
    "integers": np.array([[1, -2], [3, -4]], np.int64),
    "nothing": np.zeros((0, 3), np.float32),
    "halves": np.ones(3, np.float16),
}


def joined(arrays: dict[str, np.ndarray]) -> bytes:
    return b"".join(to_buffers(arrays))


def buffer(header: object, data: bytes = b"") -> np.ndarray:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return np.frombuffer(struct.pack("<Q", len(text)) + text + data, np.uint8)


def test_arrays_come_back_as_aligned_views():
    whole = np.frombuffer(joined(ARRAYS), np.uint8).copy()
    back = from_buffer(whole, 10)
    assert back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array, strict=True)
        assert back[name].flags.aligned
        assert not array.size or np.shares_memory(back[name], whole)


def test_the_safetensors_package_reads_what_we_write_and_the_other_way_round():
    package = pytest.importorskip("safetensors.numpy")
    for name, array in package.load(joined(ARRAYS)).items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)
    theirs = from_buffer(np.frombuffer(package.save(ARRAYS, metadata={"a": "b"}), np.uint8), 10)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(theirs[name], array, strict=True)


def test_big_endian_and_strided_arrays_are_put_right():
    arrays = {"big": np.arange(3, dtype=">f4"), "strided": np.arange(10, dtype=np.int32)[::2]}
    back = from_buffer(np.frombuffer(joined(arrays), np.uint8), 10)
    np.testing.assert_array_equal(back["big"], [0, 1, 2])
    np.testing.assert_array_equal(back["strided"], [0, 2, 4, 6, 8])


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([object()]), np.array([1 + 2j]), np.array([True])])
def test_what_safetensors_does_not_know_is_not_sent(array):
    with pytest.raises(TypeError):
        to_buffers({"a": array})


def entry(shape: object, begin: object, end: object, dtype: object = "U8") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


MALFORMED = {
    "empty": np.zeros(0, np.uint8),
    "short": np.zeros(7, np.uint8),
    "header beyond the end": np.frombuffer(struct.pack("<Q", 1 << 60) + b"{}", np.uint8),
    "no json": buffer(b"{nonsense"),
    "a list": buffer([1, 2]),
    "leading space": buffer(b" {}"),
    "deep": buffer(b'{"a":' * 100_000),
    "a name twice": buffer(b'{"a":%b,"a":%b}' % ((json.dumps(entry([2], 0, 2)).encode(),) * 2), b"12"),
    "no text": buffer(b"{\xff\xff}"),
    "an array that is a number": buffer({"a": 1}),
    "an unknown dtype": buffer({"a": entry([1], 0, 1, "OBJECT")}, b"1"),
    "a dtype that is a list": buffer({"a": entry([1], 0, 1, ["U8"])}, b"1"),
    "a negative shape": buffer({"a": entry([-1], 0, 1)}, b"1"),
    "a shape of fractions": buffer({"a": entry([1.0], 0, 1)}, b"1"),
    "a shape of truths": buffer({"a": entry([True], 0, 1)}, b"1"),
    "a shape that is a number": buffer({"a": entry(1, 0, 1)}, b"1"),
    "a huge shape": buffer({"a": entry([1 << 47] * 8, 0, 1)}, b"1"),
    "a huge empty shape": buffer({"a": entry([0, 1 << 47, 1 << 47], 0, 0)}),
    "too many dimensions": buffer({"a": entry([1] * 9, 0, 1)}, b"1"),
    "more bytes than the shape": buffer({"a": entry([1], 0, 2)}, b"12"),
    "end before begin": buffer({"a": entry([1], 1, 0)}, b"1"),
    "beyond the end": buffer({"a": entry([3], 0, 3)}, b"12"),
    "overlap": buffer({"a": entry([2], 0, 2), "b": entry([2], 1, 3)}, b"123"),
    "a gap": buffer({"a": entry([1], 0, 1), "b": entry([1], 2, 3)}, b"123"),
    "left over": buffer({"a": entry([1], 0, 1)}, b"123"),
    "three offsets": buffer({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}}, b"1"),
    "no offsets": buffer({"a": {"dtype": "U8", "shape": [1]}}, b"1"),
    "a long name": buffer({"a" * 300: entry([1], 0, 1)}, b"1"),
}


@pytest.mark.parametrize("whole", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused(whole):
    with pytest.raises(Motion324Error) as caught:
        from_buffer(whole, 10)
    assert caught.value.code == "bad-message"
