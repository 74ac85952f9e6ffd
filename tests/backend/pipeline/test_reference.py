"""What shows a mesh in its own pose: the first frame, another one, or a drawing, and what becomes of the result."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.clip import VideoClip
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import look_at_origin
from motion324.pipeline import animate as pipeline
from motion324.pipeline import reference as choosing
from motion324.pipeline.animate import animate
from motion324.reconstructors.interface import FrameBatch
from motion324.trajectories.smoothing import TREMBLING
from motion324.video.foreground import ForegroundMasks
from motion324.view import pose_search

VIEW = look_at_origin(20.0, 5.0, 2.2, 1.39)
MOST_STEADIED = TREMBLING / 2 + 1e-5  # by which a vertex may be moved afterwards


class Truthful:
    """Knows where the vertices are, by the number of frames of the video; keeps the scenes that it was given."""

    name = "truthful"
    trembles = True

    def __init__(self, moved):
        self.moved, self.scenes = moved, []

    def check_job(self, frames, vertices):
        pass

    def details(self):
        return {}

    def reconstruct(self, scene, progress):
        progress("reconstruct", 0, 1)
        self.scenes.append(scene)
        steps = np.linspace(0, len(self.moved) - 1, 4).round().astype(int)
        added = len(scene.frames) - len(self.moved)
        video = self.moved if added in (0, 1) else self.moved[steps]
        added = len(scene.frames) - len(video)
        positions = np.concatenate([scene.mesh.positions[None], video])[1 - added :]
        yield FrameBatch(np.arange(len(positions)), positions, True)


@pytest.fixture(scope="module")
def filmed():
    """Its mesh's middle is the origin and its longest side 1, so that normalised space is its own."""
    mesh = creature()
    moved = waving(mesh, frames=10, reach=1.2)
    low, high = moved[6].min(axis=0), moved[6].max(axis=0)
    moved = (moved - (low + high) / 2) / (high - low).max()
    frames, masks = film(mesh, moved, VIEW)
    clip = VideoClip(frames, 12.0, np.arange(100, 110), None, "wave")
    return mesh, moved, clip, ForegroundMasks(masks, "given")


def animated(monkeypatch, filmed, positions, **options):
    mesh, moved, clip, masks = filmed
    knows = Truthful(moved)
    monkeypatch.setattr(pipeline, "get_reconstructor", lambda options, progress: knows)
    mesh: ReferenceMesh = dataclasses.replace(mesh, positions=positions.astype(np.float32))
    given = AnimateOptions(smooth=0, view="20,5", **options)
    batches: list[FrameBatch] = []
    result = animate(mesh, clip, given, foreground=masks, on_frames=batches.append)
    return result, knows.scenes[-1], batches


def test_a_mesh_in_a_later_frames_pose_has_that_frame_before_the_videos(monkeypatch, filmed):
    _, moved, clip, _ = filmed
    result, scene, batches = animated(monkeypatch, filmed, moved[6])
    told = result.report["pose"]
    assert told["asked"] == "auto" and told["taken"] == "other-frame" and abs(told["frame"] - 106) <= 2
    assert len(scene.frames) == len(clip.frames) + 1
    np.testing.assert_array_equal(scene.frames[0], scene.frames[1 + told["frame"] - 100])
    np.testing.assert_allclose(result.positions, moved, atol=MOST_STEADIED)
    assert sorted(np.concatenate([batch.indices for batch in batches])) == list(range(len(clip.frames)))
    (warning,) = [each for each in result.report["warnings"] if each["code"] == "other-pose"]
    assert f"frame {told['frame']}" in warning["sentence"] and "frame 100" in warning["sentence"]


