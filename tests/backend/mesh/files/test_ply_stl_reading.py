"""PLY and STL files of every kind."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import trimesh

from motion324.core.errors import Motion324Error
from motion324.mesh.colours import colours_at
from motion324.mesh.files import ply_elements
from motion324.mesh.files.reading import read_mesh

POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0], [3, 0.5, 0]], np.float32)
POLYGONS = [[0, 1, 2, 3], [4, 6, 5], [1, 4, 5, 2]]
HEAD = "ply\nformat {} 1.0\ncomment made here\nelement vertex 7\nproperty float x\nproperty float y\nproperty float z\n"
FACES = "element face 3\nproperty list uchar {} vertex_indices\n"


def binary(order: str, index: str = "I", kind: str = "uint", before: bytes = b"", after: bytes = b"") -> bytes:
    name = {"<": "binary_little_endian", ">": "binary_big_endian"}[order]
    head = HEAD.format(name) + "element face 3\n" + ("property uchar flag\n" if before else "")
    head += f"property list uchar {kind} vertex_indices\n" + ("property ushort group\n" if after else "")
    body = POINTS.astype(order + "f4").tobytes()
    for polygon in POLYGONS:
        body += before + struct.pack(f"{order}B{len(polygon)}{index}", len(polygon), *polygon) + after
    return (head + "end_header\n").encode() + body


def text() -> bytes:
    points = "".join("{} {} {}\n".format(*row) for row in POINTS.tolist())
    faces = "".join(f"{len(polygon)} {' '.join(map(str, polygon))}\n" for polygon in POLYGONS)
    return (HEAD.format("ascii") + FACES.format("int") + "end_header\n" + points + faces).encode()


SPELLINGS = {
    "little": binary("<"),
    "big": binary(">"),
    "short indices": binary(">", "h", "short"),
    "other properties": binary("<", before=b"\7", after=b"\1\2"),
    "long indices": binary("<", "Q", "uint64"),
    "text": text(),
    "text of CR LF": text().replace(b"\n", b"\r\n"),
    "text on one line": text().partition(b"end_header\n")[0]
    + b"end_header\n"
    + text().partition(b"end_header\n")[2].replace(b"\n", b" "),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_polygons_of_different_sizes_are_read(tmp_path, spelling, monkeypatch):
    monkeypatch.setattr(ply_elements, "_BLOCK", 16)
    (tmp_path / "toy.ply").write_bytes(SPELLINGS[spelling])
    mesh = read_mesh(tmp_path / "toy.ply")
    np.testing.assert_array_equal(mesh.positions, POINTS)
    assert len(mesh.faces) == 5
    assert [sorted(set(mesh.faces[rows].ravel().tolist())) for rows in ([0, 1], [2], [3, 4])] == [
        sorted(polygon) for polygon in POLYGONS
    ]
    corners = POINTS[mesh.faces]
    signed = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    np.testing.assert_allclose(signed, 0.5)  # two halves of squares, a triangle of base 1 and height 1


def test_faces_before_vertices_and_other_elements(tmp_path):
    head = "ply\nformat binary_big_endian 1.0\nelement face 1\nproperty list int ushort vertex_index\nelement edge 2\n"
    head += "property int vertex1\nproperty list uchar double rest\nelement nothing 4000000000\n"
    head += "element vertex 3\nproperty double x\nproperty double y\nproperty double z\nproperty ushort red\n"
    head += "property ushort green\nproperty ushort blue\nend_header\n"
    body = struct.pack(">i3H", 3, 0, 1, 2) + struct.pack(">iB2d", 0, 2, 1, 2) + struct.pack(">iB", 0, 0)
    for point in POINTS[:3]:
        body += struct.pack(">3d3H", *point, 65535, 0, 13107)
    (tmp_path / "toy.ply").write_bytes(head.encode() + body)
    mesh = read_mesh(tmp_path / "toy.ply")
    assert mesh.faces.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(mesh.vertex_colour, [[1, 0, 0.2]] * 3, atol=1e-6)


def test_strips_of_triangles_are_read(tmp_path):
    vertices = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0]])
    head = "ply\nformat binary_little_endian 1.0\ncomment end_header is near\nelement vertex 5\n"
    head += "property float x\nproperty float y\nproperty float z\n"
    head += "element tristrips {count}\nproperty list int int vertex_indices\nend_header\n"
    strips = [[0, 1, 2, 3, 4], [4, 2, 0, 1]]
    expected = [[0, 1, 2], [2, 1, 3], [2, 3, 4], [4, 2, 0], [0, 2, 1]]  # every second one turned over
    in_one = np.int32([len(strips[0]) + 1 + len(strips[1]), *strips[0], -1, *strips[1]]).tobytes()
    apart = b"".join(np.int32([len(strip), *strip]).tobytes() for strip in strips)
    for count, body in ((1, in_one), (2, apart)):
        (tmp_path / "scan.ply").write_bytes(head.format(count=count).encode() + vertices.tobytes() + body)
        mesh = read_mesh(tmp_path / "scan.ply")
        assert sorted(map(_rolled, mesh.faces.tolist())) == sorted(map(_rolled, expected))


def _rolled(corners):
    """The same triangle, its smallest corner first."""
    first = corners.index(min(corners))
    return corners[first:] + corners[:first]


def test_colours_of_polygons(tmp_path):
    red = "property uchar red\nproperty uchar green\nproperty uchar blue\n"
    points = "".join("{} {} {}\n".format(*row) for row in POINTS.tolist())
    faces = "4 0 1 2 3 255 0 0\n3 4 6 5 0 255 0\n4 1 4 5 2 0 0 255\n"
    (tmp_path / "toy.ply").write_text(
        HEAD.format("ascii") + FACES.format("int") + red + "end_header\n" + points + faces
    )
    mesh = read_mesh(tmp_path / "toy.ply")
    found = colours_at(mesh, np.arange(5), np.full((5, 3), 1 / 3))
    np.testing.assert_allclose(found, np.eye(3)[[0, 0, 1, 2, 2]], atol=1e-6)


@pytest.mark.parametrize(
    "damage",
    [
        binary("<")[:-3],
        binary(">")[:200],
        binary("<").replace(b"element face 3", b"element face 4000000000"),
        binary("<").replace(b"element vertex 7", b"element vertex -7"),
        binary("<").replace(b"list uchar uint", b"list int uint"),
        text().replace(b"4 0 1 2 3", b"4 0 1 two 3"),
        text().replace(b"4 0 1 2 3", b"1e300 0 1 2 3"),
        text().replace(b"4 0 1 2 3", b"4 0 1 2 300"),
        text().replace(b"property float y", b"property float up"),
        text().replace(b"property float y", b"property half y"),
        b"ply\n" + b"\0" * 100,
    ],
)
def test_damaged_ply_is_refused_in_one_sentence(tmp_path, damage):
    (tmp_path / "toy.ply").write_bytes(damage)
    with pytest.raises(Motion324Error) as caught:
        read_mesh(tmp_path / "toy.ply")
    assert caught.value.code in ("mesh-unreadable", "mesh-bad-faces")
    assert "KeyError" not in caught.value.sentence


def test_stl_of_every_kind_gives_the_same_triangles(tmp_path):
    box = trimesh.creation.box()
    whole = box.export(file_type="stl")
    (tmp_path / "binary.stl").write_bytes(whole)
    (tmp_path / "solid.stl").write_bytes(b"solid " + whole[6:])  # SolidWorks begins binary files so
    as_text = box.export(file_type="stl_ascii")
    halves = as_text.replace("endsolid", "", 1).splitlines()
    half = len(halves) // 2 // 7 * 7 + 1
    several = "\n".join([*halves[:half], "endsolid a", "SOLID b", *halves[half:], "endsolid b"]).replace(
        "vertex", "Vertex"
    )
    (tmp_path / "longer.stl").write_bytes(b"solid " + whole[6:] + b"made by somebody")
    (tmp_path / "text.stl").write_text(as_text)
    (tmp_path / "marked.stl").write_bytes(b"\xef\xbb\xbf" + as_text.encode())
    (tmp_path / "wide.stl").write_bytes(as_text.encode("utf-16"))
    (tmp_path / "line.stl").write_text(as_text.replace("\n", " "))
    (tmp_path / "several.stl").write_text(several, newline="\r\n")
    for name in ("binary", "solid", "longer", "text", "marked", "wide", "line", "several"):
        mesh = read_mesh(tmp_path / f"{name}.stl")
        np.testing.assert_allclose(mesh.positions[mesh.faces], box.triangles)


def test_stl_that_is_cut_short_is_refused(tmp_path):
    whole = trimesh.creation.box().export(file_type="stl")
    (tmp_path / "cut.stl").write_bytes(whole[:-10])
    with pytest.raises(Motion324Error, match="cut short"):
        read_mesh(tmp_path / "cut.stl")
