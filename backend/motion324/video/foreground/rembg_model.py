"""The bundled U2-Net-P through rembg: what stands out in a picture, with no assumption about the background."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from motion324.progress import Progress

MODEL_FOLDER = Path(__file__).resolve().parent.parent / "models"
# What U2-Net was trained with: the mean and deviation of ImageNet's colours, and pictures of 320 x 320 pixels.
_MEAN, _DEVIATION, _INPUT_SIZE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), (320, 320)


def salient_masks(frames: np.ndarray, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, H, W) float32 in [0, 1], each frame by itself; all near 0 where nothing is.

    The network runs in rembg's session, but without the last step of rembg's `predict`, which stretches every answer to
    the full range from 0 to 1: of an empty picture that makes an object out of nothing.
    """
    session = load_session()
    height, width = frames.shape[1:3]
    masks = np.empty(frames.shape[:3], np.float32)
    for index, frame in enumerate(frames):
        progress("foreground", index, len(frames))
        inputs = session.normalize(Image.fromarray(frame), _MEAN, _DEVIATION, _INPUT_SIZE)
        saliency = session.inner_session.run(None, inputs)[0][0, 0]
        masks[index] = cv2.resize(saliency, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(masks, 0.0, 1.0, out=masks)


@functools.cache
def load_session() -> Any:
    """rembg's own session on the bundled file, made on first use. Not to be called by two threads at first."""
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
