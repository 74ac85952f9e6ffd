"""The bundled U2-Net-P through rembg: what stands out in a picture, with no assumption about the background."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from motion324.progress import Progress

MODEL_FOLDER = Path(__file__).resolve().parent.parent / "models"


def salient_masks(frames: np.ndarray, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, H, W) float32 in [0, 1], each frame by itself."""
    session = _session()
    masks = np.empty(frames.shape[:3], np.float32)
    for index, frame in enumerate(frames):
        progress("foreground", index, len(frames))
        (mask,) = session.predict(Image.fromarray(frame))
        masks[index] = np.asarray(mask, dtype=np.float32) / 255.0
    return masks


@functools.cache
def _session() -> Any:
    """rembg's own session on the bundled file, made on first use."""
    with _without_compiling():
        import rembg
    before = os.environ.get("U2NET_HOME")
    os.environ["U2NET_HOME"] = str(MODEL_FOLDER)
    try:
        return rembg.new_session("u2netp", providers=["CPUExecutionProvider"])
    finally:
        if before is None:
            del os.environ["U2NET_HOME"]
        else:
            os.environ["U2NET_HOME"] = before


@contextlib.contextmanager
def _without_compiling() -> Iterator[None]:
    """rembg imports PyMatting, which has numba compile its alpha matting as it is imported: up to a minute, the first
    time. Only the network is used here, so numba leaves those functions as plain Python during that import."""
    import numba

    before = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        yield
    finally:
        numba.config.DISABLE_JIT = before
