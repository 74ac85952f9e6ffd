"""The foreground masks of a clip, and what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The part of the border's pixels that an object has to cover before it counts as leaving the frame.
_TOUCHING = 0.004
_EMPTY_PIXELS = 16
_FULL_SHARE = 0.97


@dataclass(frozen=True)
class ForegroundMasks:
    """masks (T, H, W) float32 in [0, 1]: 1 on the object, with soft edges.

    method: how they were found: "alpha", "plain", "rembg" or "given".
    warnings: {"code", "sentence"} for frames in which the object is missing or leaves the picture.
    """

    masks: np.ndarray
    method: str
    warnings: tuple[dict[str, str], ...] = ()


def empty_frames(masks: np.ndarray) -> np.ndarray:
    """(K,) indices of the frames that show next to nothing of the object."""
    return np.flatnonzero((masks > 0.5).sum(axis=(1, 2)) < _EMPTY_PIXELS)


def tells_nothing(masks: np.ndarray) -> bool:
    """Whether masks (T, H, W) show no object in most frames: next to nothing of it, or the whole picture."""
    full = (masks > 0.5).mean(axis=(1, 2)) > _FULL_SHARE
    return len(empty_frames(masks)) + int(full.sum()) > len(masks) / 2


def mask_warnings(masks: np.ndarray, frame_numbers: np.ndarray, name: str) -> tuple[dict[str, str], ...]:
    """What to tell the user about masks (T, H, W): frames with no object, and frames in which it leaves the picture."""
    warnings = []
    empty = empty_frames(masks)
    if len(empty):
        sentence = f"No object was found in {_listed(frame_numbers[empty])} of '{name}'; its motion is guessed there."
        warnings.append({"code": "mask-empty", "sentence": sentence})
    cut = np.flatnonzero(_border_share(masks) > _TOUCHING)
    if len(cut):
        sentence = (
            f"The object touches the edge of the picture in {_listed(frame_numbers[cut])} of '{name}'; "
            "what lies outside cannot be followed."
        )
        warnings.append({"code": "object-leaves-frame", "sentence": sentence})
    return tuple(warnings)


def _border_share(masks: np.ndarray) -> np.ndarray:
    """(T,) the part of each frame's outermost pixels that the object covers."""
    sides = (masks[:, 0], masks[:, -1], masks[:, 1:-1, 0], masks[:, 1:-1, -1])
    return np.concatenate([side > 0.5 for side in sides], axis=1).mean(axis=1)


def _listed(numbers: np.ndarray) -> str:
    """[3, 4, 5, 9] -> "frames 3-5, 9"; long lists are cut."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    shown = ", ".join(texts[:6]) + (f" and {len(texts) - 6} more ranges" if len(texts) > 6 else "")
    return f"frame {shown}" if len(numbers) == 1 else f"frames {shown}"
