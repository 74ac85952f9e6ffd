"""Backgrounds of one colour are found at the border, and cut away to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from foreground_clips import clip_over, overlap, plain, scenery

from motion324.core.progress import silent
from motion324.video.foreground.coverage import coverage_from_evidence
from motion324.video.foreground.given_or_plain import (
    _median,
    clear_outline_share,
    find_plain_background,
    plain_masks,
    shadow_share,
)


@pytest.mark.parametrize(
    ("colour", "quality", "least"),
    [
        ((255, 255, 255), 95, 0.985),
        ((255, 255, 255), 60, 0.965),
        ((0, 0, 0), 95, 0.985),
        ((0, 0, 0), 60, 0.95),
        ((0, 200, 20), 95, 0.96),  # chroma has half the resolution: these pictures are small
        ((0, 200, 20), 60, 0.9),
        ((90, 110, 130), 95, 0.96),
        ((90, 110, 130), 60, 0.88),
    ],
)
def test_any_one_colour_is_cut_away(colour, quality, least):
    frames, truth = clip_over(plain(colour), quality=quality)
    background = find_plain_background(frames)
    assert background is not None
    np.testing.assert_allclose(background.colour, colour, atol=3)
    masks = plain_masks(frames, background, silent)
    assert masks.dtype == np.float32 and masks.min() >= 0 and masks.max() <= 1
    assert overlap(masks, truth).min() > least
    assert clear_outline_share(frames, background, masks) > 0.95


def test_an_object_that_reaches_over_the_border_is_no_background():
    frames, _ = clip_over(plain((255, 255, 255)))
    frames[:, 60:180, :40] = (20, 40, 90)
    background = find_plain_background(frames)
    assert background is not None and background.colour.min() > 250


def test_scenery_and_noise_are_not_plain():
    assert find_plain_background(clip_over(scenery())[0]) is None
    ramp = np.broadcast_to(np.linspace(80, 200, 256, dtype=np.float32)[None, :, None], (256, 256, 3))
    assert find_plain_background(clip_over(ramp)[0]) is None


def test_background_seen_through_the_object_stays_background_and_pale_parts_stay_object():
    frames, truth = clip_over(plain((255, 255, 255)))
    frames[:, 125:150, 118:140] = 255  # a hole
    truth = truth.copy()
    truth[:, 125:150, 118:140] = False
    frames[:, 74:86, 120:134] = (255, 246, 222)  # teeth: pale, but not the background's white
    masks = plain_masks(frames, find_plain_background(frames), silent)
    assert overlap(masks, truth).min() > 0.975
    assert (masks[:, 129:146, 122:136] < 0.1).all()
    assert (masks[:, 76:84, 122:132] > 0.9).all()


def test_specks_and_pinholes_are_removed():
    frames, truth = clip_over(plain((255, 255, 255)), count=2)
    frames[:, 20:22, 20:22] = 0
    frames[:, 140:142, 128:130] = 255
    masks = plain_masks(frames, find_plain_background(frames), silent)
    assert (masks[:, 15:27, 15:27] == 0).all()
    assert (masks[:, 138:144, 126:132] > 0.9).all()
    assert overlap(masks, truth).min() > 0.975


def test_half_covered_pixels_are_the_outline_whatever_the_contrast():
    ramp = np.clip((np.arange(64, dtype=np.float32) - 30) / 4, 0, 1)  # covered from 30 to 34, half at 32
    for contrast in (3.0, 20.0):
        coverage = coverage_from_evidence(np.broadcast_to(contrast * ramp, (64, 64)).copy())
        edge = int(np.argmax(coverage[32] > 0.5))
        assert abs(edge - 32.5) <= 1


def test_evidence_everywhere_or_nowhere():
    assert (coverage_from_evidence(np.full((32, 32), 5, np.float32)) == 1).all()
    assert (coverage_from_evidence(np.zeros((32, 32), np.float32)) == 0).all()


def test_shadows_and_glows_are_told_from_objects():
    def darkened(shadow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return clip_over(plain((255, 255, 255)) * (1 - 0.35 * shadow[..., None]))

    spot = np.zeros((256, 256), np.float32)
    cv2.ellipse(spot, (128, 222), (70, 12), 0, 0, 360, 1.0, -1)
    for shadow, sharp in ((cv2.GaussianBlur(spot, (0, 0), 6), False), (spot, True)):
        frames, _ = darkened(shadow)
        background = find_plain_background(frames)
        masks = plain_masks(frames, background, silent)
        if not sharp:
            assert clear_outline_share(frames, background, masks) < 0.9
        assert shadow_share(frames, background, masks) > 0.05
    frames, _ = clip_over(plain((255, 255, 255)))
    background = find_plain_background(frames)
    assert shadow_share(frames, background, plain_masks(frames, background, silent)) < 0.02


@pytest.mark.parametrize("count", [1, 2, 9, 10, 1000])
def test_colours_counted_have_the_median_that_sorted_ones_have(count):
    colours = np.random.default_rng(count).integers(0, 256, (count, 3), dtype=np.uint8)
    assert np.array_equal(_median(colours), np.median(colours.astype(np.float32), axis=0))
