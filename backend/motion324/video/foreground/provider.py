"""Defines what all ways of finding the foreground have in common (frames in, soft masks out, with progress), and
chooses the way that fits a clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_NO_FOREGROUND, EXIT_USAGE, Motion324Error
from motion324.core.files.frame_storage import Masks
from motion324.core.options.animate_options import MASK_MODES, bad_option
from motion324.core.progress import Progress, silent
from motion324.video.foreground.coverage import disc
from motion324.video.foreground.given_or_plain import (
    alpha_masks,
    clear_outline_share,
    find_plain_background,
    given_masks,
    has_meaningful_alpha,
    plain_masks,
    shadow_share,
)
from motion324.video.foreground.masks import ForegroundMasks, mask_warnings, several_objects, tells_nothing
from motion324.video.foreground.object_tracks import count_objects, largest_object
from motion324.video.foreground.sam2_model import parse_prompt

# A plain background is believed if this part of the outline is clear, and this part of the mask at most is shadow.
_CLEAR_OUTLINE = 0.9
_SHADOW = 0.05
_REMEDY = "Give your own masks with --mask FOLDER, or choose a video in which the object stands out."


@dataclass(frozen=True)
class MaskProvider:
    """One way of finding the foreground.

    name: "alpha", "plain", "rembg", "sam2" or "given". masks: (clip, progress) -> (T, H, W) in [0, 1], soft at
    the object's outline. guesses: whether what it finds may be several things, or flicker, and is cleaned up over time.
    check: raises Motion324Error where it can be known, without a clip, that it cannot find anything.
    """

    name: str
    masks: Callable[[VideoClip, Progress], Masks]
    guesses: bool = False
    check: Callable[[], None] = lambda: None


def check_mask_option(mode: str) -> None:
    """What can be known without the video, on the machine that finds the masks.

    Raises Motion324Error("bad-option", "package-missing", "model-missing").
    """
    if mode not in ("auto", "as-is"):
        provider_named(mode).check()


def provider_named(mode: str) -> MaskProvider:
    """mode: "alpha", "plain", "rembg", "rembg:MODEL", "sam2", "sam2:PROMPT", or a path of masks.

    Raises Motion324Error("bad-option") for a prompt that cannot be read, or where nothing lies at the path; the
    provider itself raises for the rest.
    """
    if mode == "alpha":
        return MaskProvider("alpha", _alpha)
    if mode == "plain":
        return MaskProvider("plain", _plain)
    if mode == "rembg":
        return MaskProvider("rembg", lambda clip, progress: object_masks_of(clip.frames, progress), guesses=True)
    kind, _, rest = mode.partition(":")
    if kind == "rembg" and rest:
        return MaskProvider(
            "rembg", lambda clip, progress: _rembg(clip, rest, progress), guesses=True, check=lambda: _has_rembg(rest)
        )
    if kind == "sam2":
        prompt = parse_prompt(rest)

        def follow(clip: VideoClip, progress: Progress) -> Masks:
            from motion324.video.foreground.sam2_model import sam2_masks

            automatic = None
            if not prompt.box and not prompt.points:
                automatic = object_masks_of(clip.frames[:1], lambda stage, done, total: progress(stage, 0, 1))[0]
            return sam2_masks(clip.frames, prompt, automatic, progress)

        return MaskProvider("sam2", follow, guesses=True, check=_has_sam2)
    if not Path(mode).exists():
        raise bad_option("mask", f"is '{mode}', which is neither one of {', '.join(MASK_MODES)} nor a file or folder")
    return MaskProvider("given", lambda clip, progress: given_masks(clip, Path(mode), progress))


def object_masks_of(frames: np.ndarray, progress: Progress) -> Masks:
    """The bundled network, its masks fitted to the picture; the network's libraries are loaded here."""
    from motion324.video.foreground.object_masks import object_masks

    return object_masks(frames, progress)


def _alpha(clip: VideoClip, progress: Progress) -> Masks:
    if clip.alpha is None:
        raise _unusable("alpha", f"'{clip.name}' has no alpha channel")
    return alpha_masks(clip)


def _plain(clip: VideoClip, progress: Progress) -> Masks:
    background = find_plain_background(clip.frames)
    if background is None:
        raise _unusable("plain", f"the border of '{clip.name}' shows no single background colour")
    return plain_masks(clip.frames, background, progress)


