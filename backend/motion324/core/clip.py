"""Holds the frames of a video as plain data."""

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
