"""Polygons become triangles that cover them, go around as they do, and use every corner."""

from __future__ import annotations

import time

import numpy as np
import pytest

from motion324.core.errors import Cancelled
from motion324.mesh.polygons import triangulate

TURNED = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]


def in_space(flat) -> np.ndarray:
    """(K, 2) -> (K, 3), on a plane that no axis is normal to."""
    flat = np.asarray(flat, float)
    return np.c_[flat, np.zeros(len(flat))] @ TURNED.T + [3.0, -2.0, 5.0]


def cut(points) -> np.ndarray:
    return triangulate(np.asarray(points), np.arange(len(points)), np.array([0, len(points)]))


def area_vector(points) -> np.ndarray:
    return np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0) / 2


def check_cover(flat) -> np.ndarray:
    """The triangles of a polygon have its area, none lies upside down, and all its corners are used."""
    points = in_space(flat)
    triangles = cut(points)
    assert np.array_equal(np.unique(triangles), np.arange(len(points)))
    whole = area_vector(points)
    pieces = np.array([area_vector(points[triangle]) for triangle in triangles]) @ whole / np.linalg.norm(whole)
    assert pieces.min() > -1e-9
    assert pieces.sum() == pytest.approx(np.linalg.norm(whole))
    return triangles


SHAPES = {
    "pentagon": [(0, 0), (2, 0), (3, 1), (1, 3), (-1, 1)],
    "arrow": [(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)],
    "comb": [(0, 0), (7, 0), (7, 3), (6, 3), (6, 1), (5, 1), (5, 3), (4, 3), (4, 1), (3, 1), (3, 3), (0, 3)],
    "hole by a bridge": [(0, 0), (6, 0), (6, 6), (0, 6), (0, 0), (2, 2), (2, 4), (4, 4), (4, 2), (2, 2)],
    "corners on its sides": [(0, 0), (1, 0), (2, 0), (4, 0), (4, 2), (4, 4), (3, 4), (0, 4), (0, 1)],
    "only one corner off a line": [(0, 0), (1, 0), (2, 0), (3, 0), (0, 3)],
    "the same place twice": [(0, 0), (4, 0), (4, 0), (4, 4), (0, 4)],
}


@pytest.mark.parametrize("flat", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("backwards", [False, True])
def test_triangles_cover_a_polygon_and_use_all_its_corners(flat, backwards):
    assert len(check_cover(flat[::-1] if backwards else flat)) == len(flat) - 2


def test_polygon_that_touches_itself_is_two_that_are_cut_apart():
    triangles = check_cover([(0, 0), (4, 0), (2, 2), (4, 4), (0, 4), (2, 2)])
    assert {tuple(sorted(triangle)) for triangle in triangles.tolist()} == {(0, 1, 5), (2, 3, 4)}


@pytest.mark.parametrize("seed", range(20))
def test_random_stars_are_covered(seed):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(5, 60))
    angles = np.sort(generator.uniform(0, 2 * np.pi, count))
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False) if np.diff(angles).max() > 3 else angles
    star = check_cover(np.c_[np.cos(angles), np.sin(angles)] * generator.uniform(0.2, 1, (count, 1)))
    assert len(star) == count - 2


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((6, 3)),
        np.c_[np.arange(6.0), np.zeros((6, 2))],
        np.full((6, 3), np.nan),
        np.where(np.arange(18).reshape(6, 3) == 7, np.inf, 1.0),
    ],
    ids=["a point", "a line", "no numbers", "one corner at infinity"],
)
def test_polygon_without_area_is_fanned(points):
    assert cut(points).tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 5]]


def test_polygon_that_crosses_itself_gives_triangles_of_its_own_corners():
    triangles = cut(in_space([(0, 0), (4, 4), (4, 0), (0, 4), (2, 6)]))
    assert 1 <= len(triangles) <= 3 and triangles.min() >= 0 and triangles.max() <= 4


def test_polygons_of_all_sizes_keep_their_order():
    flat = [*SHAPES["pentagon"], (0, 0), (1, 0), (0, 1), *SHAPES["arrow"], (0, 0), (2, 0), (2, 2), (0, 2), (9, 9)]
    starts = np.array([0, 5, 8, 13, 17, 18])
    triangles = triangulate(in_space(flat), np.arange(len(flat)), starts)
    owners = np.searchsorted(starts, triangles[:, 0], side="right") - 1
    assert owners.tolist() == [0, 0, 0, 1, 2, 2, 2, 3, 3]
    assert np.array_equal(np.searchsorted(starts, triangles[:, 2], side="right") - 1, owners)


def test_quads_are_cut_so_that_neither_half_turns_over():
    triangles = cut(in_space([(0, 0), (4, 0), (1, 1), (0, 4)]))
    assert {tuple(sorted(triangle)) for triangle in triangles.tolist()} == {(0, 1, 2), (0, 2, 3)}


@pytest.mark.parametrize("count", [3, 4, 6])
def test_cutting_many_polygons_can_be_cancelled(count):
    """30,000 of six corners take some seconds."""
    angles = 2 * np.pi * np.arange(count) / count
    ring = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(count)])
    many = 30_000
    looks = []

    def progress(stage, done, total):
        looks.append(stage)
        if len(looks) == 2 or count < 5:
            raise Cancelled()

    corners, starts = np.tile(np.arange(count), many), np.arange(many + 1) * count
    began = time.monotonic()
    with pytest.raises(Cancelled):
        triangulate(ring, corners, starts, progress)
    assert time.monotonic() - began < 2
