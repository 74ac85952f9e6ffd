"""The small mesh files that stand for public bug reports: shared/cases, beside the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.mesh.files.reading import read_mesh

CASES = Path(__file__).resolve().parents[4].parent / "shared" / "cases"


def case(name: str) -> Path:
    if not (CASES / name).exists():
        pytest.skip(f"shared/cases/{name} is not beside the repository")
    return CASES / name


@pytest.mark.parametrize(
    ("name", "vertices", "faces"),
    [
        ("tabs.obj", 4, 4),
        ("comment_on_a_face.obj", 4, 4),
        ("byte_order_mark.obj", 4, 4),
        ("two_instances.glb", 8, 8),
        ("hidden_node_50_units_away.glb", 4, 4),
        ("requires_vrm.glb", 4, 4),
    ],
)
def test_case_is_read_whole(name, vertices, faces):
    mesh = read_mesh(case(name))
    assert (len(mesh.positions), len(mesh.faces)) == (vertices, faces)
    low, high = mesh.positions.min(axis=0), mesh.positions.max(axis=0)
    np.testing.assert_allclose(high - low, [6, 1, 1] if name == "two_instances.glb" else [1, 1, 1])


def test_case_of_triangles_and_quads():
    mesh = read_mesh(case("triangles_and_quads.ply"))
    assert len(mesh.positions) == 507
    data = case("triangles_and_quads.ply").read_bytes()
    start = data.index(b"end_header\n") + len(b"end_header\n")
    np.testing.assert_array_equal(mesh.positions, np.frombuffer(data, "<f4", 3 * 507, start).reshape(-1, 3))
    start, triangles = start + 12 * 507, []
    for _ in range(500):
        polygon = np.frombuffer(data, "<u4", data[start], start + 1).tolist()
        triangles += [len(polygon) - 2]
        start += 1 + 4 * len(polygon)
    assert len(mesh.faces) == sum(triangles)


def test_case_of_compression_that_is_only_named():
    path = case("compressed_named_only_as_used.glb")
    with pytest.raises(Motion324Error, match="KHR_draco_mesh_compression") as caught:
        read_mesh(path)
    assert caught.value.code == "mesh-unreadable" and str(path) in caught.value.sentence
