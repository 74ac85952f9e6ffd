"""Turns evidence per pixel into how much of each pixel the object covers, by colour, shape and the picture's edges.

It also finds where a picture shows its background through an object: inside of rings and wheels, between spokes.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

# Parts of the object and gaps in it that are smaller than this part of the whole object are specks and pinholes.
_SMALLEST_PART = 0.002
_SMALLEST_GAP = 0.0015
_SMALLEST_PIXELS = 12
_LEVELS = 6  # of each colour channel that are told apart
_AROUND = 0.5  # of the object's box: so far around it lies the background that is compared
_FEWEST = 400  # pixels of background, or of the object, that make a histogram
# A hole shares so much of its histogram with the background, at most so much with the object around it, and has at
# least this part of the object's area: smaller patches in the background's colours are often the object's own, as on
# the back of a ray in the sea, and cutting them out costs more than small holes that stay filled.
_LIKE_BACKGROUND, _LIKE_OBJECT, _SMALLEST = 0.6, 0.3, 0.12
_CLOSED = 0.9  # of a hole's surroundings that are the object's


def coverage_from_evidence(evidence: np.ndarray, side: int | None = None) -> np.ndarray:
    """evidence (H, W) float32: how different from the background, 1 where that begins to mean something -> (H, W)
    float32 in [0, 1], 0.5 at the object's outline. side: the shorter one of the whole picture, where this is a part.

    At the outline a pixel mixes both colours, and a codec's ringing and bled chroma surround it. So there, coverage is
    the evidence relative to the strongest nearby: the outline lies where it has fallen to half, however strong the
    contrast is. Away from the background, pale and dark parts beside strong ones are not to be lost: they count whole.
    """
    radius = max(1, round((side or min(evidence.shape)) / 256))
    strongest = cv2.dilate(evidence, disc(radius))
    coverage = np.clip(evidence / np.maximum(strongest, 2.0), 0.0, 1.0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((evidence <= 1.0).view(np.uint8), connectivity=4)
    object_area = float(stats[0, cv2.CC_STAT_AREA])
    background = stats[:, cv2.CC_STAT_AREA] >= max(_SMALLEST_PIXELS, _SMALLEST_GAP * object_area)
    background[0] = False
    if count == 1 or not background.any():
        return np.ones_like(coverage) if object_area else np.zeros_like(coverage)
    near_background = cv2.dilate(background[labels].view(np.uint8), disc(radius + 1)) > 0
    return without_specks(np.where(near_background, coverage, np.float32(1.0)))


def without_specks(coverage: np.ndarray) -> np.ndarray:
    """Drops what stands alone and is far smaller than the largest part. coverage (H, W) float32 -> the same."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((coverage > 0.5).view(np.uint8), connectivity=8)
    if count == 1:
        return np.zeros_like(coverage)
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= max(_SMALLEST_PIXELS / 2, _SMALLEST_PART * float(areas[1:].max()))
    kept[0] = False
    beside = cv2.dilate(kept[labels].view(np.uint8), np.ones((3, 3), np.uint8)) > 0  # the outline's soft pixels stay
    return np.where(beside, coverage, np.float32(0.0))


def disc(radius: int) -> np.ndarray:
    """A structuring element for OpenCV's morphology."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


# Codecs keep chroma at half the resolution and compress it harder, so it bleeds several pixels over an outline that is
# sharp in luma. It counts for a third of what it counts for in plain RGB distance: enough to see a red thing on green.
_LUMA, _CHROMA = 3.0, 1.0
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], np.float32)  # ITU-R BT.601
_WEIGHTED = _TO_YCC * np.sqrt([[_LUMA], [_CHROMA], [_CHROMA]]).astype(np.float32)


def colour_distance(difference: np.ndarray) -> np.ndarray:
    """difference (H, W, 3) float32: of two RGB pictures in 0..255 -> (H, W) float32; for greys the distance in RGB."""
    return np.sqrt(squared_length(cv2.transform(difference, _WEIGHTED)))


def squared_length(vectors: np.ndarray) -> np.ndarray:
    """vectors (H, W, 3) float32 -> (H, W) float32."""
    return product(vectors, vectors)


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two (H, W, 3) float32 -> (H, W) float32, the scalar product of their colours."""
    return cv2.transform(first * second, np.ones((1, 3), np.float32))


def largest(image: np.ndarray) -> np.ndarray:
    """image (..., 3) -> (...): the largest of the three; several times as fast as max(axis=-1)."""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])


_SMOOTHNESS = 1e-3  # the paper's epsilon, for colours in [0, 1]


