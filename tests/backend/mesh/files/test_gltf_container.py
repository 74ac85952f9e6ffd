"""How glTF files lay out and compress their numbers, and which extensions they may ask for."""

from __future__ import annotations

import base64
import json
import re
import struct
import sys

import numpy as np
import pytest
from glb_builder import CORNERS, TWO_TRIANGLES, Glb, quad_glb

from motion324.core.errors import Motion324Error
from motion324.core.srgb import linear_to_srgb
from motion324.mesh.files.reading import read_mesh

DRACO = "KHR_draco_mesh_compression"


def test_interleaved_vertices_are_read(tmp_path):
    glb = quad_glb()
    rows = np.zeros(4, [("position", "<f4", 3), ("joint", "u1", 4), ("colour", "<u2", 4)])
    rows["position"], rows["colour"] = CORNERS, [[65535, 0, 13107, 65535]] * 4
    view = glb.view(rows.tobytes(), byteStride=rows.dtype.itemsize)
    attributes = glb.header["meshes"][0]["primitives"][0]["attributes"]
    for name, offset, component, kind in (("POSITION", 0, 5126, "VEC3"), ("COLOR_0", 16, 5123, "VEC4")):
        accessor = {"bufferView": view, "byteOffset": offset, "componentType": component, "count": 4, "type": kind}
        glb.header["accessors"].append({**accessor, "normalized": component != 5126})
        attributes[name] = len(glb.header["accessors"]) - 1
    mesh = read_mesh(glb.write(tmp_path / "interleaved.glb"))
    np.testing.assert_array_equal(mesh.positions, CORNERS)
    np.testing.assert_allclose(mesh.vertex_colour, linear_to_srgb(np.tile([1, 0, 0.2], (4, 1))), atol=1e-5)


def test_quantised_positions_are_scaled_by_their_node(tmp_path):
    glb = quad_glb()
    attributes = glb.header["meshes"][0]["primitives"][0]["attributes"]
    attributes["POSITION"] = glb.accessor((CORNERS * 200).astype(np.uint8))
    glb.header["nodes"] = [{"mesh": 0, "scale": [0.005, 0.005, 0.005]}]
    glb.header["extensionsRequired"] = ["KHR_mesh_quantization"]
    np.testing.assert_allclose(read_mesh(glb.write(tmp_path / "small.glb")).positions, CORNERS, atol=1e-6)


def test_sparse_values_of_zeros_and_of_a_morph_target(tmp_path):
    glb = quad_glb()
    rows, values = np.array([1, 2, 3], np.uint8), CORNERS[1:].astype(np.float32)
    sparse = {
        "count": 3,
        "indices": {"bufferView": glb.view(rows.tobytes()), "componentType": 5121},
        "values": {"bufferView": glb.view(values.tobytes())},
    }
    glb.header["accessors"].append({"componentType": 5126, "count": 4, "type": "VEC3", "sparse": sparse})
    primitive = glb.header["meshes"][0]["primitives"][0]
    primitive["attributes"]["POSITION"] = len(glb.header["accessors"]) - 1
    primitive["targets"] = [{"POSITION": len(glb.header["accessors"]) - 1}]
    glb.header["nodes"] = [{"mesh": 0, "weights": [0.5]}]
    np.testing.assert_allclose(read_mesh(glb.write(tmp_path / "sparse.glb")).positions, CORNERS * 1.5)


HARMLESS = ("VRMC_vrm", "VRM", "KHR_materials_unlit", "KHR_texture_transform", "KHR_lights_punctual", "KHR_xmp_json_ld")


@pytest.mark.parametrize("name", [*HARMLESS, "KHR_animation_pointer", "EXT_texture_webp", "KHR_materials_variants"])
def test_harmless_extensions_may_be_required(tmp_path, name):
    glb = quad_glb()
    glb.header["extensionsRequired"] = [name]
    np.testing.assert_array_equal(read_mesh(glb.write(tmp_path / "harmless.glb")).positions, CORNERS)


def draco_glb(required: bool) -> tuple[Glb, np.ndarray, np.ndarray]:
    """A bumpy grid whose data only Draco's decoder can read; its points and colours, in the compressed order."""
    DracoPy = pytest.importorskip("DracoPy")
    x, y = np.meshgrid(np.arange(5.0), np.arange(5.0))
    points = np.stack([x.ravel(), y.ravel(), np.sin(x * y).ravel()], axis=1).astype(np.float32)
    cells = np.array([row * 5 + column for row in range(4) for column in range(4)])
    faces = np.concatenate([cells[:, None] + [0, 1, 6], cells[:, None] + [0, 6, 5]]).astype(np.uint32)
    colours = np.random.default_rng(0).integers(0, 256, (25, 4)).astype(np.uint8)
    data = DracoPy.encode(points, faces, quantization_bits=20, preserve_order=True, colors=colours)
    told = DracoPy.decode(data)
    number = {int(found["attribute_type"]): int(found["unique_id"]) for found in told.attributes}
    glb = Glb()
    glb.header["accessors"] = [
        {"componentType": 5126, "count": len(told.points), "type": "VEC3"},
        {"componentType": 5123, "count": 3 * len(told.faces), "type": "SCALAR"},
        {"componentType": 5121, "normalized": True, "count": len(told.points), "type": "VEC4"},
    ]
    packed = {"bufferView": glb.view(data), "attributes": {"POSITION": number[0], "COLOR_0": number[2]}}
    primitive = {"attributes": {"POSITION": 0, "COLOR_0": 2}, "indices": 1, "extensions": {DRACO: packed}}
    glb.header["meshes"] = [{"primitives": [primitive]}]
    glb.header["nodes"], glb.header["scenes"] = [{"mesh": 0}], [{"nodes": [0]}]
    glb.header["extensionsUsed"] = [DRACO]
    if required:
        glb.header["extensionsRequired"] = [DRACO]
    return glb, points[faces], colours[faces][..., :3]


