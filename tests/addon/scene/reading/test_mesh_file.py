"""Mesh files of jobs, which Blender's importers read: as whole as the command line reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest
from glb_builder import CORNERS, Glb, quad_glb

CASES = Path(__file__).resolve().parents[4].parent / "shared" / "cases"
SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nusemtl red\nf 1 2 3 4\n"


@pytest.fixture
def import_mesh(addon):
    return addon("scene.reading.new_object").import_mesh


def refused(match: str):
    from motion324.core.errors import Motion324Error  # of the installed extension

    return pytest.raises(Motion324Error, match=match)


@pytest.mark.parametrize(
    ("name", "vertices", "faces"),
    [
        ("tabs.obj", 4, 4),
        ("comment_on_a_face.obj", 4, 4),
        ("byte_order_mark.obj", 4, 4),
        ("triangles_and_quads.ply", 507, 500),
        ("two_instances.glb", 8, 8),
        ("hidden_node_50_units_away.glb", 4, 4),
        ("requires_vrm.glb", 4, 4),
    ],
)
def test_cases_are_read_whole(import_mesh, name, vertices, faces):
    if not (CASES / name).is_file():
        pytest.skip(f"{CASES / name} is not there")
    obj = import_mesh(CASES / name)
    assert (len(obj.data.vertices), len(obj.data.polygons)) == (vertices, faces)


def test_compression_without_data_is_named(import_mesh):
    case = CASES / "compressed_named_only_as_used.glb"
    if not case.is_file():
        pytest.skip(f"{case} is not there")
    with refused("KHR_draco_mesh_compression, whose data is damaged or missing"):
        import_mesh(case)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_obj_in_any_encoding_keeps_its_materials(import_mesh, tmp_path, encoding):
    (tmp_path / "a.mtl").write_text("newmtl red\nKd 1 0 0\nmap_Kd paint.png\n", encoding)
    image = bpy.data.images.new("Paint", 2, 2)
    image.save(filepath=str(tmp_path / "paint.png"))
    bpy.data.images.remove(image)
    path = tmp_path / "square.obj"
    path.write_text(f"mtllib a.mtl\n{SQUARE}", encoding)
    obj = import_mesh(path)
    assert len(obj.data.vertices) == 4 and obj.name == "square"
    assert [slot.material.name for slot in obj.material_slots] == ["red"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.mtl", "paint.png", "square.obj"]
    (picture,) = [image for image in bpy.data.images if image.filepath]
    assert Path(bpy.path.abspath(picture.filepath)) == tmp_path / "paint.png"


def with_files(glb: Glb, path: Path) -> Path:
    """As .gltf, its data in a file beside it."""
    glb.header["buffers"] = [{"byteLength": len(glb.binary), "uri": "my%20data.bin"}]
    path.with_name("my data.bin").write_bytes(glb.binary)
    path.write_text(json.dumps(glb.header))
    return path


def test_what_is_hidden_below_a_hidden_node_is_left_out_and_files_beside_are_found(import_mesh, tmp_path):
    glb = quad_glb()
    hidden = {"extensions": {"KHR_node_visibility": {"visible": False}}, "children": [2], "translation": [9, 0, 0]}
    glb.header["nodes"] = [{"mesh": 0}, hidden, {"mesh": 0}]
    glb.header["scenes"] = [{"nodes": [0, 1]}]
    glb.header["extensionsUsed"] = glb.header["extensionsRequired"] = ["KHR_node_visibility", "KHR_materials_ior"]
    obj = import_mesh(with_files(glb, tmp_path / "quad.gltf"))
    positions = np.array([vertex.co for vertex in obj.data.vertices])
    np.testing.assert_allclose(np.ptp(positions, axis=0), np.ptp(CORNERS[:, [0, 2, 1]], axis=0), atol=1e-6)


@pytest.mark.parametrize("uri", ["../secret.bin", "/dev/zero", "pipe.bin", "file:///etc/hostname"])
def test_a_gltf_names_only_regular_files_beside_or_below_itself(import_mesh, tmp_path, uri):
    folder = tmp_path / "room"
    folder.mkdir()
    os.mkfifo(folder / "pipe.bin")
    glb = quad_glb()
    (tmp_path / "secret.bin").write_bytes(glb.binary)
    path = with_files(glb, folder / "quad.gltf")
    header = json.loads(path.read_text())
    path.write_text(json.dumps({**header, "buffers": [{**header["buffers"][0], "uri": uri}]}))
    with refused("only regular files beside or below it are read"):
        import_mesh(path)
    texture = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    pictures = {"images": [{"uri": uri}], "textures": [{"source": 0}], "materials": [texture]}
    path.write_text(json.dumps({**header, **pictures}))
    assert len(import_mesh(path).data.vertices) == 4
    assert not any("secret" in image.filepath or "dev" in image.filepath for image in bpy.data.images)


@pytest.mark.parametrize("name", ["../a.mtl", "pipe.mtl", "/dev/zero"])
def test_an_obj_names_only_regular_files_beside_or_below_itself(import_mesh, tmp_path, name):
    folder = tmp_path / "room"
    folder.mkdir()
    os.mkfifo(folder / "pipe.mtl")
    (tmp_path / "a.mtl").write_text("newmtl secret\nKd 1 0 0\n")
    path = folder / "square.obj"
    path.write_text(f"mtllib {name}\n{SQUARE}")
    assert len(import_mesh(path).data.vertices) == 4 and "secret" not in bpy.data.materials


@pytest.mark.parametrize("name", ["../secret.png", "pipe.png", "/dev/zero", "room.png"])
def test_materials_name_only_pictures_beside_or_below_them(import_mesh, tmp_path, name):
    folder = tmp_path / "room"
    folder.mkdir()
    os.mkfifo(folder / "pipe.png")
    image = bpy.data.images.new("Paint", 2, 2)
    for place in (tmp_path / "secret.png", folder / "room.png"):
        image.save(filepath=str(place))
    bpy.data.images.remove(image)
    (folder / "a.mtl").write_text(f"newmtl red\nKd 1 0 0\nmap_Kd {name}\n")
    path = folder / "square.obj"
    path.write_text(f"mtllib a.mtl\n{SQUARE}")
    obj = import_mesh(path)
    assert [slot.material.name for slot in obj.material_slots] == ["red"]
    assert [Path(image.filepath).name for image in bpy.data.images if image.filepath] == (
        ["room.png"] if name == "room.png" else []
    )
