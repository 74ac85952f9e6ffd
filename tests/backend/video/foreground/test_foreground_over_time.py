"""The largest lasting object stays, flicker and brief holes go, doubtful masks are named, one crop holds all frames."""

from __future__ import annotations

import numpy as np
import pytest
from foreground_clips import clip_over, plain

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_NO_FOREGROUND, EXIT_USAGE, Motion324Error
from motion324.core.progress import silent
from motion324.from_video.pictures import Crop, cropped, object_crop
from motion324.video.foreground import find_masks
from motion324.video.foreground.masks import jumping_frames
from motion324.video.foreground.object_tracks import largest_object
from motion324.video.foreground.provider import provider_named


def walking_square(count: int = 8) -> np.ndarray:
    masks = np.zeros((count, 120, 160), np.float32)
    for index in range(count):
        masks[index, 40:80, 30 + 4 * index : 70 + 4 * index] = 1
    return masks


def test_flicker_goes_and_a_lasting_part_beside_the_object_stays():
    truth = walking_square()
    masks = truth.copy()
    masks[3, 5:15, 140:155] = 1  # seen once
    for index in range(len(masks)):
        masks[index, 45:55, 73 + 4 * index : 80 + 4 * index] = 1  # goes along
    cleaned = largest_object(masks, silent)
    assert cleaned.others == 0
    assert not cleaned.masks[3, :30].any()
    assert (cleaned.masks[:, 45:55].sum(axis=(1, 2)) == 10 * 47).all()


def test_of_two_objects_the_larger_one_is_kept_and_the_other_counted():
    masks = walking_square()
    masks[:, 90:115, 100:140] = 1
    cleaned = largest_object(masks, silent)
    assert cleaned.others == 1
    np.testing.assert_array_equal(cleaned.masks, walking_square())


def test_a_part_that_touches_the_object_once_belongs_to_it():
    masks = walking_square()
    masks[:4, 85:95, 40:70] = 1
    masks[4, 78:95, 40:70] = 1
    assert (largest_object(masks, silent).masks == masks).all()


def test_a_hole_of_one_frame_is_filled_and_a_lasting_one_is_not():
    masks = walking_square()
    masks[:, 50:55, 60:63] = 0
    masks[4, 60:70, 55:65] = 0
    cleaned = largest_object(masks, silent).masks
    assert (cleaned[4, 60:70, 55:65] == 1).all()
    assert (cleaned[:, 50:55, 60:63] == 0).all()


def test_sudden_changes_of_size_or_place_are_named():
    masks = walking_square()
    assert not len(jumping_frames(masks))
    masks[5] = 0
    masks[5, 40:80, 30:130] = 1
    assert 5 in jumping_frames(masks)
    masks = walking_square()
    masks[6:] = np.roll(masks[6:], 60, axis=2)
    assert jumping_frames(masks).tolist() == [6]


def test_several_objects_are_warned_of():
    frames, _ = clip_over(plain((255, 255, 255)), count=4)
    frames[:, 20:70, 10:60] = (10, 20, 30)
    found = find_masks(VideoClip(frames, 12.0, np.arange(4), name="two.mp4"), "plain")
    assert [warning["code"] for warning in found.warnings] == ["several-objects"]
    assert "two.mp4" in found.warnings[0]["sentence"] and "2 objects" in found.warnings[0]["sentence"]


def test_one_square_holds_the_object_in_all_frames():
    masks = walking_square()
    crop = object_crop(masks, margin=0.5)
    assert crop == Crop(left=64 - 51, top=60 - 51, side=102)
    pieces = np.stack([cropped(mask, crop, 102) for mask in masks])
    assert (pieces.sum(axis=(1, 2)) == 1600).all()
    beyond = cropped(np.zeros((20, 30, 3), np.uint8), Crop(-5, -10, 40), 40, outside=255)
    assert (beyond[:10] == 255).all() and (beyond[10:30, 5:35] == 0).all() and (beyond[30:] == 255).all()
    with pytest.raises(Motion324Error) as caught:
        object_crop(np.zeros((2, 8, 8), np.float32))
    assert caught.value.exit_code == EXIT_NO_FOREGROUND


def test_models_of_rembg_are_known_by_name_and_none_is_fetched_unasked(tmp_path, monkeypatch):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    clip = VideoClip(np.zeros((2, 8, 8, 3), np.uint8), 12.0, np.arange(2))
    with pytest.raises(Motion324Error, match="not on this machine") as caught:
        provider_named("rembg:isnet-general-use").masks(clip, silent)
    assert caught.value.code == "model-missing" and "weights download rembg:isnet-general-use" in caught.value.hint
    with pytest.raises(Motion324Error, match="no such model") as caught:
        provider_named("rembg:sam").masks(clip, silent)
    assert caught.value.exit_code == EXIT_USAGE
    assert not list(tmp_path.iterdir())
