"""Tells which of the things that a network found is the object: what hangs together in space and time, and lasts.

Objects so small in the picture that a network, which sees all of it at 320 pixels, takes something else are found, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks, room_for_masks, room_for_pictures
from motion324.core.progress import Progress
from motion324.video.foreground.coverage import disc

# Of the largest thing's area, summed over all frames: another one of so much is an object of its own, ...
OTHER_OBJECT = 0.2
# ... and one of so much may be a loose part of the object, if it stays beside it (closer than this part of the
# object's size) in half of the frames. All else comes and goes: it is flicker.
_LOOSE_PART, _BESIDE, _LASTING = 0.01, 0.1, 0.5
_WORKING_SIDE = 256

Boxes = dict[tuple[int, int], tuple[int, int, int, int]]
SMALL = 1 / 7  # of the picture's longer side: an object no larger than this is looked at again, from near
_NEAR_SIDE = 320  # pixels of the part of the picture that is looked at then, along its longer side
_SURROUNDINGS = 0.8  # of the object's size on each side
_FRAMES_LOOKED_AT = 32
_MOVES, _NOISE = 24.0, 6.0  # how far (0..255) a pixel changes that shows something moving; and times the usual change
_FEWEST = 12  # pixels
_SHARE, _FOUND = 0.8, 0.2  # of all that moves, in the one place; of it, what a first guess has to have found

Box = tuple[slice, slice]


@dataclass(frozen=True)
class CleanedMasks:
    """masks (T, H, W): the object alone. others: how many further objects were found, and left out."""

    masks: Masks
    others: int


def largest_object(masks: Masks, progress: Progress) -> CleanedMasks:
    """masks (T, H, W) in [0, 1] -> without other objects, flicker, and holes that last for one frame, in place.

    Parts of neighbouring frames that overlap are one thing, so that a hand which touches the body in any frame is the
    body's. Frames in which the object is missing do not divide it where it comes back at the same place.
    """
    tracks, areas, boxes, frames_seen = _tracks(masks, progress)
    if len(areas) <= 2:  # the background, and at most one thing
        return CleanedMasks(_without_brief_holes(masks), 0)
    order = np.argsort(areas[1:])[::-1] + 1
    largest = int(order[0])
    kept = np.zeros(len(areas), bool)
    kept[[0, largest]] = True
    others = 0
    for track in order[1:]:
        if areas[track] >= OTHER_OBJECT * areas[largest]:
            others += 1
        elif areas[track] >= _LOOSE_PART * areas[largest] and frames_seen[track] >= _LASTING * frames_seen[largest]:
            kept[track] = _stays_beside(boxes, int(track), largest)
    for index, mask in enumerate(masks):
        progress("foreground", len(masks), len(masks))
        labels = tracks[index][_things(mask)[1]]
        masks[index] = np.where(_dropped(labels, kept, mask.shape), np.float32(0), mask)
    return CleanedMasks(_without_brief_holes(masks), others)


def count_objects(masks: Masks, progress: Progress) -> int:
    """How many things of masks (T, H, W) are objects of their own by their size."""
    areas = _tracks(masks, progress)[1]
    return 0 if len(areas) < 2 else int((areas[1:] >= OTHER_OBJECT * areas[1:].max()).sum())


def _tracks(masks: Masks, progress: Progress) -> tuple[list[np.ndarray], np.ndarray, Boxes, np.ndarray]:
    """Of each frame the track of each thing that `_things` labels, 0 the background; areas (K,); boxes
    {(track, frame): (x0, y0, x1, y1)}; in how many frames each track is seen (K,)."""
    found_in: list[np.ndarray] = []
    parents = [0]
    sizes: list[float] = [0.0]
    shapes: list[tuple[int, tuple[int, int, int, int]]] = [(0, (0, 0, 0, 0))]
    before: np.ndarray | None = None
    for index, mask in enumerate(masks):
        progress("foreground", len(masks), len(masks))
        count, found, stats = _things(mask)
        own = np.arange(count, dtype=np.int32) + np.int32(len(parents) - 1)
        own[0] = 0
        for x, y, w, h, area in stats[1:]:
            parents.append(len(parents))
            sizes.append(float(area))
            shapes.append((index, (x, y, x + w, y + h)))
        found_in.append(own)
        labels = own[found]
        before = np.zeros_like(labels) if before is None else before
        near = cv2.dilate(before.astype(np.float32), disc(2)).astype(np.int32)
        for pair in (before, near):
            both = (labels > 0) & (pair > 0)
            met = np.unique(labels[both].astype(np.int64) * len(parents) + pair[both])
            for a, b in zip(*np.divmod(met, len(parents)), strict=True):
                parents[_root(parents, int(a))] = _root(parents, int(b))
        if count > 1:
            before = labels
    roots = np.array([_root(parents, k) for k in range(len(parents))])
    names, tracks = np.unique(roots, return_inverse=True)
    areas = np.bincount(tracks, np.array(sizes), len(names))
    boxes: Boxes = {}
    for track, (frame, (x0, y0, x1, y1)) in list(zip(tracks, shapes, strict=True))[1:]:
        held = boxes.get((int(track), frame), (x0, y0, x1, y1))
        boxes[int(track), frame] = (min(held[0], x0), min(held[1], y0), max(held[2], x1), max(held[3], y1))
    seen = np.bincount([track for track, _ in boxes], minlength=len(names))
    return [tracks[own] for own in found_in], areas, boxes, seen


def _things(mask: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """mask (H, W) -> how many labels, labels (h, w) int32 at reduced size, 0 the background, and OpenCV's statistics of
    each."""
    height, width = mask.shape
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    solid = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0.5
    return cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=8)[:3]


def _root(parents: list[int], item: int) -> int:
    while parents[item] != item:
        parents[item] = parents[parents[item]]
        item = parents[item]
    return item


def _stays_beside(boxes: Boxes, track: int, largest: int) -> bool:
    """Whether a track's box is, in most frames, next to that of the largest one."""
    near = []
    for (name, frame), (x0, y0, x1, y1) in boxes.items():
        if name == track and (other := boxes.get((largest, frame))):
            gap = max(other[0] - x1, x0 - other[2], other[1] - y1, y0 - other[3], 0)
            near.append(gap <= _BESIDE * max(other[2] - other[0], other[3] - other[1]))
    return bool(near) and float(np.mean(near)) > 0.5


