"""Masks an object in front of any background: what is salient, made exact by colours and by what stands still."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks, room_for_masks, room_for_pictures
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import Progress
from motion324.video.foreground.background_plate import (
    BackgroundPlate,
    clear_of_object,
    distance_beyond_shadow,
    estimate_plate,
    exposure_offset,
)
from motion324.video.foreground.coverage import (
    colour_distance,
    coverage_from_evidence,
    disc,
    fit_to_colours,
    squared_length,
)
from motion324.video.foreground.masks import tells_nothing
from motion324.video.foreground.object_tracks import from_near, same_area, small_object_area
from motion324.video.foreground.saliency import salient_masks

_WORKING_SIDE = 720  # larger frames are masked at this size: the network itself sees 320 pixels
_SMOOTHING_SIDE = 256
_SMOOTHING_FRAMES = 4
_SMOOTHING_COLOUR = 18.0
# What is below _NOTHING in the first guess is never the object's unless it lies within _REACH of what is not, in pixels
# of a picture whose shorter side has 512.
_NOTHING, _REACH = 0.05, 60
# Pixels, likewise: where nothing nearer differs clearly from the background, what is salient needs to differ by less to
# be the object's, and by still less where it is farther from what is surely salient than that is blurred.
_FAINT_REACH, _BLUR_REACH, _APART = 4, 12, 3
# Masks of which the first guess lacks this part, on average, are a better guess for another pass; at most so many.
_LACKED, _PASSES = 0.02, 3
_SOME = 4  # of so many rows and columns one is enough to compare brightness by


def object_masks(frames: np.ndarray, progress: Progress) -> Masks:
    """frames (T, H, W, 3) uint8 -> (T, H, W) in [0, 1].

    U2-Net-P says in each frame what stands out. Frames near in time agree on pixels of the same colour; a guided filter
    fits the guess to the frame's edges; and where the camera stands still, the background behind the object is
    reconstructed from all frames, and a pixel's distance from it decides. A small object is looked at from near.
    """
    height, width = frames.shape[1:3]
    count = len(frames)

    def tick() -> None:
        progress("foreground", round(done * count * 3 / 4), count)

    done = 0  # or 1: the network, which takes most of the time: three quarters of the progress
    worked = frames if max(height, width) <= _WORKING_SIDE else _small_pictures(frames, _WORKING_SIDE, tick)
    masks = salient_masks(worked, lambda stage, done, total: progress(stage, round(done * 3 / 4), total))

    done = 1

    def find_near(parts: np.ndarray) -> Masks:
        return _refined_masks(parts, salient_masks(parts, lambda *_: tick()), lambda *_: tick())

    area = small_object_area(worked, masks, tick)
    if area is not None:
        area = same_area(area, worked.shape[1:3], (height, width))
        near = from_near(frames, area, find_near, tick)
        if not tells_nothing(near):
            return near
    masks = _refined_masks(worked, masks, progress)
    if worked is frames:
        return masks
    large = room_for_masks((count, height, width))
    for index, mask in enumerate(masks):
        progress("foreground", count, count)
        large[index] = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return large


def _refined_masks(frames: np.ndarray, masks: Masks, progress: Progress) -> Masks:
    """The network's masks (T, H, W), made exact by colours and by what stands still, in place; also returned.

    Where that shows them to lack much in many frames, so did what was taken for the background: what has been found is
    then a better guess, together with the network's own, for the next pass.
    """
    height, width = frames.shape[1:3]
    count = len(frames)

    def tick() -> None:
        progress("foreground", round(count * 3 / 4), count)

    guess = _small_masks(masks, _SMOOTHING_SIDE, tick)
    _make_exact(frames, masks, progress)
    for _ in range(_PASSES - 1):
        if _added(guess, _small_masks(masks, _SMOOTHING_SIDE, tick)) <= _LACKED:
            break
        for index, small in enumerate(guess):
            tick()
            masks[index] = np.maximum(masks[index], cv2.resize(small, (width, height)))
        _make_exact(frames, masks, progress)
    return masks


def _added(guess: Masks, found: Masks) -> float:
    """How much of masks found (T, h, w) the guess lacks: the mean part."""
    parts = []
    for before, after in zip(guess, found, strict=True):
        solid = after > 0.5
        parts.append((solid & (before <= 0.5)).sum() / max(int(solid.sum()), 1))
    return float(np.mean(parts))


def _make_exact(frames: np.ndarray, masks: Masks, progress: Progress) -> None:
    """One pass over the masks (T, H, W), in place."""
    height, width = frames.shape[1:3]
    count = len(frames)

    def tick() -> None:
        progress("foreground", round(count * 3 / 4), count)

    plate = estimate_plate(frames, masks, tick)
    small_frames = _small_pictures(frames, _SMOOTHING_SIDE, tick)
    small_masks = _small_masks(masks, _SMOOTHING_SIDE, tick)

    def refine(index: int) -> None:
        change = _agreed(small_frames, small_masks, index) - small_masks[index]
        guess = np.clip(masks[index] + cv2.resize(change, (width, height)), 0, 1)
        masks[index] = _refined(frames[index], guess, plate)

    side_by_side(count, refine, lambda done: progress("foreground", round((3 * count + done) / 4), count))


def _refined(frame: np.ndarray, guess: np.ndarray, plate: BackgroundPlate) -> np.ndarray:
    """guess (H, W) float32 -> the mask, its edges on those of the frame; far from the guess nothing is looked at."""
    side = min(guess.shape)
    mask = np.zeros_like(guess)
    area = _surroundings(guess > _NOTHING, round(_REACH * side / 512))
    if area is None:
        return mask
    fitted = fit_to_colours(guess[area], frame[area], side)
    colour = frame[area].astype(np.float32)
    part = plate.within(area)
    behind = part.colour + _brighter(frame, guess, plate)
    mask[area] = coverage_from_evidence(_evidence(colour, fitted, behind, part, side / 512), side)
    return mask


def _surroundings(solid: np.ndarray, reach: int) -> tuple[slice, slice] | None:
    """The rows and columns around solid (H, W) bool, `reach` pixels more on each side; None where it is empty."""
    left, top, width, height = cv2.boundingRect(solid.view(np.uint8))
    if not width:
        return None
    rows = slice(max(0, top - reach), min(solid.shape[0], top + height + reach))
    return rows, slice(max(0, left - reach), min(solid.shape[1], left + width + reach))


def _brighter(frame: np.ndarray, guess: np.ndarray, plate: BackgroundPlate) -> np.ndarray:
    """(3,) how much brighter the frame's background is than the plate's; some of the pixels tell."""
    some = (slice(None, None, _SOME), slice(None, None, _SOME))
    background = clear_of_object(guess, min(guess.shape) / 512)[some] & plate.seen[some]
    return exposure_offset((frame[some].astype(np.float32) - plate.colour[some])[background])


def _small_pictures(frames: np.ndarray, side: int, tick: Callable[[], None]) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, h, w, 3), the longer side at most `side`."""
    width, height = _at_most(frames.shape[2], frames.shape[1], side)
    small = room_for_pictures((len(frames), height, width, 3))
    for index, frame in enumerate(frames):
        tick()
        small[index] = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _small_masks(masks: Masks, side: int, tick: Callable[[], None]) -> Masks:
    """masks (T, H, W) -> (T, h, w), the longer side at most `side`."""
    width, height = _at_most(masks.shape[2], masks.shape[1], side)
    small = room_for_masks((len(masks), height, width))
    for index, mask in enumerate(masks):
        tick()
        small[index] = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return small


