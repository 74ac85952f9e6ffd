"""The camera's own motion, found from the background and taken off; clips whose camera stands still keep every bit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from foreground_clips import clip_over, creature, plain

from motion324.core.clip import VideoClip
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import silent
from motion324.core.view import look_at_origin
from motion324.pipeline.camera import filmed_by_a_still_camera
from motion324.video.camera_motion import find_camera_motion
from motion324.video.decoding import read_video

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"
SIZE = 256


def world(seed=0, width=1200, height=400):
    """(height, width, 3) float32: a wide picture with enough corners."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.uniform(60, 200, (height // 12, width // 12, 3)).astype(np.float32), (width, height))
    for _ in range(width // 20):
        x, y = rng.integers(0, width), rng.integers(0, height)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + 25), int(y + 20)), rng.uniform(0, 255, 3).tolist(), -1)
    return picture


def filmed(to_world, place=(128, 128), behind=None):
    """Frames through cameras (T, 3, 3), which map their pixels to the world's, of a creature that stands in the world,
    `place` (x, y) from its corner, or for each frame one -> clip, masks."""
    behind = world() if behind is None else behind
    frames, masks = [], []
    places = np.broadcast_to(np.asarray(place, float), (len(to_world), 2))
    for index, (matrix, (x, y)) in enumerate(zip(to_world, places, strict=True)):
        colour, coverage = creature(index)
        own = np.array([[0.5, 0, x - 64], [0, 0.5, y - 64], [0, 0, 1]])
        size = behind.shape[1::-1]
        colour, coverage = (cv2.warpAffine(image, own[:2], size) for image in (colour, coverage))
        shown = colour + behind * (1 - coverage[..., None])
        view = np.linalg.inv(matrix)
        frames.append(cv2.warpPerspective(shown, view, (SIZE, SIZE)).clip(0, 255).astype(np.uint8))
        masks.append(cv2.warpPerspective(coverage, view, (SIZE, SIZE)))
    numbers = 20 + np.arange(len(frames))
    return VideoClip(np.stack(frames), 12.0, numbers, name="clip.mp4"), np.stack(masks).astype(np.float32)


def panning(steps):
    return [np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]) for x, y in steps]


def middles(masks):
    ys, xs = np.mgrid[: masks.shape[1], : masks.shape[2]]
    total = masks.sum(axis=(1, 2))
    return np.stack([(masks * xs).sum(axis=(1, 2)) / total, (masks * ys).sum(axis=(1, 2)) / total], axis=1)


def error_of(motion, to_world):
    """How far, in pixels, the found maps are from the true ones over the picture."""
    points = np.array([[[x, y]] for x in (10.0, 128, 246) for y in (10.0, 128, 246)])
    errors = []
    for matrix, found in zip(to_world, motion.to_first, strict=True):
        true = np.linalg.inv(to_world[0]) @ matrix
        errors.append(cv2.perspectiveTransform(points, true) - cv2.perspectiveTransform(points, found))
    return np.abs(errors).max()


def test_a_panning_camera_over_a_standing_object_gives_a_standing_object():
    cameras = panning([(5 * k, k) for k in range(10)])
    clip, masks = filmed(cameras)
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(), silent)
    assert np.ptp(middles(masks)[:, 0]) > 40
    assert np.ptp(middles(film.masks)[:, 0]) < 6  # the creature itself sways by so much
    assert film.report["motion"] == "taken off"
    (warning,) = film.warnings
    assert warning["code"] == "camera-motion-removed"
    assert "frames 21-29" in warning["sentence"]
    assert "--camera still" in warning["sentence"]


def test_zooms_and_rolls_are_found_as_exactly_as_pans():
    cameras = []
    for k in range(10):
        scale, turn = 1.0 - 0.02 * k, np.radians(1.0 * k)
        spin = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        cameras.append(np.vstack([np.column_stack([spin, np.array([200, 100]) - spin @ (128, 128)]), [0, 0, 1]]))
    clip, masks = filmed(cameras, place=(200, 100))
    motion = find_camera_motion(clip, masks)
    assert motion.moves and motion.is_clear
    assert error_of(motion, cameras) < 1.0


def test_a_wide_lens_that_turns_is_found_as_a_homography():
    cameras = []
    focal = 150.0
    lens = np.array([[focal, 0, 128], [0, focal, 128], [0, 0, 1]])
    for k in range(8):
        angle = np.radians(2.5 * k)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        cameras.append(np.array([[1.0, 0, 100], [0, 1, 60], [0, 0, 1]]) @ lens @ turn @ np.linalg.inv(lens))
    clip, masks = filmed(cameras, place=(260, 190))
    motion = find_camera_motion(clip, masks)
    assert motion.is_clear
    assert error_of(motion, cameras) < 2.0


def test_a_still_camera_keeps_the_very_frames_and_masks():
    frames, truth = clip_over(world(1)[:SIZE, :SIZE], 8, quality=60)
    clip = VideoClip(frames, 12.0, np.arange(8))
    masks = truth.astype(np.float32)
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(), silent)
    assert film.frames is clip.frames
    assert film.masks is masks
    assert film.warnings == ()
    assert film.report["motion"] == "none"
    assert film.shown(silent) is clip
    view = look_at_origin(0, 0, 2, 1.4)
    assert film.view(view) is view


