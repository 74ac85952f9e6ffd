"""A mesh file from a stranger reads nothing but files beside it, and takes no more than it may."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from glb_builder import CORNERS, TWO_TRIANGLES, Glb, quad_glb
from PIL import Image

from motion324.core.errors import Cancelled, Motion324Error
from motion324.mesh import textures
from motion324.mesh.files import foreign
from motion324.mesh.files.reading import read_mesh

BUFFER = CORNERS.tobytes() + TWO_TRIANGLES.tobytes()
OUTSIDE = [
    "/etc/hostname",
    "../secret.bin",
    "%2e%2e/secret.bin",
    "..%2Fsecret.bin",
    "a/..%5C..%5Csecret.bin",
    "..\\secret.bin",
    "C:\\secret.bin",
    "c:secret.bin",
    "\\\\server\\share\\secret.bin",
    "//server/share/secret.bin",
    "\\\\.\\pipe\\name",
    "file:///etc/hostname",
    "https://example.org/secret.bin",
    "secret.bin::$DATA",
    "NUL",
    "a/com1.bin",
    "%00",
    "\ud800.bin",
    "link.bin",
    "folder_link/secret.bin",
    "",
]


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder below another that holds a file which nobody may read, with links that lead there."""
    folder = tmp_path / "room"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(BUFFER)
    (folder / "a").mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "folder_link").symlink_to(tmp_path)
    return folder


