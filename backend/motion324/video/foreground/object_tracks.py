"""Tells which of the things that a network found is the object: what hangs together in space and time, and lasts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.progress import Progress
from motion324.video.foreground.coverage import disc

# Of the largest thing's area, summed over all frames: another one of so much is an object of its own, ...
OTHER_OBJECT = 0.2
# ... and one of so much may be a loose part of the object, if it stays beside it (closer than this part of the
# object's size) in half of the frames. All else comes and goes: it is flicker.
_LOOSE_PART, _BESIDE, _LASTING = 0.01, 0.1, 0.5
_WORKING_SIDE = 256

Boxes = dict[tuple[int, int], tuple[int, int, int, int]]


@dataclass(frozen=True)
class CleanedMasks:
    """masks (T, H, W) float32: the object alone. others: how many further objects were found, and left out."""

    masks: np.ndarray
    others: int


def largest_object(masks: np.ndarray, progress: Progress) -> CleanedMasks:
    """masks (T, H, W) float32 in [0, 1] -> without other objects, flicker, and holes that last for one frame.

    Parts of neighbouring frames that overlap are one thing, so that a hand which touches the body in any frame is the
    body's. Frames in which the object is missing do not divide it where it comes back at the same place.
    """
    labels, areas, boxes, frames_seen = _tracks(masks, progress)
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
    cleaned = np.empty_like(masks)
    for index, mask in enumerate(masks):
        progress("foreground", len(masks), len(masks))
        cleaned[index] = np.where(_dropped(labels[index], kept, mask.shape), np.float32(0), mask)
    return CleanedMasks(_without_brief_holes(cleaned), others)


def count_objects(masks: np.ndarray, progress: Progress) -> int:
    """How many things of masks (T, H, W) are objects of their own by their size."""
    areas = _tracks(masks, progress)[1]
    return 0 if len(areas) < 2 else int((areas[1:] >= OTHER_OBJECT * areas[1:].max()).sum())


def _tracks(masks: np.ndarray, progress: Progress) -> tuple[np.ndarray, np.ndarray, Boxes, np.ndarray]:
    """labels (T, h, w) int32 at reduced size, 0 the background; areas (K,); boxes {(track, frame): (x0, y0, x1, y1)};
    in how many frames each track is seen (K,)."""
    height, width = masks.shape[1:]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    labels = np.zeros((len(masks), size[1], size[0]), np.int32)
    parents = [0]
    sizes: list[float] = [0.0]
    shapes: list[tuple[int, tuple[int, int, int, int]]] = [(0, (0, 0, 0, 0))]
    before = np.zeros((size[1], size[0]), np.int32)
    for index, mask in enumerate(masks):
        progress("foreground", len(masks), len(masks))
        solid = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0.5
        count, found, stats, _ = cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=8)
        own = np.arange(count) + len(parents) - 1
        own[0] = 0
        for x, y, w, h, area in stats[1:]:
            parents.append(len(parents))
            sizes.append(float(area))
            shapes.append((index, (x, y, x + w, y + h)))
        labels[index] = own[found]
        near = cv2.dilate(before.astype(np.float32), disc(2)).astype(np.int32)
        for pair in (before, near):
            both = (labels[index] > 0) & (pair > 0)
            met = np.unique(labels[index][both].astype(np.int64) * len(parents) + pair[both])
            for a, b in zip(*np.divmod(met, len(parents)), strict=True):
                parents[_root(parents, int(a))] = _root(parents, int(b))
        if count > 1:
            before = np.where(labels[index] > 0, labels[index], 0)
    roots = np.array([_root(parents, k) for k in range(len(parents))])
    names, tracks = np.unique(roots, return_inverse=True)
    areas = np.bincount(tracks, np.array(sizes), len(names))
    boxes: Boxes = {}
    for track, (frame, (x0, y0, x1, y1)) in list(zip(tracks, shapes, strict=True))[1:]:
        held = boxes.get((int(track), frame), (x0, y0, x1, y1))
        boxes[int(track), frame] = (min(held[0], x0), min(held[1], y0), max(held[2], x1), max(held[3], y1))
    seen = np.bincount([track for track, _ in boxes], minlength=len(names))
    return tracks.astype(np.int32)[labels], areas, boxes, seen


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


def _without_brief_holes(masks: np.ndarray) -> np.ndarray:
    """Fills what is a hole of the mask in one frame only, and inside of the object in the frames around it."""
    filled = masks.copy()
    for index in range(1, len(masks) - 1):
        around = np.minimum(masks[index - 1], masks[index + 1])
        missing = (around > 0.5) & (masks[index] < 0.5)
        if not missing.any():
            continue
        count, labels = cv2.connectedComponents((masks[index] <= 0.5).view(np.uint8), connectivity=4)
        edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        holes = np.ones(count, bool)
        holes[0] = False
        holes[edge] = False
        inside = missing & holes[labels]
        filled[index] = np.where(inside, around, filled[index])
    return filled
