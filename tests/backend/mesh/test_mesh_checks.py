"""A mesh that cannot be animated is refused before anything is computed from it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from motion324.core.errors import EXIT_BAD_MESH, Cancelled, Motion324Error
from motion324.core.reference_mesh import Material
from motion324.mesh import checks
from motion324.mesh.checks import check_mesh, triangle_areas


def test_a_sound_mesh_passes(box):
    check_mesh(box)
    check_mesh(dataclasses.replace(box, positions=box.positions * 1e-6))  # millimetres taken for metres
    check_mesh(dataclasses.replace(box, positions=box.positions * 1e6))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("mesh-empty", lambda m: {"faces": m.faces[:0], "face_material": m.face_material[:0]}),
        ("mesh-malformed", lambda m: {"positions": m.positions[:, :2]}),
        ("mesh-malformed", lambda m: {"vertex_colour": np.ones((3, 3), np.float32)}),
        ("mesh-malformed", lambda m: {"corner_uv": np.zeros((12, 2), np.float32)}),
        ("mesh-malformed", lambda m: {"up": "X"}),
        ("mesh-not-finite", lambda m: {"positions": np.where(m.positions == 5, np.inf, m.positions)}),
        ("mesh-bad-faces", lambda m: {"faces": m.faces + 1}),
        ("mesh-bad-faces", lambda m: {"faces": m.faces - 1}),
        ("mesh-bad-colours", lambda m: {"face_material": m.face_material + 1}),
        ("mesh-bad-colours", lambda m: {"corner_uv": np.full((12, 3, 2), np.nan, np.float32)}),
        ("mesh-zero-extent", lambda m: {"positions": np.full_like(m.positions, 3)}),
        ("mesh-zero-area", lambda m: {"positions": m.positions * np.float32([1, 0, 0])}),
    ],
)
def test_what_is_wrong_is_named(box, code, change):
    with pytest.raises(Motion324Error) as caught:
        check_mesh(dataclasses.replace(box, **change(box)))
    assert (caught.value.code, caught.value.exit_code) == (code, EXIT_BAD_MESH)
    assert "'box'" in caught.value.sentence


def test_broken_vertices_are_counted(box):
    positions = box.positions.copy()
    positions[[3, 6]] = np.nan
    with pytest.raises(Motion324Error, match=r"2 vertices .*vertex 3"):
        check_mesh(dataclasses.replace(box, positions=positions))


def test_areas_are_those_of_the_triangles(box):
    np.testing.assert_allclose(triangle_areas(box.positions, box.faces).sum(), 22)
    two = dataclasses.replace(box, materials=(Material(), Material()), face_material=box.face_material + 1)
    check_mesh(two)


def test_the_checks_of_a_large_mesh_look_for_cancellation_between_parts(box, monkeypatch):
    monkeypatch.setattr(checks, "_AT_ONCE", 5)
    looks = []
    check_mesh(box, lambda stage, done, total: looks.append(stage))
    assert len(looks) >= 2 * 3  # twelve faces, five at a time, in two checks at least

    def cancel(stage, done, total):
        raise Cancelled()

    with pytest.raises(Cancelled):
        check_mesh(box, cancel)
    faces = box.faces.copy()
    faces[7, 1] = 99
    with pytest.raises(Motion324Error, match=r"the first is face 7"):
        check_mesh(dataclasses.replace(box, faces=faces))