def _dropped(labels: np.ndarray, kept: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: what belongs to tracks that are not kept, their soft edges included."""
    gone = ~kept[labels]
    if not gone.any():
        return np.zeros(shape, bool)
    stays = (labels > 0) & kept[labels]
    reach = cv2.dilate(gone.view(np.uint8), disc(2)) & ~cv2.dilate(stays.view(np.uint8), disc(1)) & 1
    reach |= gone.view(np.uint8)
    return cv2.resize(reach, shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _without_brief_holes(masks: Masks) -> Masks:
    """Fills, in place, what is a hole of the mask in one frame only, and inside of the object in the frames around."""
    before, mask = np.array(masks[0]), np.array(masks[min(1, len(masks) - 1)])  # as they were
    for index in range(1, len(masks) - 1):
        after = np.array(masks[index + 1])
        around, here = np.minimum(before, after), mask
        before, mask = mask, after
        missing = (around > 0.5) & (here < 0.5)
        if not missing.any():
            continue
        count, labels = cv2.connectedComponents((here <= 0.5).view(np.uint8), connectivity=4)
        edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        holes = np.ones(count, bool)
        holes[0] = False
        holes[edge] = False
        inside = missing & holes[labels]
        masks[index] = np.where(inside, around, here)
    return masks


def small_object_area(frames: np.ndarray, masks: Masks, tick: Callable[[], None] = lambda: None) -> Box | None:
    """The rows and columns around a small object, where it is to be looked at from near; None where there is none.

    frames (T, H, W, 3) uint8, masks (T, H, W): a first guess. What moves, alone before a picture that stands
    still, is the object, whatever else the guess has found; else the guess is right, and only coarse.
    """
    moving = _only_moving_place(frames, tick)
    solid = masks[_spread(len(masks))] > 0.5
    guessed = solid.any(axis=0)
    if moving is not None and (solid & moving).sum() < _FOUND * moving.sum() * len(solid):
        return _around(moving)
    return _around(guessed) if guessed.any() else None


def same_area(area: Box, size: tuple[int, int], other: tuple[int, int]) -> Box:
    """The area of a picture of size (height, width) in the same picture of the other size."""
    rows, columns = (
        slice(part.start * new // old, -(-part.stop * new // old))
        for part, old, new in zip(area, size, other, strict=True)
    )
    return rows, columns


def from_near(
    frames: np.ndarray, area: Box, find: Callable[[np.ndarray], Masks], tick: Callable[[], None] = lambda: None
) -> Masks:
    """The masks (T, H, W) that `find` gives of that part of the frames (T, H, W, 3), enlarged."""
    height, width = (part.stop - part.start for part in area)
    scale = max(1.0, _NEAR_SIDE / max(height, width))
    size = (round(width * scale), round(height * scale))
    parts = room_for_pictures((len(frames), size[1], size[0], 3))
    for index, frame in enumerate(frames):
        tick()
        parts[index] = cv2.resize(frame[area], size, interpolation=cv2.INTER_CUBIC)
    masks = room_for_masks(frames.shape[:3])
    for index, near in enumerate(find(parts)):
        masks[(index, *area)] = cv2.resize(near, (width, height), interpolation=cv2.INTER_AREA)
    return masks


def _only_moving_place(frames: np.ndarray, tick: Callable[[], None]) -> np.ndarray | None:
    """(H, W) bool: where something changes, if that is one small place of a picture that stands still."""
    low = high = None
    for index in _spread(len(frames)):
        tick()
        smooth = cv2.blur(frames[index], (3, 3))
        low = smooth if low is None else np.minimum(low, smooth)
        high = smooth if high is None else np.maximum(high, smooth)
    assert low is not None and high is not None
    change = (high - low).max(axis=2).astype(np.float32)
    moving = change > max(_MOVES, _NOISE * float(np.median(change)))
    joined = cv2.dilate(moving.view(np.uint8), disc(max(2, max(change.shape) // 64)))
    count, labels = cv2.connectedComponents(joined)
    if count == 1:
        return None
    sizes = np.bincount(labels[moving], minlength=count)
    largest = int(sizes[1:].argmax()) + 1
    if sizes[largest] < max(_FEWEST, _SHARE * sizes.sum()):
        return None
    return moving & (labels == largest) if _around(labels == largest) is not None else None


def _around(shown: np.ndarray) -> Box | None:
    """shown (H, W) bool -> the rows and columns around it; None where it is not small."""
    x, y, width, height = cv2.boundingRect(shown.view(np.uint8))
    size = max(width, height)
    if size > SMALL * max(shown.shape):
        return None
    reach = round(_SURROUNDINGS * size) + 4
    rows = slice(max(0, y - reach), min(shown.shape[0], y + height + reach))
    return rows, slice(max(0, x - reach), min(shown.shape[1], x + width + reach))


def _spread(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, _FRAMES_LOOKED_AT).round().astype(int))
