"""Which way of finding the foreground fits a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion324.errors import EXIT_NO_FOREGROUND, EXIT_USAGE, Motion324Error
from motion324.progress import Progress, silent
from motion324.video.clip import VideoClip
from motion324.video.foreground.alpha import alpha_masks, has_meaningful_alpha
from motion324.video.foreground.given import given_masks
from motion324.video.foreground.masks import ForegroundMasks, empty_frames, mask_warnings
from motion324.video.foreground.plain import find_plain_background, plain_masks

_REMEDY = "Give your own masks with --mask FOLDER, or choose a video in which the object stands out."


def find_masks(clip: VideoClip, mode: str = "auto", progress: Progress = silent, seed: int = 0) -> ForegroundMasks:
    """Where the object is in each frame.

    mode: "auto" takes the alpha channel if it tells anything, else a background of one colour (white, black, green,
    any other), else rembg; "alpha", "plain" and "rembg" insist on one; anything else is the path of a mask video or of
    a folder of mask images. Raises Motion324Error: EXIT_NO_FOREGROUND where no object is found, EXIT_BAD_VIDEO for
    given masks that do not fit, EXIT_USAGE where `mode` cannot work on this clip.
    """
    masks, method = _find(clip, mode, progress, seed)
    if len(empty_frames(masks)) > len(masks) / 2:
        raise Motion324Error(
            "no-foreground",
            f"No object was found in '{clip.name}' (tried: {method}).",
            _REMEDY,
            EXIT_NO_FOREGROUND,
        )
    progress("foreground", len(masks), len(masks))
    return ForegroundMasks(masks, method, mask_warnings(masks, clip.frame_numbers, clip.name))


def _find(clip: VideoClip, mode: str, progress: Progress, seed: int) -> tuple[np.ndarray, str]:
    if mode == "alpha" or (mode == "auto" and has_meaningful_alpha(clip)):
        if clip.alpha is None:
            raise _unusable("alpha", f"'{clip.name}' has no alpha channel")
        return alpha_masks(clip), "alpha"
    if mode in ("auto", "plain"):
        background = find_plain_background(clip.frames)
        if background is not None:
            return plain_masks(clip.frames, background, progress), "plain"
        if mode == "plain":
            raise _unusable("plain", f"the border of '{clip.name}' shows no single background colour")
    if mode in ("auto", "rembg"):
        from motion324.video.foreground.object_masks import object_masks  # loads the network's libraries

        return object_masks(clip.frames, progress), "rembg"
    return given_masks(clip, Path(mode), progress), "given"


def _unusable(mode: str, why: str) -> Motion324Error:
    return Motion324Error(
        "bad-option", f"The option mask cannot be {mode}: {why}.", "Use --mask auto or give masks.", EXIT_USAGE
    )
