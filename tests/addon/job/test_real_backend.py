"""The real backend behind the real extension: the example's mesh and the first frames of its video."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.shapes import rest, shown
from addon.silhouettes import overlaps
from mathutils import Vector

ROOT = Path(__file__).resolve().parents[3]
FRAMES = 4


@pytest.fixture
def real_backend(addon, monkeypatch):
    python = os.environ.get("MOTION324_TEST_BACKEND")
    if not python:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test` sets it")
    monkeypatch.setenv("MOTION324_BACKEND_PYTHON", python)
    yield
    addon("job.backend").stop()


def test_the_example_moves_as_its_video_shows_and_lies_on_it(addon, real_backend, tmp_path):
    dog = addon("scene.reading.new_object").import_mesh(ROOT / "examples/shiba.glb")
    bpy.context.view_layer.objects.active = dog
    still = rest(dog)
    done = bpy.ops.motion324.animate(
        video=str(ROOT / "examples/shiba.mp4"), frame_count=FRAMES, timing="KEEP_FRAMES", keep="SHAPE_KEYS"
    )
    assert done == {"FINISHED"}
    positions = np.stack([shown(dog, 1 + index) for index in range(FRAMES)])
    size = np.ptp(still, axis=0).max()
    assert np.isfinite(positions).all()
    # Smoothing keeps the ends of a trajectory, so the first frame is the reference pose.
    assert np.abs(positions[0] - still).max() < 1e-4 * size
    with np.load(ROOT / "examples/shiba_truth.npz") as arrays:
        truth = arrays["positions"][:FRAMES].astype(np.float32)
    truth = np.stack([truth[..., 0], -truth[..., 2], truth[..., 1]], axis=-1)  # the file's Y up -> Blender's Z up
    assert np.abs(truth[0] - still).max() < 1e-3 * size
    error = np.linalg.norm(positions - truth, axis=2).mean()
    still_error = np.linalg.norm(still - truth, axis=2).mean()
    assert error < 0.9 * still_error
    assert bpy.ops.motion324.overlay() == {"FINISHED"}
    found = overlaps(addon, ROOT / "examples/shiba.mp4", [(1 + index, index) for index in range(FRAMES)], tmp_path)
    assert found[0] > 0.95 and min(found) > 0.85, found  # of four frames of a lunge the last ones trail
    a_pin_is_met(addon, dog, truth, positions)


def a_pin_is_met(addon, dog, truth: np.ndarray, before: np.ndarray) -> None:
    """The worst vertex of the third frame is pinned to where the truth has it in the picture."""
    picking, source = addon("scene.correcting.picking"), addon("job.motion_source").source_of(dog)

    def place_of(position: np.ndarray) -> np.ndarray:
        return np.array(picking.place_in_picture(dog, source, np.array(dog.matrix_world @ Vector(position)), 2))

    vertex = int(np.argmax(np.linalg.norm(truth[2] - before[2], axis=1)))
    wanted = place_of(truth[2, vertex])
    assert np.linalg.norm(place_of(before[2, vertex]) - wanted) * 512 > 3
    assert bpy.ops.motion324.pin_point(vertex=vertex, at=wanted, frame=3) == {"FINISHED"}
    assert bpy.ops.motion324.refine(keep="SHAPE_KEYS") == {"FINISHED"}
    assert np.linalg.norm(place_of(shown(dog, 3)[vertex]) - wanted) * 512 < 1
    assert np.abs(shown(dog, 1) - before[0]).max() < 1e-5 * np.ptp(before[0], axis=0).max()


@pytest.mark.long
def test_a_mesh_is_made_from_the_video_alone_and_moves_with_it(addon, real_backend, tmp_path):
    bpy.context.scene.cursor.location = (1, 2, 3)
    made = bpy.ops.motion324.new_mesh(
        video=str(ROOT / "examples/shiba.mp4"),
        frame_count=FRAMES,
        timing="KEEP_FRAMES",
        animate=True,
        keep="SHAPE_KEYS",
        quality="draft",
    )
    assert made == {"FINISHED"}
    dog = bpy.context.object
    assert dog.name == "shiba" and 2000 <= len(dog.data.vertices) <= 20000
    size = np.ptp(rest(dog), axis=0)
    assert size.max() == pytest.approx(2) and size[1] > 0.2  # as deep as a body is
    edges = np.sort(np.array([loop for polygon in dog.data.polygons for loop in polygon.edge_keys]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()  # closed
    assert len(dog.data.shape_keys.key_blocks) == FRAMES + 1
    assert np.abs(shown(dog, FRAMES) - rest(dog)).max() > 0.02
    assert bpy.context.object["motion324_seen_from"] == "front" and bpy.context.scene.motion324.view == "auto"
    assert bpy.ops.motion324.overlay() == {"FINISHED"}
    found = overlaps(addon, ROOT / "examples/shiba.mp4", [(1 + index, index) for index in range(FRAMES)], tmp_path)
    assert found[0] > 0.95 and min(found) > 0.85, found
