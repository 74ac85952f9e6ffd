"""Runs any of rembg's models by its name. It is an extra, imported on first use; nothing is downloaded without being
asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.files.frame_storage import Masks, room_for_masks
from motion324.core.processes.interruption import waited
from motion324.core.progress import Progress

# As their authors publish them; of a model that is not listed the user is told to look.
_LICENCES = {
    "u2net": "Apache 2.0",
    "u2net_human_seg": "Apache 2.0",
    "isnet-general-use": "Apache 2.0",
    "birefnet-general": "MIT",
    "birefnet-general-lite": "MIT",
    "birefnet-portrait": "MIT",
    "bria-rmbg": "CC BY-NC 4.0: no commercial use",
}


def rembg_masks(frames: np.ndarray, model: str, progress: Progress) -> Masks:
    """frames (T, H, W, 3) uint8 -> (T, H, W) in [0, 1]: what rembg's `model` answers for each frame.

    Raises Motion324Error as require_model does.
    """
    require_model(model)
    progress("foreground", 0, len(frames))
    session = waited(lambda: new_session(model), lambda: progress("foreground", 0, len(frames)))
    masks = room_for_masks(frames.shape[:3])
    for index, frame in enumerate(frames):
        picture, told = Image.fromarray(frame), partial(progress, "foreground", index, len(frames))
        told()
        answer = waited(partial(session.predict, picture), told)[0].convert("L")  # large models take seconds
        masks[index] = np.asarray(answer, np.float32) / np.float32(255)
    return masks


def require_model(model: str) -> None:
    """Raises Motion324Error: "package-missing" without rembg, "bad-option" for a model that it does not have or that
    cannot run here alone, "model-missing" where it is not on this machine.
    """
    kind = _kind(model)
    if not _is_installed(kind, model):
        raise Motion324Error(
            "model-missing",
            f"rembg's model '{model}' is not on this machine.",
            f"Run `motion324 weights download rembg:{model}` where there is a network, or use --mask rembg, which "
            "needs none.",
            EXIT_BACKEND,
        )


def new_session(model: str) -> Any:
    """rembg's own session of a model that is on this machine."""
    with _without_compiling():
        import rembg
    return rembg.new_session(model)


def licence_of(model: str) -> str:
    """The licence of rembg's `model`, in words. Raises Motion324Error("bad-option", "package-missing")."""
    _kind(model)
    return _LICENCES.get(model, "look at the page of its authors, which rembg's README names")


def download(model: str) -> str:
    """Has rembg fetch its `model`, to which the user has agreed -> the file's path. Raises Motion324Error."""
    kind = _kind(model)
    try:
        return str(kind.download_models())
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        raise Motion324Error(
            "no-network",
            f"rembg's model '{model}' could not be downloaded: {reason}.",
            "Look at the network connection, then run the same command again.",
            EXIT_BACKEND,
        ) from error


def _kind(model: str) -> Any:
    """rembg's class of sessions for `model`."""
    try:
        with _without_compiling():
            from rembg.sessions import sessions_class
    except ImportError as error:
        raise Motion324Error(
            "package-missing",
            f"The option mask cannot be rembg:{model}: the package rembg is not installed ({error}).",
            "Install the backend with the extra 'rembg', or use --mask rembg, the bundled network.",
            EXIT_USAGE,
        ) from error
    usable = {}
    for kind in sessions_class:
        name = kind.name()
        local = getattr(kind, "is_local", lambda: True)() and not getattr(kind, "requires_credentials", lambda: False)()
        if local and name != "sam" and not name.endswith("custom"):  # those want prompts, or a file
            usable[name] = kind
    if model not in usable:
        raise Motion324Error(
            "bad-option",
            f"The option mask cannot be rembg:{model}: rembg has no such model that runs on this machine by itself.",
            f"It has {', '.join(sorted(usable))}.",
            EXIT_USAGE,
        )
    return usable[model]


def _is_installed(kind: Any, model: str) -> bool:
    found = getattr(kind, "resolve_existing", None)
    if found is not None:
        return found(f"{model}.onnx") is not None
    return (Path(kind.u2net_home()) / f"{model}.onnx").exists()


@contextlib.contextmanager
def _without_compiling() -> Iterator[None]:
    """rembg imports PyMatting, which has numba compile its alpha matting as it is imported: up to a minute, the first
    time. Only the networks are used here, so numba leaves those functions as plain Python during that import."""
    import numba

    before = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        yield
    finally:
        numba.config.DISABLE_JIT = before
