"""Defines what all ways of finding the foreground have in common: frames in, soft masks out, with progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options import MASK_MODES, bad_option
from motion324.core.progress import Progress
from motion324.video.foreground.given import alpha_masks, given_masks
from motion324.video.foreground.plain import find_plain_background, plain_masks
from motion324.video.foreground.sam2_model import parse_prompt


@dataclass(frozen=True)
class MaskProvider:
    """One way of finding the foreground.

    name: "alpha", "plain", "rembg", "sam2" or "given". masks: (clip, progress) -> (T, H, W) float32 in [0, 1], soft at
    the object's outline. guesses: whether what it finds may be several things, or flicker, and is cleaned up over time.
    check: raises Motion324Error where it can be known, without a clip, that it cannot find anything.
    """

    name: str
    masks: Callable[[VideoClip, Progress], np.ndarray]
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

        def follow(clip: VideoClip, progress: Progress) -> np.ndarray:
            from motion324.video.foreground.sam2_model import sam2_masks

            automatic = None
            if not prompt.box and not prompt.points:
                automatic = object_masks_of(clip.frames[:1], lambda stage, done, total: progress(stage, 0, 1))[0]
            return sam2_masks(clip.frames, prompt, automatic, progress)

        return MaskProvider("sam2", follow, guesses=True, check=_has_sam2)
    if not Path(mode).exists():
        raise bad_option("mask", f"is '{mode}', which is neither one of {', '.join(MASK_MODES)} nor a file or folder")
    return MaskProvider("given", lambda clip, progress: given_masks(clip, Path(mode), progress))


def object_masks_of(frames: np.ndarray, progress: Progress) -> np.ndarray:
    """The bundled network, its masks fitted to the picture; the network's libraries are loaded here."""
    from motion324.video.foreground.object_masks import object_masks

    return object_masks(frames, progress)


def _alpha(clip: VideoClip, progress: Progress) -> np.ndarray:
    if clip.alpha is None:
        raise _unusable("alpha", f"'{clip.name}' has no alpha channel")
    return alpha_masks(clip)


def _plain(clip: VideoClip, progress: Progress) -> np.ndarray:
    background = find_plain_background(clip.frames)
    if background is None:
        raise _unusable("plain", f"the border of '{clip.name}' shows no single background colour")
    return plain_masks(clip.frames, background, progress)


def _rembg(clip: VideoClip, model: str, progress: Progress) -> np.ndarray:
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
