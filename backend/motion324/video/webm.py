"""Videos that stand in a page: WebM (VP8), which browsers play and OpenCV's wheels can write."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from motion324.core.write_aside import written_aside


def write_webm(path: Path, frames: Iterable[np.ndarray], fps: float) -> bool:
    """frames (H, W, 3) uint8 RGB, all of the same even size. False, and no file, where this OpenCV cannot write WebM.

    Raises Motion324Error("cannot-write" or "disk-full").
    """
    writer: cv2.VideoWriter | None = None
    with written_aside(path) as aside:
        for frame in frames:
            if writer is None:
                with _quiet():
                    size = (frame.shape[1], frame.shape[0])
                    writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*"VP80"), fps, size)
                if not writer.isOpened():
                    break
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        opened = writer is not None and writer.isOpened()
        if writer is not None:
            writer.release()
        if not opened:
            aside.touch()
    if not opened:
        path.unlink()
    return opened


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what OpenCV prints about WebM, which has no tags for codecs, past every setting of its log."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