@pytest.mark.long
def test_the_view_of_an_added_frame_sees_the_object_where_the_video_does(monkeypatch, filmed):
    _, moved, clip, masks = filmed
    result, scene, _ = animated(monkeypatch, filmed, moved[6])
    height, width = clip.frames.shape[1:3]
    of_video, _ = result.view.project(moved[0], height, width)
    of_scene, _ = scene.view.project(moved[0], *scene.masks.shape[1:])
    shift = of_scene - of_video
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-6)
    x, y = np.round(of_video.mean(axis=0)).astype(int)
    dx, dy = np.round(shift[0]).astype(int)
    np.testing.assert_array_equal(scene.masks[1, y - 20 + dy : y + 20 + dy, x - 20 + dx : x + 20 + dx],
                                  masks.masks[0, y - 20 : y + 20, x - 20 : x + 20])  # fmt: skip


@pytest.mark.parametrize("pose", ["auto", "any"])
def test_a_mesh_in_the_first_frames_pose_is_animated_as_ever(monkeypatch, filmed, pose):
    _, moved, clip, _ = filmed
    result, scene, _ = animated(monkeypatch, filmed, moved[0], pose=pose)
    assert result.report["pose"] == {"asked": pose, "taken": "first-frame"}
    assert len(scene.frames) == len(clip.frames)
    np.testing.assert_array_equal(result.positions[0], moved[0].astype(np.float32))


def test_first_frame_is_taken_by_its_word(monkeypatch, filmed):
    _, moved, _, _ = filmed
    result, _, _ = animated(monkeypatch, filmed, moved[6], pose="first-frame")
    assert result.report["pose"] == {"asked": "first-frame", "taken": "first-frame"}
    np.testing.assert_array_equal(result.positions[0], moved[6].astype(np.float32))


def no_motion(scene, progress):
    raise AssertionError("nothing has to be drawn")


NO_SCOUT = choosing.Scout(no_motion)


@pytest.mark.parametrize(("pose", "taken"), [(0, "first-frame"), (3, "other-frame")])
def test_a_first_frame_that_is_covered_fairly_well_is_doubted_where_another_shows_the_mesh(filmed, pose, taken):
    mesh, moved, clip, masks = filmed
    own = dataclasses.replace(mesh, positions=moved[pose])
    first = choosing.Reference("first-frame", 0, VIEW, 0.93)  # as bent fish and figures seen from behind have it
    filming = choosing.Filming(clip.frames, masks.masks)
    _, found = choosing.find_reference(own, filming, first, AnimateOptions(view="20,5"), NO_SCOUT, silent)
    assert found.kind == taken
    assert found.frame in (pose, 10 - pose)


@pytest.mark.long
def test_a_frame_that_agrees_point_by_point_is_taken_whatever_its_mask_lacks(monkeypatch, filmed):
    mesh, moved, clip, masks = filmed
    monkeypatch.setattr(choosing, "SHOWN_OVERLAP", 1.0)  # which masks without wings or fingers never reach
    own = dataclasses.replace(mesh, positions=moved[3])
    first = choosing.Reference("first-frame", 0, VIEW, 0.6)
    filming = choosing.Filming(clip.frames, masks.masks)
    _, found = choosing.find_reference(own, filming, first, AnimateOptions(view="20,5"), NO_SCOUT, silent)
    assert found.kind == "other-frame" and found.frame in (3, 7)


def bent(positions):
    """A pose that no frame shows: the body stands on end, its arm and head to the side."""
    out = positions.astype(np.float64).copy()
    ends = np.abs(out[:, 0]) > 0.05
    out[ends, 1] += 1.5 * (np.abs(out[ends, 0]) - 0.05)
    return (out - (out.min(axis=0) + out.max(axis=0)) / 2) / np.ptp(out, axis=0).max()


