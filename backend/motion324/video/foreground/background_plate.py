"""Finds the picture behind a moving object, from the frames in which each of its pixels is seen.

Medians over a few frames come from a sorting network, written here: numpy sorts short columns one by one, whereas each
comparison of the network is done for all columns at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks
from motion324.core.processes.side_by_side import side_by_side
from motion324.video.foreground.coverage import (
    colour_distance,
    disc,
    enclosed_background,
    largest,
    product,
    squared_length,
)


def sort_over_time(values: np.ndarray) -> np.ndarray:
    """values (K, ...) -> sorted along the first axis, in place; also returned.

    For a few dozen frames of a picture several times as fast as np.sort, which goes through one pixel at a time.
    """
    spare = np.empty_like(values[0])
    for first, second in _comparisons(len(values)):
        low, high = values[first], values[second]
        np.minimum(low, high, out=spare)
        np.maximum(low, high, out=high)
        low[...] = spare
    return values


@functools.cache
def _comparisons(count: int) -> tuple[tuple[int, int], ...]:
    """Pairs (i, j), i < j, that put `count` values into order where each pair is in turn: Batcher's merge exchange
    (Knuth, The Art of Computer Programming 3, section 5.2.2, algorithm M)."""
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (count - 1).bit_length() - 1)
    step = top
    while step:
        merged, remainder, distance = top, 0, step
        while True:
            pairs += [(i, i + distance) for i in range(count - distance) if i & step == remainder]
            if merged == step:
                break
            distance, merged, remainder = merged - step, merged // 2, step
        step //= 2
    return tuple(pairs)


_FRAMES_LOOKED_AT = 32
_ROWS_AT_ONCE = 24
_TOLERANCE = (
    12.0  # colour distance (0..255) that codecs and soft edges cause even in a rendered, perfectly still picture
)
_MOVES_ON = 8  # pixels of a picture whose shorter side has 512: an object that moves so far has moved as a whole
_PATTERN = 12.0  # how far (0..255) colours differ that are more than one
_NEVER = 0.02  # mean saliency of a colour that nothing but the background has
# Of the pixels that are background in all frames, if they are this part of the picture, all but the last few per cent
# change by no more than a percentile; elsewhere the background changes by so many times that at most.
_SEEN_SHARE, _NEARLY_ALL, _CHANGES = 0.1, 98, 1.5
_USELESS_TOLERANCE = 45.0  # beyond this, a colour distance says nothing any more


@dataclass(frozen=True)
class BackgroundPlate:
    """colour (H, W, 3) float32 in 0..255: the background, filled in smoothly where it was never seen.

    seen (H, W) bool. tolerance (H, W) float32: how far a background pixel's colour may lie from `colour`.
    trust (H, W) float32 in [0, 1]: how much that comparison is worth; low where the background moves, or is textured
    and was never seen. A moving camera lowers it everywhere but on plain surfaces.
    """

    colour: np.ndarray
    seen: np.ndarray
    tolerance: np.ndarray
    trust: np.ndarray

    def within(self, area: tuple[slice, slice]) -> BackgroundPlate:
        """The part of it in these rows and columns."""
        return BackgroundPlate(self.colour[area], self.seen[area], self.tolerance[area], self.trust[area])


def estimate_plate(frames: np.ndarray, saliency: Masks, tick: Callable[[], None] = lambda: None) -> BackgroundPlate:
    """frames (T, H, W, 3) uint8, saliency (T, H, W) in [0, 1]: a first guess of where the object is.
    tick: called several times a second; what it raises passes.

    A pixel shows the background where saliency is low all around it, or through a hole of the object. Things that stand
    out but never change, and that nothing moving separates from the picture's border, are background as well, and so is
    a pattern that stands still inside of an object that moves past it, as between the spokes of a wheel. A colour that
    mostly is salient where it appears is not.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, _FRAMES_LOOKED_AT).round().astype(int))
    scale = min(frames.shape[1:3]) / 512
    frames, guesses = frames[chosen], saliency[chosen]
    background = np.empty(guesses.shape, bool)
    for index, guess in enumerate(guesses):
        tick()
        background[index] = clear_of_object(guess, scale)
    exposure = _exposure(frames, background)
    tick()
    median, spread, usual, noise = _over_time(frames, exposure, tick)
    limit = 6.0 + 3.0 * noise
    still = _still_surroundings(spread <= limit, guesses, scale)
    background |= still
    tick()
    inner = _still_pattern(median, usual, guesses, scale) & ~still
    for index in range(len(frames) if inner.any() else 0):
        background[index] |= inner & (largest(np.abs(frames[index] - (median + exposure[index]))) <= limit)
    tick()
    holes = enclosed_background(frames, guesses, background, tick)
    background |= holes
    colour, seen, change = _seen_background(frames, exposure, background, median, tick)
    # What is seen through the object stands still, or it is the object's after all.
    through = (holes.sum(axis=0) >= 2) & (change <= limit)
    salient = _saliency_of_matches(frames, exposure, guesses, colour, limit, tick)
    seen &= still | inner | through | (salient < 0.5)
    most = _most_change(change, background)
    return _completed(colour, seen, np.where(salient < _NEVER, np.minimum(change, most), change), scale)


