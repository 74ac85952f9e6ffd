"""Prepares frames as the models want them, the object alone on black, filling a square, and decides which of them they
see together.

Of a video longer than a window, overlapping windows are seen, whose results are joined to one motion.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.errors import EXIT_NO_FOREGROUND, Motion324Error
from motion324.core.files.frame_storage import Masks, room_for_pictures
from motion324.core.progress import Progress

SIDE = 512  # pixels; the model was trained on frames that had been brought to this size first
# Part of the transformer's windows that each shares with the next one at the least, where results are blended.
OVERLAP = 1 / 8


def object_frames(frames: np.ndarray, masks: Masks, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8, masks (T, H, W) in [0, 1] -> (T, SIDE, SIDE, 3) uint8.

    All frames are cut along the same square: around the box that holds the object in the whole video, which is centred
    in it. What lies beyond the image is black.
    Raises Motion324Error("no-foreground") where the masks are empty.
    """
    top, left, side = square_of(masks)
    cut = room_for_pictures((len(frames), SIDE, SIDE, 3))
    shrink = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    for index, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        progress("reconstruct", 0, len(frames))
        square = np.zeros((side, side, 3), np.uint8)
        rows = slice(max(top, 0), min(top + side, frame.shape[0]))
        columns = slice(max(left, 0), min(left + side, frame.shape[1]))
        visible = np.rint(frame[rows, columns] * np.clip(mask[rows, columns, None], 0.0, 1.0)).astype(np.uint8)
        square[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = visible
        cut[index] = cv2.resize(square, (SIDE, SIDE), interpolation=shrink)
    return cut


def square_of(masks: Masks) -> tuple[int, int, int]:
    """(top, left, side) in pixels of the square around the object over all frames; it may reach beyond the image."""
    seen = np.zeros(masks.shape[1:], bool)
    for mask in masks:
        seen |= mask > 0.5
    if not seen.any():
        raise Motion324Error(
            "no-foreground", "The masks show no object in any frame.", "Give masks, with --mask.", EXIT_NO_FOREGROUND
        )
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    side = int(max(height, width))
    return int(rows[0] - (side - height) // 2), int(columns[0] - (side - width) // 2), side


@dataclass(frozen=True)
class Window:
    """frames (W,) int: of the video, the reference frame 0 first, then consecutive ones.
    weights (W,) float32: the share of this window's result in each frame's; 0 where it is not used.
    Over all windows, the weights of every frame of the video sum to 1.
    """

    frames: np.ndarray
    weights: np.ndarray


def plan_windows(frame_count: int, window: int, mode: str, overlap: float = OVERLAP) -> list[Window]:
    """Windows of `window` frames (>= 2) over a video of frame_count frames; one window where it is short enough.

    "blend": the windows start at even distances and overlap by that part or more; weights rise and fall smoothly over
    the overlap. "published": every window starts where its predecessor's results end, the last one is moved back to end
    with the video, and its results replace those of its predecessor.
    """
    if frame_count <= window:
        return [Window(np.arange(frame_count), np.ones(frame_count, np.float32))]
    starts = (
        _published_starts(frame_count, window) if mode == "published" else _even_starts(frame_count, window, overlap)
    )
    spans = [np.arange(start, start + window - 1) for start in starts]
    if mode == "published":
        shares = [(span < following[0]) * 1.0 for span, following in itertools.pairwise(spans)]
        shares.append(np.ones(window - 1))
    else:
        shares = _smooth_shares(spans, frame_count)
    windows = []
    for index, (span, share) in enumerate(zip(spans, shares, strict=True)):
        frames = np.concatenate([[0], span])
        weights = np.concatenate([[1.0 if index == 0 else 0.0], share]).astype(np.float32)
        windows.append(Window(frames, weights))
    return windows


class Merger:
    """Collects the windows' results and hands out every frame of the video once, as soon as it is complete."""

    def __init__(self, windows: list[Window]) -> None:
        self._missing = np.zeros(1 + max(int(window.frames.max()) for window in windows), np.int64)
        for window in windows:
            self._missing[window.frames[window.weights > 0]] += 1
        self._sums: dict[int, np.ndarray] = {}

    def add(self, frames: np.ndarray, weights: np.ndarray, positions: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """frames, weights (B,) as in a Window, positions (B, N, 3), or another (B, ...) -> (frame, what it has of that)
        when complete."""
        for frame, weight, moved in zip(frames.tolist(), weights, positions, strict=True):
            if weight == 0:
                continue
            self._missing[frame] -= 1
            if frame in self._sums:
                self._sums[frame] += weight * moved
            elif self._missing[frame] > 0:
                self._sums[frame] = weight * moved
            if self._missing[frame] == 0:
                yield frame, self._sums.pop(frame, moved)


def _published_starts(frame_count: int, window: int) -> list[int]:
    """First frame of each window's results after the reference frame."""
    starts = list(range(1, frame_count, window - 1))
    return [min(start, frame_count - (window - 1)) for start in starts]


def _even_starts(frame_count: int, window: int, share: float) -> list[int]:
    own, moving = window - 1, frame_count - 1
    overlap = min(max(1, round(window * share)), own - 1)
    count = -(-(moving - overlap) // (own - overlap))
    return [1 + round(index * (moving - own) / (count - 1)) for index in range(count)]


def _smooth_shares(spans: list[np.ndarray], frame_count: int) -> list[np.ndarray]:
    raw = []
    for index, span in enumerate(spans):
        share = np.ones(len(span))
        if index > 0:
            share *= _rise(span, spans[index - 1][-1] - span[0] + 1)
        if index + 1 < len(spans):
            share *= _rise(span, span[-1] - spans[index + 1][0] + 1)[::-1]
        raw.append(share)
    total = np.zeros(frame_count)
    for span, share in zip(spans, raw, strict=True):
        total[span] += share
    return [share / total[span] for span, share in zip(spans, raw, strict=True)]


def _rise(span: np.ndarray, overlap: int) -> np.ndarray:
    """From nearly 0 to 1 over the first `overlap` frames of a span, with a level start and end (smoothstep)."""
    t = np.clip((np.arange(len(span)) + 1.0) / (overlap + 1.0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
