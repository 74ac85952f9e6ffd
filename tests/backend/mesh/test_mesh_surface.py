"""Surface samples lie on the surface, evenly by area, with the colours that the surface has there."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest

from motion324.core.errors import Motion324Error
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.colours import colours_at, sample_texture
from motion324.mesh.surface import sample_surface


def grid(side: int) -> ReferenceMesh:
    """A unit square of 2 side^2 triangles, with texture coordinates equal to positions."""
    x, y = np.meshgrid(np.linspace(0, 1, side + 1), np.linspace(0, 1, side + 1))
    positions = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1).astype(np.float32)
    a = (np.arange(side)[:, None] * (side + 1) + np.arange(side)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + side + 2], 1), np.stack([a, a + side + 2, a + side + 1], 1)])
    uv = positions[faces][..., :2]
    return ReferenceMesh(positions, faces.astype(np.int32), np.zeros(len(faces), np.int32), corner_uv=uv)


def test_samples_follow_the_area(box):
    samples = sample_surface(box, 11000, seed=0)
    areas = np.array([3, 3, 3, 3, 1.5, 1.5, 1.5, 1.5, 1, 1, 1, 1])
    counts = np.bincount(samples.faces, minlength=12)
    assert abs(counts / 500 - areas).max() <= 2 / 500  # 500 samples to a unit of area, but for rounding
    on_plane = np.isclose(samples.points[:, None], np.array([[5, 6, 7], [6, 8, 10]])[None], atol=1e-5)
    assert on_plane.any(axis=(1, 2)).all()
    assert len(np.unique(samples.points.round(4), axis=0)) > 10900


def test_samples_agree_with_their_barycentric_coordinates_and_normals(box):
    samples = sample_surface(box, 500, seed=3)
    corners = box.positions[box.faces[samples.faces]]
    np.testing.assert_allclose(np.einsum("sc,scd->sd", samples.barycentric, corners), samples.points, atol=1e-5)
    np.testing.assert_allclose(samples.barycentric.sum(axis=1), 1, atol=1e-6)
    outwards = samples.points - np.array([5.5, 7, 8.5])
    assert (np.einsum("sd,sd->s", outwards, samples.normals) > 0).all()
    np.testing.assert_allclose(np.linalg.norm(samples.normals, axis=1), 1, atol=1e-6)


def test_samples_are_uniform_within_a_triangle():
    triangle = ReferenceMesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32), np.zeros(1, np.int32))
    barycentric = sample_surface(triangle, 20000, seed=1).barycentric
    np.testing.assert_allclose(barycentric.mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose((barycentric > 0.5).mean(axis=0), 0.25, atol=0.015)


def test_same_seed_same_samples(box):
    one, two, other = (sample_surface(box, 64, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.points, two.points)
    assert not np.array_equal(one.points, other.points)


def test_degenerate_triangles_get_no_samples(box):
    faces = np.concatenate([[[0, 0, 1]], box.faces, [[2, 2, 2], [3, 5, 3]]]).astype(np.int32)
    mesh = dataclasses.replace(box, faces=faces, face_material=np.zeros(len(faces), np.int32))
    samples = sample_surface(mesh, 3000, seed=0)
    assert samples.faces.min() == 1 and samples.faces.max() == 12
    assert np.isfinite(samples.normals).all()
    with pytest.raises(Motion324Error, match="no area"):
        sample_surface(dataclasses.replace(mesh, faces=faces[-2:], face_material=np.zeros(2, np.int32)), 10, seed=0)


def test_texture_look_up_is_bilinear_and_wraps():
    texture = np.zeros((2, 4, 4), np.uint8)
    texture[0, 1, 0] = 255  # the texel with its centre at u = 3/8, v = 3/4
    look = lambda u, v: float(sample_texture(texture, np.array([[u, v]]))[0, 0])  # noqa: E731
    assert look(0.375, 0.75) == 1
    assert np.isclose(look(0.5, 0.75), 0.5) and np.isclose(look(0.4375, 0.75), 0.75)
    assert np.isclose(look(0.375, 1.0), 0.5)  # half way to the row that wraps around
    assert look(1.375, -0.25) == 1 and look(-0.625, 1.75) == 1


def test_colours_multiply_material_texture_and_vertices():
    mesh = grid(1)
    texture = np.full((4, 4, 4), 255, np.uint8)
    texture[..., 1] = 51
    painted = dataclasses.replace(
        mesh,
        materials=(Material(), Material(base_colour=(0.5, 1, 1, 1), texture=texture)),
        face_material=np.array([1, 0], np.int32),
        vertex_colour=np.array([[1, 1, 0.5]] * 4, np.float32),
    )
    found = colours_at(painted, np.array([0, 1]), np.full((2, 3), 1 / 3))
    np.testing.assert_allclose(found, [[0.5, 0.2, 0.5], [0.8, 0.8, 0.4]], atol=1e-6)


def test_samples_take_their_colours_from_the_texture_where_they_lie():
    texture = np.zeros((64, 64, 4), np.uint8)
    texture[..., 0] = np.arange(64)[None, :] * 4
    texture[..., 1] = 252 - np.arange(64)[:, None] * 4
    mesh = dataclasses.replace(grid(7), materials=(Material(base_colour=(1, 1, 1, 1), texture=texture),))
    samples = sample_surface(mesh, 2000, seed=0)
    inside = np.all((samples.points[:, :2] > 0.02) & (samples.points[:, :2] < 0.98), axis=1)
    expected = (samples.points[inside, :2] * 64 - 0.5) * 4 / 255
    np.testing.assert_allclose(samples.colours[inside, :2], expected, atol=0.005)


def test_large_meshes_are_sampled_in_well_under_a_second():
    texture = np.zeros((1024, 1024, 4), np.uint8)
    mesh = dataclasses.replace(grid(317), materials=(Material(texture=texture),))
    assert len(mesh.faces) > 200_000
    sample_surface(mesh, 16, seed=0)
    began = time.process_time()
    assert sample_surface(mesh, 16384, seed=0).points.shape == (16384, 3)
    assert time.process_time() - began < 1