def clear_of_object(saliency: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: where saliency is low all around; scale: the picture's shorter side over 512."""
    return cv2.dilate((saliency >= 0.1).view(np.uint8), disc(max(1, round(6 * scale)))) == 0


def exposure_offset(difference: np.ndarray) -> np.ndarray:
    """difference (P, 3) of background pixels between two frames -> (3,) how much brighter the first one is."""
    if len(difference) < 500:
        return np.zeros(3, np.float32)
    return np.median(difference[:: max(1, len(difference) // 20000)], axis=0).astype(np.float32)


def distance_beyond_shadow(colour: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """(H, W): the colour distance that is left where a pixel is the background made darker; infinite elsewhere."""
    along = product(colour, behind) / (squared_length(behind) + 1)
    rest = colour_distance(colour - along[..., None] * behind)
    return np.where((along > 0.5) & (along < 1.0), 1.5 * rest, np.float32(np.inf))


def _exposure(frames: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(K, 3) int16: each frame's brightness relative to the first one, over what is background in all frames."""
    common = np.flatnonzero(background.all(axis=0))
    common = common[:: max(1, len(common) // 20000)]
    colours = frames.reshape(len(frames), -1, 3)[:, common].astype(np.float32)
    return np.stack([exposure_offset(colour - colours[0]) for colour in colours]).round().astype(np.int16)


def _by_strips(height: int, work: Callable[[slice], None], tick: Callable[[], None]) -> None:
    """work(rows) for all rows of a picture, on all cores."""
    count = -(-height // _ROWS_AT_ONCE)

    def strip(index: int) -> None:
        work(slice(index * _ROWS_AT_ONCE, min((index + 1) * _ROWS_AT_ONCE, height)))

    side_by_side(count, strip, lambda done: tick())


def _pixels(frames: np.ndarray, exposure: np.ndarray, rows: slice) -> np.ndarray:
    """(K, rows, W, 3) int16: as bright as the first one."""
    return frames[:, rows].astype(np.int16) - exposure[:, None, None, :]


def _over_time(
    frames: np.ndarray, exposure: np.ndarray, tick: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The temporal median (H, W, 3), how far 5 % of the frames leave it (H, W), how far half of them lie apart (H, W),
    and the typical noise."""
    height, count = frames.shape[1], len(frames)
    median = np.empty(frames.shape[1:], np.float32)
    spread, usual = np.empty(frames.shape[1:3], np.float32), np.empty(frames.shape[1:3], np.float32)

    def look_at(rows: slice) -> None:
        ordered = sort_over_time(_pixels(frames, exposure, rows))
        middle = ordered[count // 2]
        median[rows] = middle
        low, high = ordered[round(0.05 * (count - 1))], ordered[round(0.95 * (count - 1))]
        spread[rows] = largest(np.maximum(high - middle, middle - low))
        usual[rows] = largest(ordered[(3 * count) // 4] - ordered[count // 4])

    _by_strips(height, look_at, tick)
    return median, spread, usual, float(np.median(usual)) / 2


def _still_surroundings(quiet: np.ndarray, saliency: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: what never changes, is joined to the border by such pixels, and is not salient all the time."""
    solid = cv2.erode(quiet.view(np.uint8), disc(max(1, round(2 * scale))))
    _, labels = cv2.connectedComponents(solid, connectivity=4)
    border = np.zeros(labels.max() + 1, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        border[side] = True
    border[0] = False
    sometimes_not = (saliency < 0.5).sum(axis=0) > 2 * len(saliency) // 5
    return border[labels] & sometimes_not


def _still_pattern(median: np.ndarray, usual: np.ndarray, saliency: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: where a pattern stands still in most frames though what is salient there moves on as a whole.

    What has one colour along the way of that tells nothing: it may move, too. median, usual: as `_over_time` has them.
    """
    way = _way(saliency > 0.5)
    if np.linalg.norm(way) < _MOVES_ON * scale:
        return np.zeros(usual.shape, bool)
    # What moves and yet has one colour here in most frames has that colour along half of the way, so that a quarter of
    # it farther it is the same on one side at least.
    sides = []
    for turn in (-0.25, 0.25):
        step = np.hstack([np.eye(2), turn * way[:, None]])
        moved = cv2.warpAffine(median, step, usual.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        sides.append(largest(np.abs(moved - median)))
    stands = (np.minimum(*sides) > _PATTERN + 2 * usual) & ((saliency > 0.5).mean(axis=0) > 0.5)
    return cv2.morphologyEx(stands.view(np.uint8), cv2.MORPH_OPEN, disc(max(1, round(scale)))) > 0


def _way(solid: np.ndarray) -> np.ndarray:
    """(2,) x, y: how far, in pixels, the object of solid (K, H, W) bool moves on at most: so far both of its sides are
    then from where they were. 0 where they move apart, or by less than a twentieth of its size."""
    boxes = np.array([cv2.boundingRect(each.view(np.uint8)) for each in solid if each.any()], float)
    way = np.zeros(2)
    for axis in (0, 1) if len(boxes) else ():
        low, size = boxes[:, axis], boxes[:, axis + 2]
        starts, ends = low - low[0], low + size - low[0] - size[0]
        both = np.where(starts * ends > 0, np.sign(starts) * np.minimum(np.abs(starts), np.abs(ends)), 0)
        farthest = both[np.abs(both).argmax()]
        way[axis] = farthest if abs(farthest) > np.median(size) / 20 else 0.0
    return way


def _seen_background(
    frames: np.ndarray,
    exposure: np.ndarray,
    background: np.ndarray,
    fallback: np.ndarray,
    tick: Callable[[], None],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The median over the frames in which a pixel is background (H, W, 3), whether there are two (H, W), and how much
    the background itself changes there (H, W)."""
    colour, change = fallback.copy(), np.zeros(frames.shape[1:3], np.float32)
    counts = background.sum(axis=0)

    def look_at(rows: slice) -> None:
        values = _pixels(frames, exposure, rows)
        values[~background[:, rows]] = 32767
        ordered = sort_over_time(values)  # what is hidden comes last
        last = np.maximum(counts[rows] - 1, 0)[..., None]

        def at(share: float, ordered: np.ndarray = ordered, last: np.ndarray = last) -> np.ndarray:
            return np.take_along_axis(ordered, np.round(share * last).astype(np.intp)[None], axis=0)[0]

        shown = counts[rows] > 0
        colour[rows] = np.where(shown[..., None], at(0.5), colour[rows])
        change[rows] = np.where(shown, largest(at(0.9) - at(0.1)) / 2, 0)

    _by_strips(frames.shape[1], look_at, tick)
    return colour, counts >= 2, change


def _most_change(change: np.ndarray, background: np.ndarray) -> float:
    """How much the background changes at the most, by what is seen of it in all frames; infinite where that is little.

    Where it seems to change by more, the network has missed a part of the object in some frames. change (H, W),
    background (K, H, W) bool.
    """
    always = background.all(axis=0)
    if always.mean() < _SEEN_SHARE:
        return float("inf")
    return _CHANGES * float(np.percentile(change[always], _NEARLY_ALL))


def _saliency_of_matches(
    frames: np.ndarray,
    exposure: np.ndarray,
    saliency: np.ndarray,
    colour: np.ndarray,
    limit: float,
    tick: Callable[[], None],
) -> np.ndarray:
    """(H, W): mean saliency over the frames in which a pixel has the plate's colour."""
    mean = np.empty(colour.shape[:2], np.float32)

    def look_at(rows: slice) -> None:
        total, weight = np.zeros_like(mean[rows]), np.full_like(mean[rows], 1e-6)
        for frame, offset, guess in zip(frames, exposure, saliency, strict=True):
            matches = largest(np.abs(frame[rows] - (colour[rows] + offset))) <= limit
            total += guess[rows] * matches
            weight += matches
        mean[rows] = total / weight

    _by_strips(len(mean), look_at, tick)
    return mean


def _completed(colour: np.ndarray, seen: np.ndarray, change: np.ndarray, scale: float) -> BackgroundPlate:
    """Fills in what was never seen, and tells what the result is worth."""
    filled = _filled(colour, seen)
    window = (max(3, round(15 * scale)) | 1,) * 2
    texture = largest(np.abs(filled - cv2.blur(filled, window)))
    weight = seen.astype(np.float32)
    texture = cv2.blur(texture * weight, window) / np.maximum(cv2.blur(weight, window), 1e-3)
    around = _filled(np.dstack([texture, change, change]), seen)
    texture, change = around[..., 0], cv2.blur(around[..., 1], (5, 5))
    tolerance = _TOLERANCE + 2.5 * change + np.where(seen, 0.0, 2.0 * texture)
    away = cv2.distanceTransform((~seen).view(np.uint8), cv2.DIST_L2, 3) / scale
    trust = np.clip((_USELESS_TOLERANCE + 15 - tolerance) / 30, 0, 1) * np.exp(-away * (texture + 1) / 120)
    return BackgroundPlate(filled, seen, tolerance.astype(np.float32), trust.astype(np.float32))


def _filled(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills unknown pixels of image (H, W, 3) smoothly from the known ones, through ever coarser copies."""
    return _pull_push(image.astype(np.float32), known.astype(np.float32))


def _pull_push(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    height, width = weight.shape
    if weight.all():
        return image
    if max(height, width) <= 2:
        mean = (image * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
        return np.where(weight[..., None] > 0, image, mean.astype(np.float32))
    half = ((width + 1) // 2, (height + 1) // 2)
    share = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(image * weight[..., None], half, interpolation=cv2.INTER_AREA)
    coarse = coarse / np.maximum(share, 1e-6)[..., None]
    below = cv2.resize(_pull_push(coarse, (share > 0).astype(np.float32)), (width, height))
    return np.where(weight[..., None] > 0, image, below)
