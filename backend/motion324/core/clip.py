"""Holds the frames of a video as plain data, and says in words which of them are meant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VideoClip:
    """frames (T, H, W, 3) uint8: sRGB, row 0 on top.
    alpha (T, H, W) uint8 or None: where the source has an alpha channel.
    frame_numbers (T,) int: which frames of the source these are, counted from 0.
    fps: frames per second of these frames (the source's divided by the step).
    warnings: {"code", "sentence"} of what the user should know about the source.
    """

    frames: np.ndarray
    fps: float
    frame_numbers: np.ndarray
    alpha: np.ndarray | None = None
    name: str = "video"
    warnings: tuple[dict[str, str], ...] = ()


def told_frames(numbers: np.ndarray) -> str:
    """[3, 4, 5, 9] -> "frames 3-5, 9"; long lists are cut."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    shown = ", ".join(texts[:6]) + (f" and {len(texts) - 6} more ranges" if len(texts) > 6 else "")
    return f"frame {shown}" if len(numbers) == 1 else f"frames {shown}"
