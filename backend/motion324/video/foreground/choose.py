"""Which way of finding the foreground fits a clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from motion324.errors import EXIT_NO_FOREGROUND, EXIT_USAGE, Motion324Error
from motion324.progress import Progress, silent
from motion324.video.clip import VideoClip
from motion324.video.foreground.alpha import alpha_masks, has_meaningful_alpha
from motion324.video.foreground.coverage import disc
from motion324.video.foreground.given import given_masks
from motion324.video.foreground.masks import ForegroundMasks, mask_warnings, tells_nothing
from motion324.video.foreground.plain import clear_outline_share, find_plain_background, plain_masks, shadow_share

# A plain background is believed if this part of the outline is clear, and this part of the mask at most is shadow.
_CLEAR_OUTLINE = 0.9
_SHADOW = 0.05
_REMEDY = "Give your own masks with --mask FOLDER, or choose a video in which the object stands out."


def find_masks(clip: VideoClip, mode: str = "auto", progress: Progress = silent, seed: int = 0) -> ForegroundMasks:
    """Where the object is in each frame.

    mode: "auto" takes the alpha channel if it tells anything, else a background of one colour (white, black, green,
    any other), else rembg; "as-is" is for clips that were cut out before: alpha if it tells anything, else the plain
    background; "alpha", "plain" and "rembg" insist on one; anything else is the path of a mask video or of a folder of
    mask images. Nothing here is random; `seed` is for ways that would be.
    Raises Motion324Error: EXIT_NO_FOREGROUND where no object is found, EXIT_BAD_VIDEO for given masks that do not fit,
    EXIT_USAGE where `mode` cannot work on this clip.
    """
    masks, method = _find(clip, mode, progress)
    if tells_nothing(masks):
        tried = "alpha, plain background and rembg" if mode == "auto" else method
        raise Motion324Error(
            "no-foreground",
            f"No object was found in '{clip.name}': the masks by {tried} are empty or cover the whole picture.",
            _REMEDY,
            EXIT_NO_FOREGROUND,
        )
    progress("foreground", len(masks), len(masks))
    return ForegroundMasks(masks, method, mask_warnings(masks, clip.frame_numbers, clip.name))


def _find(clip: VideoClip, mode: str, progress: Progress) -> tuple[np.ndarray, str]:
    if mode == "auto":
        return _automatic(clip, progress)
    if mode == "as-is":
        mode = "alpha" if has_meaningful_alpha(clip) else "plain"
    if mode == "alpha":
        if clip.alpha is None:
            raise _unusable("alpha", f"'{clip.name}' has no alpha channel")
        return alpha_masks(clip), "alpha"
    if mode == "plain":
        background = find_plain_background(clip.frames)
        if background is None:
            raise _unusable("plain", f"the border of '{clip.name}' shows no single background colour")
        return plain_masks(clip.frames, background, progress), "plain"
    if mode == "rembg":
        return _object_masks(clip.frames, progress), "rembg"
    return given_masks(clip, Path(mode), progress), "given"


def _automatic(clip: VideoClip, progress: Progress) -> tuple[np.ndarray, str]:
    if has_meaningful_alpha(clip):
        return alpha_masks(clip), "alpha"
    background = find_plain_background(clip.frames)
    if background is None:
        return _object_masks(clip.frames, progress), "rembg"
    plain = plain_masks(clip.frames, background, progress)
    if clear_outline_share(clip.frames, background, plain) > _CLEAR_OUTLINE and (
        shadow_share(clip.frames, background, plain) < _SHADOW or _stands_out(clip.frames, plain, progress)
    ):
        return plain, "plain"
    masks = _object_masks(clip.frames, progress)
    if tells_nothing(masks) and not tells_nothing(plain):
        return plain, "plain"
    return masks, "rembg"


def _object_masks(frames: np.ndarray, progress: Progress) -> np.ndarray:
    from motion324.video.foreground.object_masks import object_masks  # loads the network's libraries

    return object_masks(frames, progress)


def _stands_out(frames: np.ndarray, masks: np.ndarray, progress: Progress) -> bool:
    """Whether the network agrees in a few frames that all of the mask is an object, and none of it a shadow."""
    from motion324.video.foreground.rembg_model import salient_masks

    chosen = np.unique(np.linspace(0, len(frames) - 1, 4).round().astype(int))
    radius = max(2, round(min(masks.shape[1:]) / 80))
    salient = salient_masks(frames[chosen], progress)
    if salient.max() < 0.5:
        return True
    solid = masks[chosen] > 0.5
    around = np.stack([cv2.dilate(guess, disc(radius)) > 0.3 for guess in salient])
    return bool((solid & ~around).sum() < _SHADOW * max(1, solid.sum()))


def _unusable(mode: str, why: str) -> Motion324Error:
    return Motion324Error(
        "bad-option", f"The option mask cannot be {mode}: {why}.", "Use --mask auto or give masks.", EXIT_USAGE
    )