def _rembg(clip: VideoClip, model: str, progress: Progress) -> Masks:
    from motion324.video.foreground.rembg_model import rembg_masks

    return rembg_masks(clip.frames, model, progress)


def _has_rembg(model: str) -> None:
    from motion324.video.foreground.rembg_model import require_model

    require_model(model)


def _has_sam2() -> None:
    from motion324.video.foreground.sam2_model import require_packages

    require_packages()


def _unusable(mode: str, why: str) -> Motion324Error:
    return Motion324Error(
        "bad-option", f"The option mask cannot be {mode}: {why}.", "Use --mask auto or give masks.", EXIT_USAGE
    )


def find_masks(clip: VideoClip, mode: str = "auto", progress: Progress = silent) -> ForegroundMasks:
    """Where the object is in each frame.

    mode: "auto" takes the alpha channel if it tells anything, else a background of one colour (white, black, green,
    any other), else rembg; "as-is" is for clips that were cut out before: alpha if it tells anything, else the plain
    background; "alpha", "plain", "rembg", "rembg:MODEL", "sam2" and "sam2:PROMPT" insist on one; anything else is the
    path of a mask video or of a folder of mask images. What a network found is cleaned up over time: the largest
    lasting object stays. Nothing here is random.
    Raises Motion324Error: EXIT_NO_FOREGROUND where no object is found, EXIT_BAD_VIDEO for given masks that do not fit,
    EXIT_USAGE where `mode` cannot work on this clip.
    """
    masks, provider = _find(clip, mode, progress)
    others = 0
    if tells_nothing(masks):
        tried = "alpha, plain background and rembg" if mode == "auto" else provider.name
        raise Motion324Error(
            "no-foreground",
            f"No object was found in '{clip.name}': the masks by {tried} are empty or cover the whole picture.",
            _REMEDY,
            EXIT_NO_FOREGROUND,
        )
    if provider.guesses:
        cleaned = largest_object(masks, progress)
        masks, others = cleaned.masks, cleaned.others
    else:
        others = count_objects(masks, progress) - 1
    progress("foreground", len(masks), len(masks))
    warnings = mask_warnings(masks, clip.frame_numbers, clip.name)
    if others > 0:
        warnings += (several_objects(clip.name, others + 1, kept_all=not provider.guesses),)
    return ForegroundMasks(masks, provider.name, warnings)


def _find(clip: VideoClip, mode: str, progress: Progress) -> tuple[Masks, MaskProvider]:
    if mode == "auto":
        masks, name = _automatic(clip, progress)
        return masks, provider_named(name)
    if mode == "as-is":
        mode = "alpha" if has_meaningful_alpha(clip) else "plain"
    provider = provider_named(mode)
    return provider.masks(clip, progress), provider


def _automatic(clip: VideoClip, progress: Progress) -> tuple[Masks, str]:
    if has_meaningful_alpha(clip):
        return alpha_masks(clip), "alpha"
    background = find_plain_background(clip.frames)
    if background is None:
        return object_masks_of(clip.frames, progress), "rembg"
    plain = plain_masks(clip.frames, background, progress)
    if clear_outline_share(clip.frames, background, plain) > _CLEAR_OUTLINE and (
        shadow_share(clip.frames, background, plain) < _SHADOW or _stands_out(clip.frames, plain, progress)
    ):
        return plain, "plain"
    masks = object_masks_of(clip.frames, progress)
    if tells_nothing(masks) and not tells_nothing(plain):
        return plain, "plain"
    return masks, "rembg"


def _stands_out(frames: np.ndarray, masks: Masks, progress: Progress) -> bool:
    """Whether the network agrees in a few frames that all of the mask is an object, and none of it a shadow."""
    from motion324.video.foreground.saliency import salient_masks

    chosen = np.unique(np.linspace(0, len(frames) - 1, 4).round().astype(int))
    radius = max(2, round(min(masks.shape[1:]) / 80))
    salient = salient_masks(frames[chosen], progress)
    if max(float(guess.max()) for guess in salient) < 0.5:
        return True
    solid = masks[chosen] > 0.5
    around = np.stack([cv2.dilate(guess, disc(radius)) > 0.3 for guess in salient])
    return bool((solid & ~around).sum() < _SHADOW * max(1, solid.sum()))
