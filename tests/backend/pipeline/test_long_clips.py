"""A long clip, whose pictures lie in files and whose masks are bytes, is treated as a short one is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fake_reconstructor import FakeReconstructor, fake_find_view
from foreground_clips import clip_over, scenery

from motion324.core.clip import VideoClip
from motion324.core.files import frame_storage
from motion324.core.files.frame_storage import ByteMasks
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.view import look_at_origin
from motion324.pipeline import animate as pipeline
from motion324.pipeline import trust
from motion324.pipeline.camera import steady_images, steady_masks
from motion324.reconstructors.deformation_fit.fit_problem import working_images
from motion324.reconstructors.node_model.scene_inputs import square_around, square_frames
from motion324.reconstructors.scene_frames import object_frames
from motion324.trajectories.result_files import KeepOptions
from motion324.video.decoding import read_video
from motion324.video.foreground import find_masks
from motion324.video.foreground.object_tracks import largest_object


@pytest.fixture
def in_files(monkeypatch):
    def limited():
        monkeypatch.setattr(frame_storage, "HELD_IN_MEMORY", 0)
        monkeypatch.setattr("motion324.video.foreground.given_or_plain.HELD_IN_MEMORY", 0)

    return limited


def test_its_masks_before_scenery_are_those_of_a_short_one(in_files):
    frames, truth = clip_over(scenery(size=128), count=5)
    clip = VideoClip(frames, 24.0, np.arange(5), name="clip")
    short = find_masks(clip)
    in_files()
    long = find_masks(clip)
    assert isinstance(long.masks, ByteMasks) and isinstance(short.masks, np.ndarray)
    assert (long.method, long.warnings) == (short.method, short.warnings)
    assert np.mean([np.abs(a - b).mean() for a, b in zip(long.masks, short.masks, strict=True)]) < 0.002
    assert ((np.stack(list(long.masks)) > 0.5) == truth).mean() > 0.97


def test_a_whole_job_gives_what_a_short_clips_job_gives(in_files, monkeypatch, box, sliding_square, tmp_path):
    reconstructor = FakeReconstructor()
    monkeypatch.setattr(pipeline, "get_reconstructor", lambda options, progress: reconstructor)
    monkeypatch.setattr(pipeline, "find_view", fake_find_view(0.9))
    monkeypatch.setattr(trust, "trust_warnings", lambda *_: ())

    def job(name):
        keep = KeepOptions(tmp_path / name, cutouts=True)
        return pipeline.animate(box, sliding_square, AnimateOptions(), keep=keep)

    short = job("short")
    in_files()
    long = job("long")
    was, now = reconstructor.scenes
    assert isinstance(now.masks, ByteMasks)
    np.testing.assert_allclose(now.masks[list(range(12))], was.masks, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(long.positions, short.positions)
    assert long.report["fit"] == short.report["fit"] and long.report["warnings"] == short.report["warnings"]
    assert sorted(path.name for path in (tmp_path / "long").iterdir()) == sorted(
        path.name for path in (tmp_path / "short").iterdir()
    )


def test_its_frames_are_read_into_a_file_with_their_alpha(in_files, tmp_path):
    shown = np.random.default_rng(0).integers(0, 256, (6, 40, 50, 4)).astype(np.uint8)
    for index, picture in enumerate(shown):
        cv2.imwrite(str(tmp_path / f"{index}.png"), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA))
    short = read_video(tmp_path)
    in_files()
    long = read_video(tmp_path)
    np.testing.assert_array_equal(long.frames, short.frames)
    np.testing.assert_array_equal(long.alpha, shown[..., 3])
    assert len(frame_storage._mapped) >= 2


def test_what_models_and_fit_see_of_it_is_what_they_see_of_a_short_one():
    frames, truth = clip_over(scenery(size=96), count=4)
    masks, view = truth.astype(np.float32), look_at_origin(20.0, 10.0, 2.2, 1.4)
    levels = ByteMasks.of(masks)
    before, after = (working_images(frames, each, view, 64) for each in (masks, levels))
    for name in ("greys", "masks", "first_colours"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    square = square_around(levels)
    assert square == square_around(masks)
    some = [3, 1]
    np.testing.assert_allclose(
        square_frames(frames[some], levels[some], square, 64), square_frames(frames[some], masks[some], square, 64)
    )
    np.testing.assert_array_equal(*(object_frames(frames, each, lambda *_: None) for each in (masks, levels)))


def test_its_frames_and_masks_are_steadied_alike(in_files):
    frames, truth = clip_over(scenery(size=96), count=3)
    masks, turned = truth.astype(np.float32), np.repeat(np.eye(3)[None], 3, axis=0)
    turned[1:, 0, 2] = 0.1
    pictures, shown = steady_images(frames, turned), steady_masks(masks, turned)
    in_files()
    np.testing.assert_array_equal(steady_images(frames, turned), pictures)
    long = steady_masks(ByteMasks.of(masks), turned)
    assert isinstance(long, ByteMasks)
    np.testing.assert_allclose(long[[0, 1, 2]], shown, atol=0.5 / 255 + 1e-6)


def test_holes_of_one_frame_are_filled_from_those_around_as_they_were(in_files):
    whole = np.zeros((5, 40, 40), np.float32)
    whole[:, 8:32, 8:32] = 1
    holed = whole.copy()
    holed[1, 12:16, 12:16] = 0  # in one frame only: filled
    holed[3, 20:24, 20:24] = 0
    expected = largest_object(holed.copy(), lambda *_: None)
    found = largest_object(ByteMasks.of(holed), lambda *_: None)
    np.testing.assert_array_equal(expected.masks, whole)
    np.testing.assert_array_equal(found.masks[[0, 1, 2, 3, 4]], whole)
    two = holed.copy()
    two[2, 12:16, 12:16] = 0  # in two frames one after the other: it is one of the object's own
    np.testing.assert_array_equal(largest_object(two.copy(), lambda *_: None).masks[1:3], two[1:3])