def _at_most(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _agreed(frames: np.ndarray, masks: Masks, index: int) -> np.ndarray:
    """The mean mask (h, w) of the frames around `index`, each pixel weighed by how alike its colours are."""
    here = frames[index].astype(np.float32)
    total, weight = np.array(masks[index]), np.ones(masks.shape[1:], np.float32)
    for other in range(max(0, index - _SMOOTHING_FRAMES), min(len(frames), index + _SMOOTHING_FRAMES + 1)):
        if other != index:
            squared = squared_length(frames[other].astype(np.float32) - here)
            alike = np.exp(squared * np.float32(-0.5 / _SMOOTHING_COLOUR**2))
            total += alike * masks[other]
            weight += alike
    return total / weight


def _evidence(
    colour: np.ndarray, saliency: np.ndarray, behind: np.ndarray, plate: BackgroundPlate, scale: float
) -> np.ndarray:
    """(H, W) float32: 1 and more where the pixel is probably the object's (see coverage_from_evidence).

    colour, behind (H, W, 3) float32: of the frame, and of the background as bright as there. scale: the whole picture's
    shorter side over 512.
    """
    distance = colour_distance(colour - behind)
    distance = np.where(saliency < 0.3, np.minimum(distance, distance_beyond_shadow(colour, behind)), distance)
    different = distance / plate.tolerance
    # Where the background moves, likeness to it means nothing, but a large difference still supports a fair guess.
    supported = 2 * saliency + np.maximum(different - 1, 0) * np.clip((saliency - 0.2) / 0.3, 0, 1)
    evidence = plate.trust * different * _certainty(different, saliency, scale) + (1 - plate.trust) * supported
    around = _dilated(saliency > 0.15, 8 * scale) | _strongly_joined(evidence, saliency, scale)
    deep = ~_dilated(saliency <= 0.9, 8 * scale) & ~(plate.seen & (distance < 0.6 * plate.tolerance))
    evidence = np.where(around, evidence, 0.0)
    return np.where(deep, np.maximum(evidence, 2.0), evidence).astype(np.float32)


def _certainty(different: np.ndarray, saliency: np.ndarray, scale: float) -> np.ndarray:
    """(H, W): what a pixel's saliency makes of its difference from the background, times it: 1 beside strong ones."""
    strongest = cv2.dilate(different, disc(max(1, round(_FAINT_REACH * scale))))
    apart = ~_dilated(saliency > 0.5, _BLUR_REACH * scale)
    salient = np.where(apart, _APART * np.sqrt(saliency), saliency)
    return np.asarray(1 + salient * np.clip(2 - strongest, 0, 1))


def _strongly_joined(evidence: np.ndarray, saliency: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: what the network missed: clearly not background, joined to what it found, and not far from it."""
    candidates = (evidence > 2.5) | ((evidence > 1) & (saliency > 0.15))
    count, labels = cv2.connectedComponents(candidates.view(np.uint8), connectivity=4)
    found = np.zeros(count, bool)
    found[labels[(saliency > 0.5) & (evidence > 1)]] = True
    found[0] = False
    joined = found[labels] & _dilated(saliency > 0.3, 40 * scale)
    return _dilated(joined, 2 * scale)


def _dilated(area: np.ndarray, radius: float) -> np.ndarray:
    """area (H, W) bool, grown by `radius` pixels; by large ones within a pixel, at half the size."""
    if radius <= 6:
        return cv2.dilate(area.view(np.uint8), disc(max(1, round(radius)))) > 0
    height, width = area.shape
    half = (max(1, width // 2), max(1, height // 2))
    small = cv2.resize(area.view(np.uint8) * np.uint8(255), half, interpolation=cv2.INTER_AREA) > 0
    near = cv2.distanceTransform((~small).view(np.uint8), cv2.DIST_L2, 3) <= radius / 2
    return cv2.resize(near.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
