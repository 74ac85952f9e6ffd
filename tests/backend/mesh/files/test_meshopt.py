"""EXT_meshopt_compression: what the encoder of the extension's authors (meshoptimizer 1.3.0) wrote comes back."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from glb_builder import Glb
from hypothesis import given, settings
from hypothesis import strategies as st

from motion324.core.errors import Motion324Error
from motion324.core.progress import silent
from motion324.mesh.files.meshopt import decode_meshopt
from motion324.mesh.files.reading import read_mesh

SIDE = 17  # points of a grid, more than a block of 256 rows
POINTS = (
    "oP////8A9/f39/f39/f39/f39/f393/39/f39/f39/f39/f39/f3f/f39/f39/f39/f39/f39/d/9/f39/f39/f39/f39/f393/39/f39/f3"
    "9/f39/f39/f3f/f39/f39/f39/f39/f39/d/9/f39/f39/f39/f39/f393/39/f39/f39/f39/f39/f3f/f39/f39/f39/f39/f39/d/9/f3"
    "9/f39/f39/f39/f393/39/f39/f39/f39/f39/f3f/f39/f39/f39/f39/f39/d/9/f39/f39/f39/f39/f393/39/f39/f39/f39/f39/f3"
    "f/f39/f39/f39/f39/f39/d/qqqqqgaGhoaGhoaGj2hoaGhoaGhvaPaGhoaGhoZvho9oaGhoaGhvaGj2hoaGhoZvhoaPaGhoaGhvaGho9oaG"
    "hoZvhoaGj2hoaGhvaGhoaPaGhoZvhoaGho9oaGhvaGhoaGj2hoZvhoaGhoaPaGhvaGhoaGho9oZvhoaGhoaGj2hvaGhoaGhoaPZvhoaGhoaG"
    "ho9vVFVVVTAAAACkDAAAAKQDAAAApADAAACkADAAAKQADAAApAADAACkAADAAKQAADAApAAADACkAAADAKQAAADApAAAADCkAAAADKQAAAAD"
    "pFRVVVUwAAAABgwAAAAGAwAAAAYAwAAACAAwAAAGAAwAAAYAAwAACAAAwAAGAAAwAAYAAAwACAAAAwAGAAAAwAYAAAAwCAAAAAwGAAAAAwb/"
    "////ALMBl9w3nTSyb/u1mlozFf/aHmpLEOU2FZowDDqDEeNYImrPj6Err52u1vSRDAxEsewB/eGWPPb9lFUS7Kvn0qv+MusGx8EFmpfYWG2l"
    "6eplXJXnuEI8kWNF6jxkHoALvtTD7MLTw3KzdwCZBmurdm69gQeZDl9J7bsky020m5jSqRHoUU8yosCWjNLW84pgJnDA8Lvf9T4Rn6l1bg3I"
    "SPQBfdnrE2HIooeW5Tk0TD7G7Gil2t+DK0K9WXqoHJkELQ+9AJy0OnkaLSXd1vgmiu4PaD+NtL/YqY8TH/Rxv93TQytz4t7Zo52FEyunlooS"
    "49dsZdYzVUonioYEY7tu1Ptf/+4ALBgHJS8jBxguLhYHJS8jf8YZ2RjMYZ1GCQEUJxMIICggBhMnJRMIICoeBjkhEQgaJBoGESEfEQgaJBoG"
    "MRQMAxEVEQMMFhQMAxEVEQMiLBYHIy0jBxgsLP/+BUMYCSMvIwVEBKVT//8EKxUIIi4kBhUrKRUIJC4iBj8ZDQYUHBQEDRkXDQYUHBQEJRwQ"
    "BRcdFwUQHh4OBRcfFQUuKBYHISsfBxYqKhQHISsfB0AHAwIGhgNXMmhgn/gtFyYwJAgXLSsXCiQwJAhDEQcu/if/dM/i/xIRDxIXJBIFHSUd"
    "BRQkJBIFHScbBTgAAAAAAAAAAB/39/f39/f39/f39/f39/f3f/f39/f39/f39/f39/f398AAAAD3GmhoaGhoaGho9oaGhoaGhoZvwAAAAAgE"
    "wAAAAKQEwAAAAAgfDOfVcF3aM1dCK4iGCFu3cMrJ4887IW3k2OGtoYMLI5/AAAAAmBskEgUdJR0FFCQkEgUdJxsF/3Lv4n/3Lv44ERIRDxKA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIE4AAA=="
)
GRID = (
    "4f4N/hP+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/g3+E/4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Df4T/hL+Ev4S/hL+Ev4S"
    "/hL+Ev4S/hL+Ev4S/hL+Ev4N/hP+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/g3+E/4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+"
    "Df4T/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4N/hP+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/g3+E/4S/hL+Ev4S/hL+Ev4S"
    "/hL+Ev4S/hL+Ev4S/hL+Df4T/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4N/hP+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/g3+"
    "E/4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Df4T/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4N/hP+Ev4S/hL+Ev4S/hL+Ev4S"
    "/hL+Ev4S/hL+Ev4S/g3+E/4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Df4T/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4N/hP+"
    "Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4S/hL+Ev4SDyTzBPIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gIPBPME8gLyAvIC8gLyAvIC8gLyAvIC"
    "8gLyAvIC8gLyAg8E8wTyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvICDwTzBPIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gIPBPME8gLy"
    "AvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAg8E8wTyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvICDwTzBPIC8gLyAvIC8gLyAvIC8gLyAvIC"
    "8gLyAvIC8gIPBPME8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAg8E8wTyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvICDwTzBPIC8gLy"
    "AvIC8gLyAvIC8gLyAvIC8gLyAvIC8gIPBPME8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAg8E8wTyAvIC8gLyAvIC8gLyAvIC8gLyAvIC"
    "8gLyAvICDwTzBPIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gIPBPME8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAg8E8wTyAvIC8gLy"
    "AvIC8gLyAvIC8gLyAvIC8gLyAvICDwTzBPIC8gLyAvIC8gLyAvIC8gLyAvIC8gLyAvIC8gIAdodWZ3iphmWJaJgBaQAA"
)
SOUP = (
    "4f///v////////////////////////////////////8oGQH/AQw08wNPMyz/HQoezyUA/yAnBf8cJ0T/HxQR/y06EN8ZBPkUD/8PChf/Gggl"
    "TxVC/wcVHfYFDK86Bv8RLwFGDC8oH/koJagAXxwOJTf/PDUU8gsYTxAR/y8QDvwhDgB2h1ZneKmGZYlomAFpAAA="
)
SEQUENCE = (
    "0VAyAgIYaAEGFREJUTsVPUsnKUFPCzlPDD4oIlp0IDIaJCgeKEYULjQQSio0UA4qOgoYFGAiMCJeAhhwCWFnKVFLIyVRFwEFGW9VFRFrKRcx"
    "P2FfPV8hHUMddQAAAAA="
)
FLOATS = (
    "oAEkAAAAAAEMAAAADgE8AAAAEA8BPAAAAP//ATwAAAAcmwE0AAAAAwE8AAAAEA8AATwAAABgXwE8AAAABRIBPAAAABAPAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAADvAAAC7wAA++8="
)
TURNS = (
    "oAE8AAAA/NABPAAAALWQATwAAAD7YAE8AAAAtN4BPAAAAPtgATwAAAC03gEwAAAABQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD/fw=="
)
SOUP_INDICES = np.fromstring(
    (
        "20 7 6 5 11 37 0 35 5 9 11 31 16 21 36 17 7 17 33 13 10 24 4 38 22 32 23 0 29 37 24 17 26 36 28 38 20 25 "
        "13 26 30 11 0 13 33 29 18 3 0 6 11 35 26 38 29 5 4 10 38 6 30 4 14 34 15 6 15 35 29 29 30 36 8 29 34 38 "
        "11 21 15 27 11 35 11 26 2 10 17 0 7 36 "
    ),
    dtype=int,
    sep=" ",
)


def unpacked(text: str, dtype: str, count: int, stride: int, **more: str) -> np.ndarray:
    return np.frombuffer(
        decode_meshopt({"count": count, "byteStride": stride, **more}, base64.b64decode(text), silent), dtype
    )


def turned(triangles: np.ndarray) -> list[tuple[int, ...]]:
    """Each with its smallest corner first: the encoder may turn them."""
    return [tuple(np.roll(row, -int(np.argmin(row))).tolist()) for row in np.asarray(triangles).reshape(-1, 3)]


def grid() -> tuple[np.ndarray, np.ndarray]:
    """(289, 3) points and (512, 3) triangles."""
    y, x = np.mgrid[:SIDE, :SIDE]
    height = np.floor(20000 + 9000 * np.sin(x * 0.7) * np.cos(y * 1.3) + 0.5)
    cells = (np.arange(SIDE - 1)[:, None] * SIDE + np.arange(SIDE - 1)).ravel()
    triangles = np.stack([cells, cells + 1, cells + SIDE + 1, cells, cells + SIDE + 1, cells + SIDE], axis=1)
    return np.stack([x * 900, y * 850, height], axis=-1).reshape(-1, 3), triangles.reshape(-1, 3)


@pytest.mark.parametrize("extension", ["EXT_meshopt_compression", "KHR_meshopt_compression"])
def test_a_file_whose_buffers_are_compressed_is_read(tmp_path, extension):
    points, triangles = grid()
    glb = Glb()
    for text, count, stride, mode in (
        (POINTS, len(points), 8, "ATTRIBUTES"),
        (GRID, triangles.size, 4, "TRIANGLES"),
    ):
        data = base64.b64decode(text)
        inside = glb.header["bufferViews"][glb.view(data)]
        packed = {**inside, "count": count, "byteStride": stride, "mode": mode}
        glb.header["bufferViews"].pop()
        view = {"buffer": 1, "byteLength": count * stride, "extensions": {extension: packed}}
        glb.header["bufferViews"].append({**view, "byteStride": stride} if mode == "ATTRIBUTES" else view)
    glb.header["accessors"] = [
        {"bufferView": 0, "componentType": 5123, "count": len(points), "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": triangles.size, "type": "SCALAR"},
    ]
    glb.header["meshes"] = [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}]
    glb.header["nodes"], glb.header["scenes"] = [{"mesh": 0}], [{"nodes": [0]}]
    glb.header["extensionsRequired"] = [extension, "KHR_mesh_quantization"]
    glb.more_buffers = [{"byteLength": 10**6, "extensions": {extension: {"fallback": True}}}]
    mesh = read_mesh(glb.write(tmp_path / "packed.glb"))
    np.testing.assert_array_equal(mesh.positions, points)
    assert turned(mesh.faces) == turned(triangles)

    glb.binary = glb.binary[:100] + bytes(len(glb.binary) - 100)
    with pytest.raises(Motion324Error, match=extension) as caught:
        read_mesh(glb.write(tmp_path / "damaged.glb"))
    assert caught.value.code == "mesh-unreadable"


def test_triangles_without_order_and_plain_indices():
    assert turned(unpacked(SOUP, "<u4", 90, 4, mode="TRIANGLES")) == turned(SOUP_INDICES)
    np.testing.assert_array_equal(unpacked(SEQUENCE, "<u4", 90, 4, mode="INDICES"), SOUP_INDICES)


def test_filters_give_floats_and_quaternions():
    floats = unpacked(FLOATS, "<f4", 3, 12, mode="ATTRIBUTES", filter="EXPONENTIAL")
    np.testing.assert_allclose(floats, [0, 1, -2.5, 0.0010000000474974513, 7.25, -1000, 3.5, -0.125, 0.5], atol=0.001)
    turns = unpacked(TURNS, "<i2", 3, 8, mode="ATTRIBUTES", filter="QUATERNION").reshape(3, 4) / 32767
    expected = np.array([0, 0, 0, 1, 0.5, -0.5, 0.5, 0.5, -0.9, 0.1, 0.3, 0.3]).reshape(3, 4)
    np.testing.assert_allclose(np.abs((turns * expected).sum(axis=1)), 1, atol=1e-4)  # q and -q are one turn


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from([POINTS, GRID, SOUP, SEQUENCE]), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255))))
def test_damaged_data_is_decoded_or_refused(text, changes):
    data = bytearray(base64.b64decode(text))
    for place, value in changes:
        data[place % len(data)] = value
    for mode, stride in (("ATTRIBUTES", 8), ("TRIANGLES", 4), ("INDICES", 4)):
        packed = {"count": 90, "byteStride": stride, "mode": mode}
        try:
            assert len(decode_meshopt(packed, bytes(data), silent)) == 90 * stride
        except (ValueError, IndexError):
            continue


def test_data_that_would_grow_without_end_is_refused():
    with pytest.raises(ValueError, match="more than it can"):
        unpacked(POINTS, "<u2", 2**40, 8, mode="ATTRIBUTES")
