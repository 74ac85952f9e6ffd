"""What the motion transformer is given of a scene: points with normals and colours, and square frames on black."""

from __future__ import annotations

import json

import numpy as np
import pytest

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.progress import silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.surface import sample_surface

pytest.importorskip("torch", reason="the motion transformer needs PyTorch, which is not installed here")

from small_transformer import write_small_weights

from motion324.core.view import look_at_origin
from motion324.mesh.surface import vertex_normals
from motion324.reconstructors.interface import Scene
from motion324.reconstructors.motion_transformer.options import InferenceOptions
from motion324.reconstructors.motion_transformer.predictor import MotionPredictor, surface_points, vertex_points
from motion324.reconstructors.motion_transformer.reconstructor import MotionTransformer
from motion324.reconstructors.scene_frames import SIDE, object_frames, square_of


def cube(split: bool) -> ReferenceMesh:
    """A cube of side 1 around the origin; `split` gives every triangle vertices of its own. One vertex is unused."""
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], np.float32)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    if split:
        corners, faces = corners[faces].reshape(-1, 3), np.arange(36, dtype=np.int32).reshape(12, 3)
    positions = np.concatenate([corners, np.array([[0.0, 0.6, 0.0]], np.float32)])
    return ReferenceMesh(positions=positions, faces=faces, face_material=np.zeros(12, np.int32))


def scene(frames: int = 3) -> Scene:
    mesh = cube(split=False)
    masks = np.zeros((frames, 30, 40), np.float32)
    masks[:, 5:25, 8:30] = 1
    images = np.random.default_rng(0).integers(0, 256, (frames, 30, 40, 3), dtype=np.uint8)
    return Scene(mesh, sample_surface(mesh, 500, 0), images, masks, look_at_origin(0, 0, 2.5, 1.2))


@pytest.fixture
def weights(tmp_path):
    return write_small_weights(tmp_path / "small.safetensors")


@pytest.mark.parametrize("split", [False, True])
def test_normals_point_away_and_do_not_see_seams(split):
    mesh = cube(split)
    normals = vertex_normals(mesh)
    used = normals[:-1]
    assert np.allclose(np.linalg.norm(used, axis=1), 1, atol=1e-6)
    assert (np.einsum("nd,nd->n", used, mesh.positions[:-1]) > 0.7).all()
    assert np.array_equal(normals[-1], [0, 0, 0])


def test_vertices_take_colours_and_lost_normals_from_the_nearest_samples():
    mesh = cube(split=False)
    surface = sample_surface(mesh, 2000, 0)
    points = vertex_points(mesh, surface)
    assert np.array_equal(points.positions, mesh.positions)
    assert np.allclose(points.normals[-1], [0, 1, 0], atol=1e-6)
    distances = np.linalg.norm(surface.points[None] - mesh.positions[:, None], axis=2)
    assert np.array_equal(points.colours, surface.colours[distances.argmin(axis=1)])
    assert len(surface_points(surface).positions) == 2000


def test_frames_are_cut_to_the_object_over_the_whole_video():
    masks = np.zeros((2, 60, 80), np.float32)
    masks[0, 10:30, 5:15] = 1
    masks[1, 20:50, 5:25] = 1
    top, left, side = square_of(masks)
    assert (top, left, side) == (10, -5, 40)
    frames = np.full((2, 60, 80, 3), 200, np.uint8)
    cut = object_frames(frames, masks, silent)
    assert cut.shape == (2, SIDE, SIDE, 3)
    scale = SIDE / side
    for index in range(2):
        lit = cut[index, ..., 0] > 100
        expected = masks[index].sum() * scale**2
        assert abs(lit.sum() - expected) < 0.05 * expected
        assert cut[index][~lit].max() <= 100
    assert (cut[:, :, : int(9 * scale)] == 0).all()


def test_empty_masks_are_a_clear_error():
    with pytest.raises(Motion324Error) as failed:
        object_frames(np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 8, 8), np.float32), silent)
    assert failed.value.code == "no-foreground"


def test_every_frame_comes_once_and_final(weights):
    reconstructor = MotionTransformer(InferenceOptions(device="cpu"), weights)
    assert not reconstructor.place
    batches = list(reconstructor.reconstruct(scene(), silent))
    assert sorted(int(i) for batch in batches for i in batch.indices) == [0, 1, 2]
    assert all(batch.final and np.isfinite(batch.positions).all() for batch in batches)
    assert all(batch.positions.shape[1:] == (9, 3) for batch in batches)
    assert reconstructor.place == "cpu"
    details = reconstructor.details()
    assert (details["device"], details["precision"], details["weights"]) == ("cpu", "float32", "small.safetensors")
    assert {"load", "images", "decoder"} <= set(details["seconds"])
    assert details["attention"]["short"]
    assert json.loads(json.dumps(details)) == details


def test_the_model_stays_until_it_is_unloaded(weights, monkeypatch):
    loads = []
    real = MotionPredictor.load
    monkeypatch.setattr(MotionPredictor, "load", lambda *args: (loads.append(args), real(*args))[1])
    reconstructor = MotionTransformer(InferenceOptions(device="cpu"), weights)
    first = np.concatenate([batch.positions for batch in reconstructor.reconstruct(scene(), silent)])
    reconstructor.to_cpu()
    again = np.concatenate([batch.positions for batch in reconstructor.reconstruct(scene(), silent)])
    assert len(loads) == 1
    assert np.array_equal(first, again)
    reconstructor.unload()
    assert not reconstructor.place
    list(reconstructor.reconstruct(scene(), silent))
    assert len(loads) == 2


def test_a_job_may_be_cancelled_while_the_model_loads(weights, monkeypatch):
    import threading

    release = threading.Event()
    real = MotionPredictor.load
    monkeypatch.setattr(MotionPredictor, "load", lambda *args: (release.wait(20), real(*args))[1])

    def stop(stage, done, total):
        raise Cancelled

    reconstructor = MotionTransformer(InferenceOptions(device="cpu"), weights)
    with pytest.raises(Cancelled):
        list(reconstructor.reconstruct(scene(), stop))
    release.set()
    assert len(list(reconstructor.reconstruct(scene(), silent))) > 0


def test_a_load_that_fails_is_tried_again(weights):
    content = weights.read_bytes()
    weights.write_bytes(content[:1000])
    reconstructor = MotionTransformer(InferenceOptions(device="cpu"), weights)
    for _ in range(2):
        with pytest.raises(Motion324Error) as failed:
            list(reconstructor.reconstruct(scene(), silent))
        assert failed.value.code == "checkpoint-broken"
    weights.write_bytes(content)
    assert len(list(reconstructor.reconstruct(scene(), silent))) > 0


def test_weights_that_are_not_installed_are_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path))
    with pytest.raises(Motion324Error) as failed:
        MotionTransformer()
    assert failed.value.code == "weights-missing"
    assert "motion324 weights download" in failed.value.hint
