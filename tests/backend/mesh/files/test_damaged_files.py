"""Whatever bytes a mesh file holds: a mesh comes out, or one error, soon."""

from __future__ import annotations

import copy
import json
import struct
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from glb_builder import CORNERS, quad_glb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.mesh.checks import check_mesh
from motion324.mesh.files.reading import read_mesh

SECONDS = 5.0  # on a busy machine; the files have a few hundred bytes
QUICK = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
OBJ = (
    b"mtllib toy.mtl\no toy\nv 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0.5 0.5\n"
    b"usemtl a b\nf 1/1 3/1 -3/1\nf 1 2 3 4\n"
)
MTL = b"newmtl a b\nKd 0.5 0.25 1\nd 0.5\nmap_Kd -s 1 1 1 map.png\n"
PLY = (
    b"ply\nformat binary_little_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    b"property uchar red\nproperty uchar green\nproperty uchar blue\n"
    b"element face 2\nproperty list uchar uint vertex_indices\nend_header\n"
    + b"".join(struct.pack("<3f3B", *corner, 1, 2, 3) for corner in CORNERS.tolist())
    + struct.pack("<B3IB4I", 3, 0, 1, 2, 4, 0, 1, 2, 3)
)
STL = (
    b"solid toy\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n"
    b"endloop\nendfacet\nendsolid\n"
)


def whole_glb() -> tuple[bytes, dict]:
    """With what readers do most about: a texture, colours, a skin, a morph target, instances, sparse values."""
    glb = quad_glb(material=0)
    primitive = glb.header["meshes"][0]["primitives"][0]
    primitive["attributes"] |= {
        "TEXCOORD_0": glb.accessor(CORNERS[:, :2]),
        "COLOR_0": glb.accessor(np.full((4, 4), 77, np.uint8), normalized=True),
        "JOINTS_0": glb.accessor(np.zeros((4, 4), np.uint8)),
        "WEIGHTS_0": glb.accessor(np.tile(np.float32([1, 0, 0, 0]), (4, 1))),
    }
    primitive["targets"] = [{"POSITION": glb.accessor(CORNERS)}]
    glb.header["images"], glb.header["textures"] = [glb.image(np.zeros((2, 2, 3), np.uint8))], [{"source": 0}]
    texture = {"index": 0, "extensions": {"KHR_texture_transform": {"offset": [0.5, 0], "rotation": 1}}}
    glb.header["materials"] = [{"name": "m", "pbrMetallicRoughness": {"baseColorTexture": texture}}]
    glb.header["skins"] = [{"joints": [1], "inverseBindMatrices": glb.accessor(np.eye(4, dtype="f4").reshape(1, 16))}]
    places = glb.accessor(np.array([[0, 0, 0], [2, 0, 0]], np.float32))
    glb.header["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": glb.view(b"\2"), "componentType": 5121},
        "values": {"bufferView": glb.view(np.ones(3, np.float32).tobytes())},
    }
    glb.header["nodes"] = [
        {"mesh": 0, "skin": 0, "weights": [0.5]},
        {"scale": [1, 1, -1], "children": [2]},
        {"mesh": 0, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": places}}}},
    ]
    glb.header["scenes"] = [{"nodes": [0, 1]}]
    with tempfile.TemporaryDirectory() as folder:
        return glb.write(Path(folder) / "whole.glb").read_bytes(), glb.header


GLB, HEADER = whole_glb()


def is_read_or_refused(name: str, data: bytes, beside: dict[str, bytes] | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        for other, content in (beside or {}).items():
            (Path(folder) / other).write_bytes(content)
        began = time.process_time()
        try:
            mesh = read_mesh(path)
        except Motion324Error as error:
            assert error.exit_code == EXIT_BAD_MESH
            assert "\n" not in error.sentence and len(error.sentence) < 600 and error.sentence.endswith(".")
        else:
            check_mesh(mesh)
        assert time.process_time() - began < SECONDS


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """The file with some bytes replaced, a piece left out or doubled, or its end cut off."""
    place = st.integers(0, len(whole))

    def replaced(changes: list[tuple[int, int]]) -> bytes:
        data = bytearray(whole)
        for index, value in changes:
            data[index % len(data)] = value
        return bytes(data)

    def moved(ends: tuple[int, int], piece: bytes) -> bytes:
        start, stop = sorted(ends)
        return whole[:start] + piece + whole[stop:]

    return st.one_of(
        st.builds(replaced, st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=8)),
        st.builds(moved, st.tuples(place, place), st.binary(max_size=20)),
        st.builds(lambda stop: whole[:stop], place),
    )


@pytest.mark.parametrize(("name", "whole"), [("a.obj", OBJ), ("a.ply", PLY), ("a.stl", STL), ("a.glb", GLB)])
def test_the_files_that_are_damaged_here_are_whole(name, whole, tmp_path):
    (tmp_path / name).write_bytes(whole)
    assert len(read_mesh(tmp_path / name).faces) > 0


@QUICK
@given(damaged(OBJ))
def test_damaged_obj_is_read_or_refused(data):
    is_read_or_refused("toy.obj", data, {"toy.mtl": MTL})


@QUICK
@given(damaged(MTL))
def test_damaged_mtl_is_read_or_left_out(data):
    is_read_or_refused("toy.obj", OBJ, {"toy.mtl": data})


WORDS = st.one_of(
    st.sampled_from(
        ["v", "vt", "f", "usemtl", "mtllib", "o", "#", "\\", "/", "-1", "0", "1", "1e400", "nan", "1//2", "\t"]
    ),
    st.integers(-(10**20), 10**20).map(str),
    st.text(max_size=5),
)


@QUICK
@given(st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=30).map("\n".join))
def test_any_text_as_obj_is_read_or_refused(text):
    is_read_or_refused("toy.obj", text.encode("utf-8", errors="replace"))


@QUICK
@given(damaged(PLY))
def test_damaged_ply_is_read_or_refused(data):
    is_read_or_refused("toy.ply", data)


@QUICK
@given(damaged(STL))
def test_damaged_stl_is_read_or_refused(data):
    is_read_or_refused("toy.stl", data)


@QUICK
@given(damaged(GLB))
def test_damaged_glb_is_read_or_refused(data):
    is_read_or_refused("toy.glb", data)


def places_in(value: object, way: tuple = ()) -> list[tuple]:
    """The ways to all values in a JSON document."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way] * bool(way) + [found for key, child in children for found in places_in(child, (*way, key))]


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 12),
        st.sampled_from([2**26, 2**31, 2**53, -1, 1e308, 0.5, "", "..", "data:,x", "SCALAR", "VEC3", 5126, 5125]),
        st.text(max_size=4),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=4,
)


@settings(QUICK, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(places_in(HEADER)), JSON), min_size=1, max_size=3))
def test_glb_with_other_values_in_its_header_is_read_or_refused(changes):
    header = copy.deepcopy(HEADER)
    for way, value in changes:
        inside = header
        try:
            for key in way[:-1]:
                inside = inside[key]
            inside[way[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    length = int.from_bytes(GLB[12:16], "little")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + GLB[20 + length :]
    is_read_or_refused("toy.glb", b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
