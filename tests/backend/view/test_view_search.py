"""Finding the camera from one frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from creature import creature, film

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.progress import silent
from motion324.core.reference_mesh import normalised_mesh
from motion324.core.view import View, look_at_origin
from motion324.mesh.files.reading import read_mesh
from motion324.view import view_search
from motion324.view.pose_fit import fit_pose
from motion324.view.view_search import find_view


def turned_by(a: View, b: View) -> float:
    """Degrees between two cameras' orientations."""
    return float(np.degrees(np.arccos(np.clip((np.trace(a.rotation @ b.rotation.T) - 1) / 2, -1, 1))))


@pytest.mark.parametrize(
    ("azimuth", "elevation", "focal"),
    [
        pytest.param(-50.0, 8.0, 1.39, marks=pytest.mark.long),
        pytest.param(20.0, 20.0, 1.2, marks=pytest.mark.long),
        (160.0, 0.0, 1.6),
    ],
)
def test_finds_the_camera_that_filmed_the_mesh(azimuth, elevation, focal):
    mesh = creature()
    truth = look_at_origin(azimuth, elevation, 2.2, focal)
    frames, masks = film(mesh, mesh.positions[None], truth)
    match = find_view(mesh, frames[0], masks[0], "auto", silent)
    assert turned_by(match.view, truth) < 3.0
    assert match.overlap > 0.93


@pytest.mark.long
def test_a_dull_mesh_is_not_seen_from_behind_for_its_colours():
    bench, name = Path(__file__).resolve().parents[4] / "shared" / "bench" / "dev", "manta_ray_swim"
    if not bench.is_dir():
        pytest.skip("the benchmark ../shared/bench/dev is missing")
    mesh, _ = normalised_mesh(read_mesh(bench / "glbs" / f"{name}.glb"))
    first = min((bench / "images" / f"{name}_images" / "camera_0").iterdir())
    packed = np.load(bench / "masks" / f"{name}.npz")
    mask = np.unpackbits(packed["packed"][0])[: np.prod(packed["shape"][1:])].reshape(packed["shape"][1:])
    frame = np.ascontiguousarray(cv2.imread(str(first))[..., ::-1])
    match = find_view(mesh, frame, mask.astype(np.float32), "auto", silent)
    assert turned_by(match.view, look_at_origin(0.0, 0.0, 1.2, 1.39)) < 3.0
    assert match.overlap > 0.95


def test_given_angles_are_where_the_search_starts_and_are_refined():
    mesh = creature()
    truth = look_at_origin(30.0, 10.0, 2.2, 1.39)
    frames, masks = film(mesh, mesh.positions[None], truth)
    match = find_view(mesh, frames[0], masks[0], "36,6", silent)
    assert turned_by(match.view, truth) < 3.0


def test_an_object_beside_the_middle_of_the_image_is_found():
    mesh = creature()
    middle = look_at_origin(25.0, 5.0, 3.0, 1.39)
    truth = View(middle.rotation, middle.translation + np.array([0.5, -0.3, 0.0]), middle.focal)
    frames, masks = film(mesh, mesh.positions[None], truth)
    match = find_view(mesh, frames[0], masks[0], "auto", silent)
    assert match.overlap > 0.9
    pixels, _ = match.view.project(mesh.positions, 192, 192)
    expected, _ = truth.project(mesh.positions, 192, 192)
    assert np.abs(pixels - expected).mean() < 2.0


@pytest.mark.long
def test_another_shape_overlaps_badly():
    mesh = creature()
    mask = np.zeros((192, 192), np.float32)
    mask[60:130, 60:130] = 1.0
    mask[70:120, 70:120] = 0.0
    frame = np.full((192, 192, 3), 255, np.uint8)
    frame[mask > 0] = (20, 160, 30)
    assert find_view(mesh, frame, mask, "auto", silent).overlap < 0.5


def test_a_view_that_is_no_view_is_named():
    mesh = creature()
    frames, masks = film(mesh, mesh.positions[None])
    with pytest.raises(Motion324Error, match="from behind"):
        find_view(mesh, frames[0], masks[0], "from behind", silent)


def test_the_search_can_be_cancelled():
    mesh = creature()
    frames, masks = film(mesh, mesh.positions[None])

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        find_view(mesh, frames[0], masks[0], "auto", stop)


def test_pose_and_focal_length_are_recovered_from_matches_with_outliers():
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.5, 0.5, (300, 3))
    truth = look_at_origin(12.0, 7.0, 2.0, 1.5)
    pixels, _ = truth.project(points, 480, 640)
    pixels += rng.normal(0, 0.2, pixels.shape)
    pixels[:60] += rng.uniform(-80, 80, (60, 2))
    found = fit_pose(look_at_origin(5.0, 2.0, 2.3, 1.39), points, pixels, np.ones(300), (480, 640))
    assert turned_by(found, truth) < 0.3
    assert np.abs(found.project(points, 480, 640)[0] - truth.project(points, 480, 640)[0])[60:].mean() < 0.5


@pytest.mark.parametrize("flat", [False, True])
def test_a_mesh_is_framed_by_its_outermost_points_as_by_all(flat, monkeypatch):
    mesh = creature()
    if flat:
        mesh = replace(mesh, positions=mesh.positions * np.float32([1, 1, 0]))
    frames, masks = film(creature(), creature().positions[None], look_at_origin(40.0, 10.0, 2.2, 1.39))
    target = view_search.Target.of(frames[0], masks[0], view_search.COARSE_SIZE)
    start = view_search.turned_view(25.0, 12.0, 90.0)
    found = view_search.framed(mesh, start, target)
    points = view_search.framing_points(mesh)
    assert flat or len(points) < len(mesh.positions) / 2
    every = view_search.framed(mesh, start, target, mesh.positions)
    assert np.allclose(found.translation, every.translation, atol=1e-6)
