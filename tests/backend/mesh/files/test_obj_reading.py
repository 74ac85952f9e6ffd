"""OBJ and MTL files as programs and systems really write them."""

from __future__ import annotations

import codecs

import numpy as np
import pytest
from PIL import Image

from motion324.core.errors import Cancelled, Motion324Error
from motion324.mesh.files import foreign, mtl_reading
from motion324.mesh.files.reading import read_mesh

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
FACES = [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]

SPELLINGS = {
    "tabs": TETRAHEDRON.replace(" ", "\t").encode(),
    "spaces around": TETRAHEDRON.replace(" ", "  ").replace("\n", " \t \n  ").encode(),
    "comments": TETRAHEDRON.replace("\n", " # of 4\n").replace("4 # of 4\nf 1 4", "4# x\nf 1 4").encode(),
    "byte order mark": codecs.BOM_UTF8 + TETRAHEDRON.encode(),
    "utf-16 little": codecs.BOM_UTF16_LE + TETRAHEDRON.encode("utf-16-le"),
    "utf-16 big": codecs.BOM_UTF16_BE + TETRAHEDRON.encode("utf-16-be"),
    "utf-16 without mark": TETRAHEDRON.encode("utf-16-le"),
    "carriage returns": TETRAHEDRON.replace("\n", "\r").encode(),
    "carriage return, line feed": TETRAHEDRON.replace("\n", "\r\n").encode(),
    "continuations": TETRAHEDRON.replace(" 0 0 1", " 0 0 \\\n1").replace("f 2 3", "f \\\n2 \\\n3").encode(),
    "continuations of CR LF": TETRAHEDRON.replace("f 2 3", "f \\\n2 \\\n3").replace("\n", "\r\n").encode(),
    "continuations with blanks behind": TETRAHEDRON.replace("f 2 3", "f \\ \t\n2 \\  \n3").encode(),
    "a comment that ends with a folder": b"# made from C:\\models\\\n" + TETRAHEDRON.encode(),
    "utf-32": codecs.BOM_UTF32_LE + TETRAHEDRON.encode("utf-32-le"),
    "faces of before version 3": TETRAHEDRON.replace("f ", "fo ").encode(),
    "negative": TETRAHEDRON.replace("f 2 3 4", "f -3 -2 -1").encode(),
    "no last line end": TETRAHEDRON.rstrip().encode(),
    "latin-1 names": b"o caf\xe9\n" + TETRAHEDRON.encode(),
    "lines and points": TETRAHEDRON.encode() + b"p 1 2\nl 1 2 3\nvp 0.5\nvn 0 0 1\ns off\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_obj_is_read_in_every_spelling(tmp_path, spelling):
    (tmp_path / "toy.obj").write_bytes(SPELLINGS[spelling])
    mesh = read_mesh(tmp_path / "toy.obj")
    assert (mesh.positions.tolist(), mesh.faces.tolist()) == (CORNERS, FACES)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("block", [1, 7, 16])
def test_obj_is_read_alike_however_it_is_cut_into_blocks(tmp_path, monkeypatch, spelling, block):
    monkeypatch.setattr(mtl_reading, "_BLOCK", block)
    (tmp_path / "toy.obj").write_bytes(SPELLINGS[spelling])
    mesh = read_mesh(tmp_path / "toy.obj")
    assert (mesh.positions.tolist(), mesh.faces.tolist()) == (CORNERS, FACES)


def test_names_of_materials_hold_spaces_number_signs_and_comments(tmp_path):
    (tmp_path / "my toy #2.mtl").write_bytes(
        codecs.BOM_UTF8 + b"newmtl\tMaterial #25\r\nKd\t1 0 0 # red\r\nnewmtl dark  green\r\nKd 0 0.5 0\r\nTr 0.25\r\n"
    )
    faces = ["usemtl Material #25", "f 1 3 2", "usemtl  dark green # as it grows", "f 1 2 4", "usemtl gone", "f 2 3 4"]
    text = TETRAHEDRON.partition("f")[0] + "mtllib\tmy toy #2.mtl  \n" + "\n".join(faces)
    (tmp_path / "toy.obj").write_text(text)
    mesh = read_mesh(tmp_path / "toy.obj")
    colours = [mesh.materials[index].base_colour for index in mesh.face_material]
    assert colours == [(1, 0, 0, 1), (0, 0.5, 0, 0.75), (0.8, 0.8, 0.8, 1)]
    assert [warning["code"] for warning in mesh.warnings] == ["mesh-materials"]
    assert "'gone'" in mesh.warnings[0]["sentence"]


def test_a_line_may_name_several_material_files(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl a\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("newmtl b\nKd 0 1 0\n")
    (tmp_path / "toy.obj").write_text("mtllib a.mtl b.mtl # two\nusemtl b\n" + TETRAHEDRON)
    mesh = read_mesh(tmp_path / "toy.obj")
    assert (mesh.materials[0].base_colour, mesh.warnings) == ((0, 1, 0, 1), ())


def test_damaged_material_values_leave_the_others(tmp_path):
    (tmp_path / "a.mtl").write_text("newmtl a\nKd spectral file.rfl\nd nan\nnewmtl b\nKd 1e999 0 0\nnewmtl c\nKd 0.5\n")
    faces = "usemtl a\nf 1 3 2\nusemtl b\nf 1 2 4\nusemtl c\nf 2 3 4\n"
    (tmp_path / "toy.obj").write_text("mtllib a.mtl\n" + TETRAHEDRON.partition("f")[0] + faces)
    mesh = read_mesh(tmp_path / "toy.obj")
    assert [material.base_colour[0] for material in mesh.materials] == [0.8, 0.8, 0.5]


def test_texture_path_of_another_machine_is_looked_for_beside(tmp_path):
    Image.new("RGB", (2, 2), (255, 0, 0)).save(tmp_path / "my skin.png")
    (tmp_path / "a.mtl").write_text("newmtl a\nmap_Kd -s 2 2 2 -clamp on C:\\Users\\me\\my skin.png # lost\n")
    coordinates = "vt 0 0\nusemtl a\nf 1/1 3/1 2/1\n"
    (tmp_path / "toy.obj").write_text("mtllib a.mtl\n" + TETRAHEDRON.partition("f")[0] + coordinates)
    mesh = read_mesh(tmp_path / "toy.obj")
    assert mesh.warnings == ()
    assert mesh.materials[0].texture[0, 0].tolist() == [255, 0, 0, 255]


def test_vertex_colours_of_some_vertices_or_up_to_255(tmp_path):
    lines = TETRAHEDRON.replace("v 1 0 0", "v 1 0 0 51 102 255")
    (tmp_path / "toy.obj").write_text(lines.replace("v 0 1 0", "v 0 1 0 1 255 0 0"))
    mesh = read_mesh(tmp_path / "toy.obj")
    np.testing.assert_allclose(mesh.vertex_colour[1:3], [[0.2, 0.4, 1], [1, 0, 0]], atol=1e-6)
    (tmp_path / "toy.obj").write_text(TETRAHEDRON.replace("v 1 0 0", "v 1 0 0 0.2 0.4 1"))
    np.testing.assert_allclose(read_mesh(tmp_path / "toy.obj").vertex_colour[:2], [[1, 1, 1], [0.2, 0.4, 1]], atol=1e-6)


@pytest.mark.parametrize("index", ["0", "9", "-9", "4294967297", "99999999999999999999"])
def test_faces_of_vertices_that_do_not_exist_are_refused(tmp_path, index):
    (tmp_path / "toy.obj").write_text(TETRAHEDRON + f"f 1 2 {index}\n")
    with pytest.raises(Motion324Error) as caught:
        read_mesh(tmp_path / "toy.obj")
    assert caught.value.code in ("mesh-bad-faces", "mesh-unreadable")


def test_damaged_line_is_named(tmp_path):
    (tmp_path / "toy.obj").write_text(TETRAHEDRON + "f 1 2 x\n")
    with pytest.raises(Motion324Error, match="line 9 is no 'f' as OBJ has it: f 1 2 x") as caught:
        read_mesh(tmp_path / "toy.obj")
    assert str(tmp_path / "toy.obj") in caught.value.sentence


def test_limits_and_cancelling(tmp_path, monkeypatch):
    (tmp_path / "toy.obj").write_text(TETRAHEDRON + "f" + " 1 2 3" * 4000 + "\n")
    with pytest.raises(Motion324Error, match="a face of 12,000 corners"):
        read_mesh(tmp_path / "toy.obj")
    monkeypatch.setattr(foreign, "MOST_VERTICES", 3)
    (tmp_path / "toy.obj").write_text(TETRAHEDRON)
    with pytest.raises(Motion324Error, match="asks for 4 vertices; at most 3") as caught:
        read_mesh(tmp_path / "toy.obj")
    assert caught.value.code == "mesh-too-large"

    def cancel(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_mesh(tmp_path / "toy.obj", progress=cancel)