def fit_to_colours(mask: np.ndarray, frame: np.ndarray, side: int | None = None) -> np.ndarray:
    """mask (H, W) float32 in [0, 1], frame (H, W, 3) uint8 -> the mask with its edges on those of the frame.

    side: the shorter one of the whole picture, where this is a part of it.

    Within each window, 1/30 of the picture wide, the mask becomes a linear function of the colour.
    """
    height, width = mask.shape
    side = side or min(height, width)
    step = 4 if side >= 480 else 2 if side >= 240 else 1
    size = (max(1, width // step), max(1, height // step))
    radius = max(2, round(side / 64 / step))
    guide = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    slope, offset = _coefficients(guide, small, radius)
    slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    fitted = cv2.transform(slope * frame, np.full((1, 3), 1 / 255.0, np.float32)) + offset
    return np.clip(fitted, 0.0, 1.0)


def _coefficients(guide: np.ndarray, mask: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """mask ~ slope . guide + offset in each window, averaged over the windows: (H, W, 3) and (H, W)."""

    def mean(image: np.ndarray) -> np.ndarray:
        return cv2.blur(image, (2 * radius + 1, 2 * radius + 1))

    centre, level = mean(guide), mean(mask)
    covariance = mean(guide * mask[..., None]) - centre * level[..., None]
    red, green, blue = (guide[..., k] for k in range(3))
    products = mean(np.stack([red * red, green * green, blue * blue, red * green], axis=2))
    others = mean(np.stack([red * blue, green * blue], axis=2))
    rr, gg, bb = (products[..., k] - centre[..., k] ** 2 + _SMOOTHNESS for k in range(3))
    rg = products[..., 3] - centre[..., 0] * centre[..., 1]
    rb = others[..., 0] - centre[..., 0] * centre[..., 2]
    gb = others[..., 1] - centre[..., 1] * centre[..., 2]
    # the inverse of the symmetric 3 x 3 matrix by its cofactors
    c00, c01, c02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    x, y, z = (covariance[..., k] for k in range(3))
    slope = np.stack([c00 * x + c01 * y + c02 * z, c01 * x + c11 * y + c12 * z, c02 * x + c12 * y + c22 * z], axis=2)
    slope /= np.maximum(determinant, 1e-12)[..., None]
    offset = level - np.einsum("hwc,hwc->hw", slope, centre)
    return mean(slope), mean(offset)


def enclosed_background(
    frames: np.ndarray, saliency: np.ndarray, background: np.ndarray, tick: Callable[[], None] = lambda: None
) -> np.ndarray:
    """(K, H, W) bool: the holes of the object through which its background is seen.

    frames (K, H, W, 3) uint8, saliency (K, H, W) float32: a first guess of the object, which may fill its holes;
    background (K, H, W) bool: what surely is none of it.
    """
    found = np.zeros(background.shape, bool)
    for index, (frame, guess, clear) in enumerate(zip(frames, saliency, background, strict=True)):
        tick()
        found[index] = _holes(frame, guess > 0.5, clear)
    return found


def _holes(frame: np.ndarray, solid: np.ndarray, clear: np.ndarray) -> np.ndarray:
    """One frame's."""
    holes = np.zeros(solid.shape, bool)
    x, y, width, height = cv2.boundingRect(solid.view(np.uint8))
    reach = round(_AROUND * max(width, height))
    area = (slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach))
    inside, outside = solid[area], clear[area]
    if inside.sum() < _FEWEST or outside.sum() < _FEWEST:
        return holes
    bins = _bins(frame[area])
    behind, own = _histogram(bins[outside]), _histogram(bins[inside])
    only_own = np.maximum(own - behind, 0)
    side = max(1, round(min(solid.shape) / 200))
    likely = cv2.blur((behind / (behind + only_own + 1e-6)).astype(np.float32)[bins], (2 * side + 1, 2 * side + 1))
    candidates = cv2.morphologyEx(((likely > 0.5) & inside).view(np.uint8), cv2.MORPH_OPEN, disc(side))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=4)
    rest = inside & (candidates == 0)
    for label in range(1, count):
        if stats[label, cv2.CC_STAT_AREA] < max(40, _SMALLEST * int(inside.sum())):
            continue
        part = labels == label
        if _is_hole(part, rest, bins, behind, side):
            holes[area] |= part
    return holes


def _is_hole(part: np.ndarray, rest: np.ndarray, bins: np.ndarray, behind: np.ndarray, side: int) -> bool:
    """Whether part (h, w) bool is closed in by the rest of the object, and like the background but not like that."""
    around = (cv2.dilate(part.view(np.uint8), disc(2 * side + 1)) > 0) & ~part
    if rest[around].mean() < _CLOSED:
        return False
    own = _histogram(bins[part])
    beside = (cv2.dilate(part.view(np.uint8), disc(8 * side)) > 0) & rest & ~around
    if beside.sum() < 40 or _shared(own, behind) < _LIKE_BACKGROUND:
        return False
    return _shared(own, _histogram(bins[beside])) <= _LIKE_OBJECT


def _bins(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> (h, w) int: which of _LEVELS**3 colours each pixel has."""
    levels = image.astype(np.int32) * _LEVELS >> 8
    return (levels[..., 0] * _LEVELS + levels[..., 1]) * _LEVELS + levels[..., 2]


def _histogram(bins: np.ndarray) -> np.ndarray:
    """(P,) int -> (_LEVELS**3,) float, its sum 1; neighbouring levels share, as noise would have it."""
    counts = np.bincount(bins, minlength=_LEVELS**3).reshape(_LEVELS, _LEVELS, _LEVELS).astype(float)
    for axis in range(3):
        ends = [(1, 1) if k == axis else (0, 0) for k in range(3)]
        wide = np.pad(counts, ends, mode="edge")
        before, after = np.take(wide, range(_LEVELS), axis), np.take(wide, range(2, _LEVELS + 2), axis)
        counts = 0.5 * counts + 0.25 * (before + after)
    return counts.ravel() / counts.sum()


def _shared(first: np.ndarray, second: np.ndarray) -> float:
    """The intersection of two histograms, 0 to 1."""
    return float(np.minimum(first, second).sum())
