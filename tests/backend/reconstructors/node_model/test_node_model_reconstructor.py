"""The compact model as a reconstructor: windows, parts, cancelling, and what is said where it cannot be had."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.jobs.job_plan import SEEN_AT_ONCE
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import silent
from motion324.core.view import look_at_origin
from motion324.mesh.surface import sample_surface
from motion324.reconstructors import registry
from motion324.reconstructors.interface import Scene
from motion324.reconstructors.node_model import reconstructor as reconstructing
from motion324.reconstructors.node_model.agreement import LEAST_ERROR
from motion324.reconstructors.node_model.reconstructor import BUNDLED, NodeModelReconstructor
from motion324.reconstructors.node_model.scene_inputs import LooksInputs, farthest_points, square_around

VIEW = look_at_origin(20.0, 5.0, 2.0, 1.3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    pytest.importorskip("torch", reason="a model to run is made with PyTorch, which is not installed here")
    pytest.importorskip("onnx", reason="a model to run is made with the package onnx, which is not installed here")
    from small_node_model import write_small_node_model

    return str(write_small_node_model(tmp_path_factory.mktemp("weights") / "small.onnx"))


@pytest.fixture(scope="module")
def obedient(weights, tmp_path_factory) -> str:
    """A model that takes tracks, and leaves the nodes where they are believed to be."""
    from small_node_model import write_small_node_model

    return str(write_small_node_model(tmp_path_factory.mktemp("told") / "told.onnx", motion=0.0, takes_tracks=True))


def scene(frames: int, **changes) -> Scene:
    mesh = creature()
    pictures, masks = film(mesh, waving(mesh, frames), VIEW, size=96)
    return replace(Scene(mesh, sample_surface(mesh, 2000, 0), pictures, masks, VIEW), **changes)


def positions_of(weights: str, of: Scene, believed: np.ndarray | None = None) -> np.ndarray:
    found = np.full((len(of.frames), *of.mesh.positions.shape), np.nan, np.float32)
    for batch in NodeModelReconstructor(weights, "cpu").reconstruct(of, silent, believed):
        assert batch.final
        assert np.isnan(found[batch.indices]).all(), "every frame comes once"
        found[batch.indices] = batch.positions
    return found


@pytest.mark.parametrize("frames", [2, 11, SEEN_AT_ONCE + 1])
def test_every_frame_comes_once_and_the_reference_frame_stays(weights, frames):
    given = scene(frames)
    found = positions_of(weights, given)
    assert np.isfinite(found).all()
    assert np.abs(found[0] - given.mesh.positions).max() < 1e-5
    assert np.abs(found[1:] - given.mesh.positions).max() > 0.01


def test_a_model_that_takes_tracks_is_told_where_vertices_are_across_the_view(obedient):
    """In every window and every look, and nothing of how far away they are."""
    given = scene(SEEN_AT_ONCE + 1)
    sway = 0.08 * np.sin(np.arange(SEEN_AT_ONCE + 1))
    right, _, ahead = VIEW.rotation
    across = given.mesh.positions + sway[:, None, None] * right
    assert np.abs(positions_of(obedient, given, across) - across).max() < 2e-3
    nearer = given.mesh.positions * np.ones((SEEN_AT_ONCE + 1, 1, 1)) - 0.2 * ahead
    moved = positions_of(obedient, given, nearer) - given.mesh.positions
    assert np.abs(moved @ ahead).max() < 0.01
    assert np.abs(positions_of(obedient, given) - given.mesh.positions).max() < 1e-5


def test_a_model_that_takes_no_tracks_is_told_none(weights, monkeypatch):
    monkeypatch.setattr(reconstructing, "DISAGREEING", np.inf)
    given = scene(4)
    believed = np.repeat(given.mesh.positions[None] + np.float32(0.1), 4, axis=0)
    assert np.array_equal(positions_of(weights, given), positions_of(weights, given, believed))
    assert not NodeModelReconstructor(weights, "cpu").takes_tracks(silent)


@pytest.mark.parametrize("frames", [4, SEEN_AT_ONCE + 1])
@pytest.mark.parametrize("told", [False, True])
def test_every_question_is_asked_in_two_looks_that_agree(weights, monkeypatch, frames, told):
    given, taken = scene(frames), []
    monkeypatch.setattr(reconstructing, "DISAGREEING", np.inf)
    original = LooksInputs.of

    def of(self, look):
        taken.append(look)
        return original(self, look)

    monkeypatch.setattr(LooksInputs, "of", of)
    positions_of(weights, given, np.repeat(given.mesh.positions[None], frames, axis=0) if told else None)
    assert taken == list(reconstructing.LOOKS) and len(set(taken)) == 2


def test_two_more_looks_are_taken_where_both_disagree_on_a_short_video_that_nothing_is_told_of(weights, monkeypatch):
    taken, original = [], LooksInputs.of

    def of(self, look):
        taken.append(look)
        return original(self, look)

    monkeypatch.setattr(LooksInputs, "of", of)
    monkeypatch.setattr(reconstructing, "DISAGREEING", 0.0)
    short, long = scene(4), scene(SEEN_AT_ONCE + 1)
    believed = np.repeat(short.mesh.positions[None], 4, axis=0)
    for given, told, looks in ((short, None, 4), (short, believed, 2), (long, None, 2)):
        taken.clear()
        positions_of(weights, given, told)
        assert taken == [*reconstructing.LOOKS, *reconstructing.MORE_LOOKS][:looks] and len(set(taken)) == looks
    taken.clear()
    list(NodeModelReconstructor(weights, "cpu", hurries=True).reconstruct(short, silent))
    assert len(taken) == 2, "a draft hurries"


@pytest.mark.parametrize("frames", [5, SEEN_AT_ONCE + 3])
def test_an_error_is_expected_of_every_vertex_in_every_frame_and_none_of_the_reference(weights, frames):
    given = scene(frames)
    batches = list(NodeModelReconstructor(weights, "cpu").reconstruct(given, silent))
    expected = np.concatenate([batch.expected_error for batch in batches])
    assert expected.shape == (frames, len(given.mesh.positions)) and np.isfinite(expected).all()
    assert expected[0].max() < 0.01 * expected[1:].mean() or expected[0].max() <= 2 * LEAST_ERROR
    assert expected[1:].min() >= LEAST_ERROR and expected[1:].max() > 10 * LEAST_ERROR


def test_a_short_video_is_seen_at_once_and_a_longer_one_in_windows_as_long_as_in_training(weights):
    given = scene(SEEN_AT_ONCE + 1)
    asked, told = NodeModelReconstructor(weights, "cpu"), []
    for frames, windows in ((SEEN_AT_ONCE, 1), (SEEN_AT_ONCE + 1, 18)):
        told.clear()
        part = replace(given, frames=given.frames[:frames], masks=given.masks[:frames])
        list(asked.reconstruct(part, lambda stage, done, total: told.append((stage, done))))
        assert asked.details()["windows"] == windows
        done = [number for stage, number in told if stage == "reconstruct"]
        assert done == sorted(done) and done[0] == 0 and done[-1] == frames
        assert len(set(done)) > 2, "every look shows as progress"


def test_windows_join_smoothly(weights):
    """The model moves at random, but where two windows meet it jumps no more than anywhere else."""
    found = positions_of(weights, scene(SEEN_AT_ONCE + 1))
    steps = np.linalg.norm(np.diff(found[1:], axis=0), axis=2).mean(axis=1)
    assert steps.max() < 4 * np.median(steps)


@pytest.mark.parametrize("frames", [9, SEEN_AT_ONCE + 1])
def test_windows_and_looks_that_are_asked_together_answer_as_one_by_one(obedient, monkeypatch, frames):
    import torch

    from motion324.reconstructors.node_model.model_file import read_model_file
    from motion324.reconstructors.node_model.torch_model import TorchNodeModel

    given = scene(frames)
    believed = given.mesh.positions + 0.05 * np.arange(frames)[:, None, None] / frames
    expected = positions_of(obedient, given, believed)
    asked = []

    class Counted(TorchNodeModel):
        def first_answers(self, questions, check):
            asked.append(len(questions))
            return super().first_answers(questions, check)

    def opened(path, device, check):
        return Counted(path, read_model_file(path), torch.device("cpu"))

    monkeypatch.setattr(reconstructing, "opened_model", opened)
    assert np.abs(positions_of(obedient, given, believed) - expected).max() < 1e-5
    assert max(asked) > 1


def test_the_same_scene_gives_the_same_result(weights):
    assert np.array_equal(positions_of(weights, scene(6)), positions_of(weights, scene(6)))


def test_points_go_through_in_parts(weights, monkeypatch):
    whole = positions_of(weights, scene(5))
    monkeypatch.setattr(reconstructing, "POINTS_AT_ONCE", 400)
    assert np.abs(positions_of(weights, scene(5)) - whole).max() < 1e-6


def test_a_turned_mesh_with_its_turned_camera_moves_alike(weights):
    """Only the mesh as the camera sees it matters, not its axes."""
    given = scene(4)
    c, s = np.cos(1.1), np.sin(1.1)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    surface = replace(
        given.surface,
        points=(given.surface.points @ turn.T).astype(np.float32),
        normals=(given.surface.normals @ turn.T).astype(np.float32),
    )
    mesh = replace(given.mesh, positions=(given.mesh.positions @ turn.T).astype(np.float32))
    turned = replace(given, mesh=mesh, surface=surface, view=replace(VIEW, rotation=VIEW.rotation @ turn.T))
    assert np.abs(positions_of(weights, turned) - positions_of(weights, given) @ turn.T).max() < 1e-3


def test_cancelling_stops_it(weights):
    calls = []

    def progress(stage, done, total):
        calls.append(stage)
        if stage == "reconstruct" and done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(NodeModelReconstructor(weights, "cpu").reconstruct(scene(12), progress))
    assert calls[0] == "load"


def test_empty_masks_are_told(weights):
    given = scene(3)
    with pytest.raises(Motion324Error) as caught:
        list(NodeModelReconstructor(weights).reconstruct(replace(given, masks=given.masks * 0), silent))
    assert caught.value.code == "no-foreground"


def test_an_object_that_leaves_the_picture_is_cut_out_all_the_same(weights):
    given = scene(4)
    masks = np.zeros_like(given.masks)
    masks[:, :40, -30:] = 1.0
    square = square_around(masks)
    assert square.left + square.side > masks.shape[2]
    assert square.top < 0
    assert np.isfinite(positions_of(weights, replace(given, masks=masks))).all()


def test_the_farthest_points_are_all_different_and_spread():
    points = np.random.default_rng(0).random((500, 3))
    chosen = farthest_points(points, 40)
    assert len(set(chosen.tolist())) == 40
    gaps = np.linalg.norm(points[chosen][:, None] - points[chosen][None], axis=2) + 9 * np.eye(40)
    assert gaps.min() > 0.15


@pytest.mark.parametrize("name", ["node-model", "node-model+fit"])
def test_weights_that_are_not_there_are_named(name, tmp_path):
    with pytest.raises(Motion324Error) as caught:
        registry.get_reconstructor(AnimateOptions(reconstructor=name, weights=str(tmp_path / "none.onnx")), silent)
    assert caught.value.code == "weights-missing"
    assert "none.onnx" in caught.value.sentence


def test_the_model_that_comes_along_runs_and_starts_from_the_mesh():
    given = scene(3)
    found = np.concatenate([batch.positions for batch in NodeModelReconstructor().reconstruct(given, silent)])
    assert found.shape == (3, *given.mesh.positions.shape) and np.isfinite(found).all()
    assert np.abs(found[0] - given.mesh.positions).max() < 1e-4
    assert BUNDLED.stat().st_size <= 40_000_000


@pytest.mark.parametrize("name", ["node-model", "node-model+fit"])
def test_the_registry_gives_it_with_weights(weights, name):
    found = registry.get_reconstructor(AnimateOptions(reconstructor=name, weights=weights), silent)
    assert found.name == name
    found.check_job(10, 1000)


def test_it_runs_without_pytorch(weights, tmp_path):
    given = scene(3)
    np.savez(tmp_path / "scene.npz", frames=given.frames, masks=given.masks)
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "sys.path.insert(0, 'tests')\n"
        "import numpy as np\n"
        "from creature import creature\n"
        "from motion324.mesh.surface import sample_surface\n"
        "from motion324.core.view import look_at_origin\n"
        "from motion324.core.options.animate_options import AnimateOptions\n"
        "from motion324.reconstructors.interface import Scene\n"
        "from motion324.reconstructors.registry import get_reconstructor\n"
        f"film = np.load({str(tmp_path / 'scene.npz')!r})\n"
        "mesh, view = creature(), look_at_origin(20.0, 5.0, 2.0, 1.3)\n"
        "scene = Scene(mesh, sample_surface(mesh, 2000, 0), film['frames'], film['masks'], view)\n"
        f"options = AnimateOptions(reconstructor='node-model', weights={weights!r}, device='cpu')\n"
        "silent = lambda stage, done, total: None\n"
        "found = np.concatenate([b.positions for b in get_reconstructor(options, silent).reconstruct(scene, silent)])\n"
        f"np.save({str(tmp_path / 'found.npy')!r}, found)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert np.abs(np.load(tmp_path / "found.npy") - positions_of(weights, given)).max() < 1e-6


def test_every_frame_is_seen_once_by_all_looks_windows_and_questions(weights, monkeypatch):
    from motion324.reconstructors.node_model import seen_frames

    frames = SEEN_AT_ONCE + 2
    given, pictures = scene(frames), []
    asked = NodeModelReconstructor(weights, "cpu")
    list(asked.reconstruct(given, silent))
    model = asked._model
    original = type(model).see
    monkeypatch.setattr(
        type(model), "see", lambda self, some, check: (pictures.append(len(some)), original(self, some, check))[1]
    )

    def answers(most_kept: int) -> list[np.ndarray]:
        monkeypatch.setattr(seen_frames, "MOST_KEPT", most_kept)
        pictures.clear()
        fresh = NodeModelReconstructor(weights, "cpu")
        return [batch.positions for _ in range(2) for batch in fresh.reconstruct(given, silent)]

    whole = answers(1000)
    assert sum(pictures) == 2 * frames, "as it is, and mirrored"
    short = answers(6)
    assert 2 * frames < sum(pictures) < 2 * 2 * frames * 2
    assert all(np.abs(a - b).max() < 1e-5 for a, b in zip(whole, short, strict=True))


def test_what_was_seen_is_kept_for_the_second_question_and_not_after_it(weights):
    given, asked = scene(6), NodeModelReconstructor(weights, "cpu")
    first = [batch.positions for batch in asked.reconstruct(given, silent)]
    assert asked._seen is not None
    list(asked.reconstruct(given, silent, np.concatenate(first)))
    assert asked._seen is None
    hurried = NodeModelReconstructor(weights, "cpu", hurries=True)
    list(hurried.reconstruct(given, silent))
    assert hurried._seen is None


def test_a_glance_tells_roughly_how_every_frame_moves_and_sees_no_frame_twice(weights, monkeypatch):
    given, pictures = scene(23), []
    asked = NodeModelReconstructor(weights, "cpu")
    glanced = np.full((23, *given.mesh.positions.shape), np.nan, np.float32)
    for batch in asked.glance(given, silent):
        assert not batch.final and np.isnan(glanced[batch.indices]).all()
        glanced[batch.indices] = batch.positions
    assert np.isfinite(glanced).all()
    assert np.abs(glanced[0] - given.mesh.positions).max() < 1e-5
    between = (glanced[0] + 3 * glanced[4]) / 4  # of what is glanced at
    assert np.abs(glanced[3] - between).max() < 1e-6 and np.abs(glanced[4] - glanced[0]).max() > 0.01
    model = asked._model
    original = type(model).see
    monkeypatch.setattr(
        type(model), "see", lambda self, some, check: (pictures.append(len(some)), original(self, some, check))[1]
    )
    found = np.concatenate([batch.positions for batch in asked.reconstruct(given, silent)])
    assert sum(pictures) == 2 * 23 - 7
    assert np.abs(found - positions_of(weights, given)).max() < 1e-5
    assert list(asked.glance(scene(5), silent)) == []


def test_one_look_at_a_few_frames_sees_each_once_and_answers_as_a_single_look_does(weights, monkeypatch):
    given = scene(3)
    asked = NodeModelReconstructor(weights, "cpu", hurries=True)
    found = asked.look_once(given, silent)
    monkeypatch.setattr(reconstructing, "LOOKS", reconstructing.LOOKS[:1])
    expected = np.concatenate([batch.positions for batch in asked.reconstruct(given, silent)])
    assert found.shape == (3, len(given.mesh.positions), 3)
    np.testing.assert_allclose(found, expected, atol=1e-6)