@pytest.mark.parametrize("how", ["flickers", "fades"])
def test_light_that_changes_is_no_camera_motion(how):
    frames, truth = clip_over(world(1)[:SIZE, :SIZE], 10, quality=90)
    share = {"flickers": 0.85 + 0.3 * np.random.default_rng(0).random(10), "fades": np.linspace(1, 0.4, 10)}[how]
    clip = VideoClip((frames * share[:, None, None, None]).clip(0, 255).astype(np.uint8), 12.0, np.arange(10))
    film = filmed_by_a_still_camera(clip, truth.astype(np.float32), AnimateOptions(), silent)
    assert (film.report["motion"], film.warnings) == ("none", ())


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (40, 170, 60)])
def test_a_plain_background_tells_nothing_and_nothing_is_said(colour):
    frames, truth = clip_over(plain(colour), 6)
    clip = VideoClip(frames, 12.0, np.arange(6))
    film = filmed_by_a_still_camera(clip, truth.astype(np.float32), AnimateOptions(), silent)
    assert film.frames is clip.frames
    assert film.warnings == ()
    assert film.report["motion"] == "not known"


def test_an_object_that_walks_before_a_still_camera_is_no_camera_motion():
    clip, masks = filmed(panning([(0, 0)] * 10), place=[(70 + 12 * k, 128) for k in range(10)])
    for known in (masks, np.zeros_like(masks)):  # also where the masks miss it
        film = filmed_by_a_still_camera(clip, known, AnimateOptions(), silent)
        assert film.frames is clip.frames
        assert film.report["motion"] == "none"


def test_a_camera_that_follows_a_walker_shows_him_walk():
    steps = [(24 * k, 0) for k in range(20)]
    clip, masks = filmed(panning(steps), place=[(128 + 24 * k, 128) for k in range(20)])
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(), silent)
    places = middles(film.masks)[:, 0] / film.picture.scale
    np.testing.assert_allclose(np.diff(places), 24, atol=6)  # it sways, too
    assert np.isclose(places[-1] - places[0], 19 * 24, atol=6)
    assert film.frames[0].size <= 1.05 * clip.frames[0].size
    # at least nine tenths of the walker are in the picture, up to the last frame
    areas = film.masks.sum(axis=(1, 2)) / film.picture.scale**2
    np.testing.assert_allclose(areas, masks.sum(axis=(1, 2)), rtol=0.1)


def moving_in_two_layers():
    """A background of which two thirds slide with the camera and one third does not."""
    near, far = world(2), world(3)
    frames = [np.vstack([near[:170, 4 * k : 4 * k + SIZE], far[170:SIZE, :SIZE]]).astype(np.uint8) for k in range(8)]
    return VideoClip(np.stack(frames), 12.0, np.arange(8)), np.zeros((8, SIZE, SIZE), np.float32)


def test_what_is_not_clear_is_told_and_taken_off_only_when_asked_for():
    clip, masks = moving_in_two_layers()
    masks[:, 60:120, 100:140] = 1
    clip.frames[:, 40:210, 30:130] = np.random.default_rng(0).integers(0, 255, (8, 170, 100, 3))  # leaves, water
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(), silent)
    assert film.report["motion"] == "left in"
    assert film.frames is clip.frames
    (warning,) = film.warnings
    assert warning["code"] == "camera-moves"
    assert "--camera moving" in warning["sentence"]
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(camera="moving"), silent)
    assert film.report["motion"] == "taken off"


def test_nothing_is_looked_at_where_the_camera_is_said_to_stand_still():
    clip, masks = filmed(panning([(5 * k, 0) for k in range(4)]))
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(camera="still"), silent)
    assert film.frames is clip.frames
    assert film.warnings == ()


def test_the_view_of_the_steady_picture_sees_the_same_places():
    clip, masks = filmed(panning([(9 * k, 0) for k in range(6)]))
    film = filmed_by_a_still_camera(clip, masks, AnimateOptions(), silent)
    view, point = look_at_origin(30, 10, 2.5, 1.3), np.array([[0.1, 0.2, -0.1], [-0.3, 0.0, 0.2]])
    pixels, _ = view.project(point, SIZE, SIZE)
    seen, _ = film.view(view).project(point, *film.frames.shape[1:3])
    moved = cv2.perspectiveTransform(pixels[:, None], film.picture.from_first())[:, 0]
    np.testing.assert_allclose(seen, moved, atol=0.6)
    shown = film.shown(silent).frames
    np.testing.assert_allclose(shown[0], clip.frames[0], atol=2)


def test_a_case_with_a_panning_camera():
    if not (CASES / "camera_pans_dog_stands.mp4").is_file():
        pytest.skip("shared/cases/camera_pans_dog_stands.mp4 is not here")
    clip = read_video(CASES / "camera_pans_dog_stands.mp4")
    motion = find_camera_motion(clip, np.zeros(clip.frames.shape[:3], np.float32))
    assert motion.is_clear
    way = motion.to_first[-1][:2, 2]
    assert abs(way[0]) > 300  # of 1024 pixels, which is more than the dog's length