def gltf(path: Path, uri: str, image: str | None = None) -> Path:
    glb = quad_glb(material=0)
    if image is not None:
        view = glb.view(np.zeros((4, 2), np.float32).tobytes())
        glb.header["accessors"].append({"bufferView": view, "componentType": 5126, "count": 4, "type": "VEC2"})
        glb.header["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = 2
        glb.header |= {"images": [{"uri": image}], "textures": [{"source": 0}]}
    texture = {} if image is None else {"baseColorTexture": {"index": 0}}
    glb.header["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1], **texture}}]
    glb.header["buffers"] = [{"byteLength": len(glb.binary), "uri": uri}]
    (path.parent / "whole.bin").write_bytes(glb.binary)
    path.write_text(json.dumps(glb.header))
    return path


@pytest.mark.parametrize("uri", OUTSIDE)
def test_gltf_reads_no_buffer_from_elsewhere(room, uri):
    with pytest.raises(Motion324Error) as caught:
        read_mesh(gltf(room / "toy.gltf", uri))
    assert caught.value.code == "mesh-names-outside"
    assert str(room / "toy.gltf") in caught.value.sentence and caught.value.hint


@pytest.mark.parametrize("uri", ["below/my%20whole.bin", "./below/my whole.bin", "below//my%20whole.bin"])
def test_gltf_reads_files_below_itself(room, uri):
    (room / "below").mkdir()
    path = gltf(room / "toy.gltf", uri)
    (room / "below" / "my whole.bin").write_bytes((room / "whole.bin").read_bytes())
    np.testing.assert_array_equal(read_mesh(path).positions, CORNERS)


@pytest.mark.parametrize("uri", [*OUTSIDE, "gone.png", "a"])
def test_gltf_reads_no_image_from_elsewhere_and_says_so(room, uri):
    Image.new("RGB", (2, 2)).save(room.parent / "secret.bin", "PNG")
    mesh = read_mesh(gltf(room / "toy.gltf", "whole.bin", image=uri))
    assert mesh.materials[0].texture is None
    np.testing.assert_allclose(mesh.materials[0].base_colour, [1, 0, 0, 1])
    assert [warning["code"] for warning in mesh.warnings] == ["mesh-materials"]
    assert "Errno" not in mesh.warnings[0]["sentence"]


@pytest.mark.parametrize("name", [name for name in OUTSIDE if name and "%" not in name])
def test_obj_and_mtl_read_nothing_from_elsewhere(room, name):
    Image.new("RGB", (2, 2), (0, 0, 255)).save(room.parent / "secret.bin", "PNG")
    (room / "toy.mtl").write_text(f"newmtl a\nKd 1 0 0\nmap_Kd {name}\n", errors="replace")
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl a\nf 1/1 2/1 3/1\n"
    (room / "toy.obj").write_text("mtllib toy.mtl\n" + text)
    mesh = read_mesh(room / "toy.obj")
    assert mesh.materials[0].texture is None and mesh.materials[0].base_colour[:3] == (1, 0, 0)
    assert "toy.mtl" in mesh.warnings[0]["sentence"]
    (room.parent / "secret.bin").write_text("newmtl a\nKd 0 0 1\n")
    (room / "toy.obj").write_text(f"mtllib {name}\n" + text, errors="replace")
    mesh = read_mesh(room / "toy.obj")
    assert mesh.materials[0].base_colour[:3] == (0.8, 0.8, 0.8)
    assert "toy.obj" in mesh.warnings[0]["sentence"]


def test_ply_reads_no_texture_from_elsewhere(room):
    Image.new("RGB", (2, 2)).save(room.parent / "secret.bin", "PNG")
    head = "ply\nformat ascii 1.0\ncomment TextureFile ../secret.bin\nelement vertex 3\nproperty float x\n"
    head += "property float y\nproperty float z\nproperty float s\nproperty float t\nelement face 1\n"
    head += "property list uchar int vertex_indices\nend_header\n"
    (room / "toy.ply").write_text(head + "0 0 0 0 0\n1 0 0 0 0\n0 1 0 0 0\n3 0 1 2\n")
    mesh = read_mesh(room / "toy.ply")
    assert mesh.materials[0].texture is None and "../secret.bin" in mesh.warnings[0]["sentence"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_not_waited_for(room):
    os.mkfifo(room / "pipe")
    for path, read in ((gltf(room / "toy.gltf", "pipe"), read_mesh), (room / "pipe.obj", read_mesh)):
        if path.suffix == ".obj":
            os.mkfifo(path)
        with pytest.raises(Motion324Error):
            read(path)  # else it would wait for ever
    mesh = read_mesh(gltf(room / "toy.gltf", "whole.bin", image="pipe"))
    assert "pipe" in mesh.warnings[0]["sentence"]


def test_files_are_of_bounded_size(room, monkeypatch):
    monkeypatch.setattr(foreign, "_BLOCK", 16)
    with pytest.raises(Motion324Error) as caught:
        foreign.read_regular(room.parent / "secret.bin", 40, lambda *_: None)
    assert caught.value.code == "mesh-too-large" and "secret.bin" in caught.value.sentence
    assert foreign.read_regular(room.parent / "secret.bin", len(BUFFER), lambda *_: None) == BUFFER


def png(side: int) -> bytes:
    data = io.BytesIO()
    Image.new("1", (side, side), 1).save(data, "PNG")
    return data.getvalue()


def many_materials(glb: Glb, data: bytes, count: int, apart: bool) -> None:
    uv = glb.accessor(np.zeros((4, 2), np.float32))
    position, indices = 0, 1
    attributes = {"POSITION": position, "TEXCOORD_0": uv}
    views = [glb.view(data) for _ in range(count if apart else 1)]
    glb.header["images"] = [{"bufferView": views[k % len(views)], "mimeType": "image/png"} for k in range(count)]
    glb.header["textures"] = [{"source": k} for k in range(count)]
    glb.header["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}} for k in range(count)]
    glb.header["meshes"] = [
        {"primitives": [{"attributes": attributes, "indices": indices, "material": k} for k in range(count)]}
    ]


@pytest.mark.parametrize("apart", [True, False])
def test_forty_materials_on_one_large_image_decode_it_once(tmp_path, monkeypatch, apart):
    decoded = []
    original = textures._as_texture
    monkeypatch.setattr(textures, "_as_texture", lambda *given: decoded.append(1) or original(*given))
    glb = quad_glb()
    many_materials(glb, png(5000), 40, apart)
    mesh = read_mesh(glb.write(tmp_path / "forty.glb"))
    assert len(decoded) == 1 and len(mesh.materials) == 40
    assert {id(material.texture) for material in mesh.materials} == {id(mesh.materials[0].texture)}
    assert mesh.materials[0].texture.shape == (2500, 2500, 4)


def test_forty_obj_materials_on_one_image_decode_it_once(tmp_path, monkeypatch):
    decoded = []
    original = textures._as_texture
    monkeypatch.setattr(textures, "_as_texture", lambda *given: decoded.append(1) or original(*given))
    (tmp_path / "map.png").write_bytes(png(64))
    (tmp_path / "toy.mtl").write_text("".join(f"newmtl m{k}\nmap_Kd map.png\n" for k in range(40)))
    faces = "".join(f"usemtl m{k}\nf 1/1 2/1 3/1\n" for k in range(40))
    (tmp_path / "toy.obj").write_text("mtllib toy.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\n" + faces)
    assert len(read_mesh(tmp_path / "toy.obj").materials) == 40 and len(decoded) == 1


def test_textures_share_their_room(monkeypatch):
    monkeypatch.setattr(textures, "MOST_BYTES", 8 * 4 * 64 * 64)
    reader = textures.Textures()
    found = []
    for shade in range(60):
        data = io.BytesIO()
        Image.new("L", (64, 64), shade).save(data, "PNG")
        texture, why = reader.decode(data.getvalue(), "x")
        assert why == "" and (texture[..., 0] == shade).all()
        found.append(texture)
    assert found[0].shape == (64, 64, 4) and found[1].shape == (32, 32, 4) and len(found[-1]) < 32
    assert sum(texture.nbytes for texture in found) <= textures.MOST_BYTES


def test_images_that_unpack_to_too_much_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(textures, "MOST_PIXELS", 60 * 60)
    reader = textures.Textures()
    texture, why = reader.decode(png(61), "x")
    assert texture is None and "61 x 61 pixels" in why
    monkeypatch.setattr(textures, "MOST_PIXELS_OF_A_FILE", 3000)
    reader = textures.Textures()
    assert reader.decode(png(50), "x")[0] is not None
    assert "together" in reader.decode(png(40), "x")[1]


def test_decoding_an_image_can_be_cancelled(monkeypatch):
    calls = []

    def cancel(stage: str, done: int, total: int) -> None:
        calls.append(time.monotonic())
        if len(calls) == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        textures.Textures(cancel).decode(png(8000), "x")


def refused(path: Path, code: str) -> Motion324Error:
    """Reads it in little time and memory."""
    began = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(Motion324Error) as caught:
            read_mesh(path)
        assert tracemalloc.get_traced_memory()[1] < 300e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 10
    assert caught.value.code == code and str(path) in caught.value.sentence
    return caught.value


@pytest.mark.parametrize("which", ["POSITION", "indices"])
@pytest.mark.parametrize("count", [2**26, 2**22])
def test_accessors_without_data_take_no_memory(tmp_path, which, count):
    glb = quad_glb()
    kind = {"componentType": 5126, "type": "VEC3"} if which == "POSITION" else {"componentType": 5125, "type": "SCALAR"}
    glb.header["accessors"].append({**kind, "count": count})
    primitive = glb.header["meshes"][0]["primitives"][0]
    (primitive["attributes"] if which == "POSITION" else primitive)[which] = 2
    small = count == 2**22 or which == "indices"
    refused(glb.write(tmp_path / "bomb.glb"), "mesh-unreadable" if small else "mesh-too-large")


def test_many_nodes_of_a_large_mesh_are_refused_before_they_are_made(tmp_path):
    glb = Glb()
    glb.header["meshes"] = [
        {"primitives": [{"attributes": {"POSITION": glb.accessor(np.eye(3, dtype="f4")[[0] * 9999])}}]}
    ]
    glb.header["nodes"] = [{"mesh": 0}] * 8000
    glb.header["scenes"] = [{"nodes": list(range(8000))}]
    assert "vertices" in refused(glb.write(tmp_path / "many.glb"), "mesh-too-large").sentence


def test_instances_without_data_are_refused(tmp_path):
    glb = quad_glb()
    glb.header["accessors"].append({"componentType": 5126, "type": "VEC3", "count": 2**30})
    glb.header["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": 2}}}
    assert "instances" in refused(glb.write(tmp_path / "instances.glb"), "mesh-too-large").sentence


def test_headers_that_are_deep_or_endless_are_refused(tmp_path):
    (tmp_path / "deep.gltf").write_text(
        '{"asset": {"version": "2.0"}, "extras": ' + "[" * 100_000 + "]" * 100_000 + "}"
    )
    assert "nested too deeply" in refused(tmp_path / "deep.gltf", "mesh-unreadable").sentence
    (tmp_path / "long.gltf").write_text('{"asset": {"version": "2.0"}, "extras": [' + "[]," * 2**23 + "0]}")
    assert "a header of" in refused(tmp_path / "long.gltf", "mesh-too-large").sentence


def test_reading_can_be_cancelled_between_nodes(tmp_path):
    glb = quad_glb()
    glb.header["nodes"] = [{"mesh": 0}] * 3000
    glb.header["scenes"] = [{"nodes": list(range(3000))}]
    path = glb.write(tmp_path / "many.glb")
    gone = threading.Event()

    def cancel(stage: str, done: int, total: int) -> None:
        assert stage == "read" and done <= total
        if gone.is_set():
            raise Cancelled

    read_mesh(path, progress=cancel)
    gone.set()
    with pytest.raises(Cancelled):
        read_mesh(path, progress=cancel)