@pytest.mark.parametrize("required", [True, False])
def test_draco_is_decoded(tmp_path, required):
    glb, corners, colours = draco_glb(required)
    mesh = read_mesh(glb.write(tmp_path / "packed.glb"))
    np.testing.assert_allclose(mesh.positions[mesh.faces], corners, atol=1e-4)
    np.testing.assert_allclose(mesh.vertex_colour[mesh.faces], linear_to_srgb(colours / 255), atol=1e-5)


def test_draco_is_left_alone_where_the_plain_data_is_there(tmp_path):
    glb = quad_glb()
    packed = {"bufferView": glb.view(b"none"), "attributes": {"POSITION": 0}}
    glb.header["meshes"][0]["primitives"][0]["extensions"] = {DRACO: packed}
    glb.header["extensionsUsed"] = [DRACO]
    np.testing.assert_array_equal(read_mesh(glb.write(tmp_path / "both.glb")).positions, CORNERS)


def test_draco_without_its_package_or_with_other_counts_is_refused_by_name(tmp_path, monkeypatch):
    glb, _, _ = draco_glb(required=False)
    count = glb.header["accessors"][1]["count"]
    glb.header["accessors"][1]["count"] = 3 * 2**20
    with pytest.raises(Motion324Error, match=DRACO):
        read_mesh(glb.write(tmp_path / "lies.glb"))
    glb.header["accessors"][1]["count"] = count
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    with pytest.raises(Motion324Error, match=f"{DRACO}, for which the package DracoPy is missing"):
        read_mesh(glb.write(tmp_path / "packed.glb"))


def gltf_with(path, **buffer: object) -> dict:
    glb = quad_glb()
    glb.header["buffers"] = [{"byteLength": len(glb.binary), **buffer}]
    path.write_text(json.dumps(glb.header))
    return glb.header


def test_embedded_data_in_base64_and_percent_signs(tmp_path):
    data = CORNERS.tobytes() + TWO_TRIANGLES.tobytes()
    for uri in (
        "data:application/octet-stream;base64," + base64.b64encode(data).decode(),
        "data:," + "".join(f"%{byte:02x}" for byte in data),
    ):
        gltf_with(tmp_path / "whole.gltf", uri=uri)
        np.testing.assert_array_equal(read_mesh(tmp_path / "whole.gltf").positions, CORNERS)


@pytest.mark.parametrize(
    "damage",
    [
        {"accessors": "none"},
        {"accessors": []},
        {"bufferViews": [{"buffer": 0, "byteLength": -5}]},
        {"meshes": [{}]},
        {"meshes": [{"primitives": [{"attributes": {}}]}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": True}}]}]},
        {"asset": {"version": "1.0"}},
        {"asset": []},
        {"nodes": [{"mesh": 0, "rotation": "up"}]},
        {"nodes": [{"mesh": 0, "extensions": None}]},
        {"nodes": [{"mesh": 0, "translation": ["a", 0, 0]}]},
        {"nodes": [{"mesh": 0, "matrix": [1, 2, 3]}]},
        {"nodes": [{"mesh": 1e9}]},
        {"nodes": [None]},
        {"extensionsRequired": 5},
        {"scenes": [5]},
    ],
)
def test_damaged_headers_are_refused_in_one_sentence(tmp_path, damage):
    glb = quad_glb()
    glb.header |= damage
    with pytest.raises(Motion324Error) as caught:
        read_mesh(glb.write(tmp_path / "damaged.glb"))
    assert caught.value.code == "mesh-unreadable"
    assert str(tmp_path / "damaged.glb") in caught.value.sentence and "Traceback" not in str(caught.value)
    assert not re.search("Error|object at|NoneType|reshape|convert", str(caught.value))


def test_a_header_may_be_padded_with_zeros(tmp_path):
    glb = quad_glb()
    data = glb.write(tmp_path / "whole.glb").read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    for zeros in (4, 8):
        head = struct.pack("<I4s", length + zeros, b"JSON") + data[20 : 20 + length] + bytes(zeros)
        (tmp_path / "padded.glb").write_bytes(data[:12] + head + data[20 + length :])
        assert len(read_mesh(tmp_path / "padded.glb").faces) == 2


@pytest.mark.parametrize("where", ["bufferView", "primitive"])
def test_an_unknown_compression_that_is_only_used_is_named(tmp_path, where):
    glb = quad_glb()
    packed = {"ACME_mesh_compression": {"bufferView": 0}}
    if where == "primitive":
        glb.header["meshes"][0]["primitives"][0]["extensions"] = packed
        for accessor in glb.header["accessors"]:
            del accessor["bufferView"]
    else:
        glb.header["bufferViews"][0] |= {"buffer": 1, "extensions": packed}
        glb.more_buffers = [{"byteLength": 1000}]
    with pytest.raises(Motion324Error, match="needs the glTF extension ACME_mesh_compression, which cannot be read"):
        read_mesh(glb.write(tmp_path / "packed.glb"))


def test_a_file_of_gltf_1_is_told_so(tmp_path):
    (tmp_path / "old.glb").write_bytes(b"glTF" + struct.pack("<IIII", 1, 24, 4, 0) + b"{}  ")
    with pytest.raises(Motion324Error, match=r"has glTF version 1; version 2\.0 is needed"):
        read_mesh(tmp_path / "old.glb")