def test_a_pose_that_the_video_does_not_show_is_drawn_before_it(monkeypatch, filmed):
    _, moved, clip, _ = filmed
    own = bent(moved[0])
    result, scene, _ = animated(monkeypatch, filmed, own, pose="any")
    assert result.report["pose"] == {"asked": "any", "taken": "drawn"}
    assert len(scene.frames) == len(clip.frames) + 1
    drawn = scene.masks[0] > 0.5
    pixels, _ = scene.view.project(own, *drawn.shape)
    inside = np.round(pixels - 0.5).astype(int)
    assert drawn[inside[:, 1], inside[:, 0]].mean() > 0.8
    assert (scene.frames[0][drawn].std(axis=0) > 10).all()  # its spots
    assert not scene.frames[0][scene.masks[0] == 0].any()
    np.testing.assert_allclose(result.positions, moved, atol=MOST_STEADIED)
    (warning,) = [each for each in result.report["warnings"] if each["code"] == "other-pose"]
    assert "no frame of 'wave' shows" in warning["sentence"]
    assert "give the view" in warning["sentence"] and "in the pose of frame 100" in warning["sentence"]


def test_an_object_of_few_pixels_is_taken_as_the_first_frame_shows_it_unless_the_user_says_otherwise(
    monkeypatch, filmed
):
    mesh, moved, clip, masks = filmed
    number = itertools.count()
    monkeypatch.setattr(choosing, "posed_score", lambda *arguments: -next(number))  # the first frame is asked last
    own = dataclasses.replace(mesh, positions=bent(moved[0]).astype(np.float32))
    first = choosing.Reference("first-frame", 0, VIEW, 0.6)
    size = 40
    frames = np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in clip.frames])
    small = np.stack([cv2.resize(np.asarray(mask, np.float32), (size, size)) for mask in masks.masks])
    assert np.count_nonzero(small[0] > 0.5) < choosing.FEW_PIXELS < np.count_nonzero(masks.masks[0] > 0.5)
    filming = choosing.Filming(frames, small)
    for pose, taken in (("auto", "first-frame"), ("any", "drawn")):
        given = AnimateOptions(view="20,5", pose=pose)
        scout = choosing.Scout(lambda scene, progress: np.repeat(scene.mesh.positions[None], len(scene.frames), axis=0))
        _, found = choosing.find_reference(own, filming, first, given, scout, silent)
        assert found.kind == taken


class Quick(Truthful):
    """Asked from about the right side, it finds what makes the view show the truth; else that nothing moves."""

    glances = 0

    def look_once(self, scene, progress):
        self.glances += 1
        view, still = scene.view, scene.mesh.positions[None]
        times = np.linspace(0, len(self.moved) - 1, len(scene.frames) - 1).round().astype(int)
        if view.rotation[2] @ VIEW.rotation[2] < 0.8:
            return np.repeat(still, len(scene.frames), axis=0)
        seen = self.moved[times] @ VIEW.rotation.T + VIEW.translation
        return np.concatenate([still, (seen - view.translation) @ view.rotation]).astype(np.float32)


@pytest.mark.long
def test_a_quick_reconstructor_is_asked_from_all_around_and_the_view_is_kept_that_explains_the_frames(filmed):
    mesh, moved, clip, masks = filmed
    own = dataclasses.replace(mesh, positions=bent(moved[0]).astype(np.float32))
    quick = Quick(moved)
    wrong = choosing.Reference("first-frame", 0, look_at_origin(200.0, 5.0, 2.2, 1.39), 0.3)
    options = AnimateOptions(pose="any")
    filming = choosing.Filming(clip.frames, masks.masks)
    _, found = choosing.find_reference(own, filming, wrong, options, choosing.scout_of(quick), silent)
    assert found.kind == "drawn"
    assert found.view.rotation[2] @ VIEW.rotation[2] > 0.8
    assert quick.glances > pose_search.AROUND


def test_auto_takes_a_drawing_only_where_it_explains_the_frames_better(monkeypatch, filmed):
    _, moved, _, _ = filmed
    own = bent(moved[0])
    result, _, _ = animated(monkeypatch, filmed, own)
    assert result.report["pose"]["taken"] == "drawn"
    monkeypatch.setattr(choosing, "posed_score", lambda *arguments: 0.5)
    result, _, _ = animated(monkeypatch, filmed, own)
    assert result.report["pose"]["taken"] == "first-frame"
    assert [each["code"] for each in result.report["warnings"]] == ["low-overlap"]
