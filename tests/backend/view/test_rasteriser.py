"""The z-buffer renderer."""

from __future__ import annotations

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import look_at_origin
from motion324.view.rasteriser import depths_seen, rasterise, render

FRONT = look_at_origin(0.0, 0.0, 3.0, 1.2)


def square(z: float, half: float = 0.5) -> np.ndarray:
    return np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], np.float32)


TWO_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def test_a_square_covers_the_pixels_that_its_projection_covers():
    raster = rasterise(square(0.0), TWO_TRIANGLES, FRONT, 60, 80)
    half = 0.5 * 1.2 * 60 / 3.0  # 12 pixels around the middle (40, 30)
    expected = np.zeros((60, 80), bool)
    expected[30 - int(half) : 30 + int(half), 40 - int(half) : 40 + int(half)] = True
    assert np.array_equal(raster.mask, expected)
    assert np.allclose(raster.depth[expected], 3.0, atol=1e-5)


def test_the_nearer_surface_hides_the_farther_one_in_either_order():
    positions = np.concatenate([square(0.0), square(0.8, half=0.2)])
    near = TWO_TRIANGLES + 4
    for faces, near_first in ((np.concatenate([TWO_TRIANGLES, near]), 2), (np.concatenate([near, TWO_TRIANGLES]), 0)):
        raster = rasterise(positions, faces, FRONT, 64, 64)
        assert raster.face[32, 32] // 2 * 2 == near_first
        assert raster.face[32, 22] // 2 * 2 == 2 - near_first


def test_barycentric_coordinates_give_the_point_that_the_pixel_sees_in_perspective():
    positions = np.array([[-0.6, -0.5, 0.9], [0.7, -0.4, -1.0], [0.1, 0.6, 0.2]], np.float32)
    view = look_at_origin(25.0, 15.0, 2.5, 1.1)
    raster = rasterise(positions, np.array([[0, 1, 2]], np.int32), view, 90, 70)
    ys, xs = np.nonzero(raster.mask)
    assert len(ys) > 200
    points = raster.barycentric[ys, xs].astype(np.float64) @ positions
    pixels, depth = view.project(points, 90, 70)
    assert np.abs(pixels - np.stack([xs + 0.5, ys + 0.5], axis=1)).max() < 1e-3
    assert np.allclose(depth, raster.depth[ys, xs], rtol=1e-5)


def test_what_lies_behind_the_camera_is_not_drawn():
    assert not rasterise(square(3.5), TWO_TRIANGLES, FRONT, 32, 32).mask.any()


def test_render_shows_vertex_colours_on_the_background():
    colours = np.tile(np.float32([[1.0, 0.0, 0.0]]), (4, 1))
    mesh = ReferenceMesh(square(0.0), TWO_TRIANGLES, np.zeros(2, np.int32), vertex_colour=colours)
    image, seen = render(mesh.positions, mesh, FRONT, 32, 32, background=(10, 20, 30))
    assert (image[~seen] == (10, 20, 30)).all()
    assert (image[seen][:, 0] > 100).all()
    assert (image[seen][:, 1:] == 0).all()


def test_depths_alone_are_those_of_the_whole_raster():
    rng = np.random.default_rng(3)
    positions, faces = rng.uniform(-0.5, 0.5, (40, 3)), rng.integers(0, 40, (60, 3))
    view = look_at_origin(30.0, 10.0, 2.0, 1.3)
    found = depths_seen(positions, faces, view, 48, 64)
    assert np.isinf(found).any() and np.isfinite(found).any()
    assert np.array_equal(found, rasterise(positions, faces, view, 48, 64).depth)
