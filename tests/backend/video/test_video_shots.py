"""What a clip shows from frame to frame: where it begins, fades in, and is cut."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from foreground_clips import clip_over, creature, plain, scenery

from motion324.core.clip import VideoClip
from motion324.video.decoding import read_video
from motion324.video.foreground import ForegroundMasks
from motion324.video.foreground.masks import from_first_object
from motion324.video.shots import from_first_picture, shot_warnings

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


def a_case(name):
    if not (CASES / name).is_file():
        pytest.skip(f"shared/cases/{name} is not here")
    return read_video(CASES / name)


def a_clip(frames, first=0, step=1):
    return VideoClip(frames, 12.0, first + step * np.arange(len(frames)), name="clip.mp4")


def codes_of(warnings):
    return [warning["code"] for warning in warnings]


@pytest.fixture(scope="module")
def waving():
    return clip_over(plain((240, 240, 240)), 12)[0]


def test_a_clip_without_oddities_is_left_alone(waving):
    clip = a_clip(waving)
    assert from_first_picture(clip) is clip
    assert shot_warnings(clip) == ()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (30, 80, 200)])
def test_frames_of_one_colour_at_the_start_are_left_out_and_named(waving, colour):
    frames = waving.copy()
    frames[:3] = colour
    clip = from_first_picture(a_clip(frames, first=10, step=2))
    assert clip.frame_numbers.tolist() == list(range(16, 34, 2))
    np.testing.assert_array_equal(clip.frames, frames[3:])
    assert codes_of(clip.warnings) == ["first-frame-without-object"]
    assert "--frames 16:" in clip.warnings[0]["sentence"]


def test_a_clip_of_nothing_but_one_colour_is_left_as_it_is():
    clip = a_clip(np.zeros((5, 40, 40, 3), np.uint8))
    assert from_first_picture(clip) is clip


def test_a_frame_of_one_colour_whose_alpha_shows_something_counts(waving):
    alpha = np.zeros(waving.shape[:3], np.uint8)
    alpha[:, 50:90, 60:120] = 255
    clip = dataclasses.replace(a_clip(np.zeros_like(waving)), alpha=alpha)
    assert from_first_picture(clip) is clip
    alpha[0] = 0
    assert from_first_picture(clip).frame_numbers[0] == 1
    np.testing.assert_array_equal(from_first_picture(clip).alpha, alpha[1:])


def test_blank_frames_in_between_are_told(waving):
    frames = waving.copy()
    frames[7:9] = 0
    (warning,) = shot_warnings(a_clip(frames))
    assert warning["code"] == "frames-blank"
    assert "Frames 7-8" in warning["sentence"]
    assert "--frames :7" in warning["sentence"]


@pytest.mark.parametrize("towards", [0, 255])
def test_a_clip_that_fades_in_is_told_with_the_first_whole_frame(towards):
    frames = clip_over(scenery(), 12)[0].astype(np.float32)
    for index, share in enumerate((0.2, 0.4, 0.6, 0.8, 0.9)):
        frames[index] = share * frames[index] + (1 - share) * towards
    (warning,) = shot_warnings(a_clip(frames.astype(np.uint8)))
    assert warning["code"] == "fades-in"
    assert "--frames 5:" in warning["sentence"]


@pytest.mark.parametrize("black_at_the_end", [0, 2])
def test_a_clip_that_fades_out_is_told_with_the_frames_before(black_at_the_end):
    frames = clip_over(scenery(), 14)[0].astype(np.float32)
    for index, share in enumerate((0.9, 0.8, 0.6, 0.4, 0.2)):
        frames[len(frames) - black_at_the_end - 5 + index] *= share
    frames[len(frames) - black_at_the_end :] = 0
    *_, warning = shot_warnings(a_clip(frames.astype(np.uint8), first=10))
    assert warning["code"] == "fades-out"
    assert f"--frames :{19 - black_at_the_end} to leave them out" in warning["sentence"]


@pytest.mark.parametrize("length", [3, 5, 11])
def test_a_shot_that_dissolves_into_another_is_told_with_its_frames(length):
    before, after = (clip_over(scenery(seed), 20)[0].astype(np.float32) for seed in (0, 1))
    share = np.clip((np.arange(20) - 5) / length, 0, 1)[:, None, None, None]
    after = np.roll(after, 40, axis=2)
    (warning,) = shot_warnings(a_clip((before * (1 - share) + after * share).astype(np.uint8), first=100))
    assert warning["code"] == "dissolve"
    first, last = (int(each) for each in re.findall(r"--frames :(\d+) or --frames (\d+):", warning["sentence"])[0])
    assert abs(first - 106) <= 2 and abs(last - (105 + length)) <= 2


def test_an_object_that_comes_into_the_picture_is_no_fade():
    frames = np.full((10, 128, 128, 3), 250, np.uint8)
    for index, frame in enumerate(frames):
        cv2.circle(frame, (-10 + 9 * index, 64), 30, (40, 90, 60), -1)
    assert shot_warnings(a_clip(frames)) == ()


def test_a_cut_is_told_by_its_frame_also_where_colours_stay_the_same(waving):
    frames = waving.copy()
    frames[7:] = frames[7:, :, ::-1]
    frames[7:] = np.roll(frames[7:], 60, axis=2)
    (warning,) = shot_warnings(a_clip(frames, first=100))
    assert warning["code"] == "cut"
    assert "frame 107" in warning["sentence"]
    assert "--frames :107 or --frames 107:" in warning["sentence"]


def test_a_fast_object_and_a_panning_camera_are_no_cuts():
    wide = cv2.resize(scenery(3), (700, 256))
    frames = []
    for index in range(12):
        colour, coverage = creature(2 * index)
        behind = wide[:, 30 * index : 30 * index + 256]
        frames.append((colour + behind * (1 - coverage[..., None])).clip(0, 255).astype(np.uint8))
    assert shot_warnings(a_clip(np.stack(frames))) == ()


def test_frames_whose_mask_shows_no_object_are_left_out_at_the_start(waving):
    masks = np.zeros(waving.shape[:3], np.float32)
    masks[2:, 60:200, 80:160] = 1
    masks[0] = 1  # the whole picture is no object either
    warnings = ({"code": "mask-empty", "sentence": "old"}, {"code": "several-objects", "sentence": "two"})
    clip, found = from_first_object(a_clip(waving), ForegroundMasks(masks, "rembg", warnings))
    assert clip.frame_numbers[0] == 2
    assert len(clip.frames) == len(found.masks) == 10
    assert codes_of(found.warnings) == ["several-objects"]
    assert "Frames 0-1" in clip.warnings[0]["sentence"]


def test_masks_that_show_the_object_from_the_first_frame_on_stay_untouched(waving):
    masks = np.zeros(waving.shape[:3], np.float32)
    masks[:, 60:200, 80:160] = 1
    masks[4] = 0
    clip, found = a_clip(waving), ForegroundMasks(masks, "plain")
    assert from_first_object(clip, found) == (clip, found)


def test_the_dog_behind_a_black_frame_is_taken_from_the_next_one_on():
    clip = from_first_picture(a_case("first_frame_black.mp4"))
    assert clip.frame_numbers.tolist() == list(range(1, 16))
    assert "--frames 1:" in clip.warnings[0]["sentence"]


def test_the_cut_to_a_mirrored_dog_is_told_at_its_frame():
    (warning,) = shot_warnings(a_case("hard_cut.mp4"))
    assert warning["code"] == "cut"
    assert "frame 8 " in warning["sentence"]
