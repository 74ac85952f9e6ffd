"""The object of a clip without its background, as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.progress import Progress, silent
from motion324.video.writing import VideoFile

NAMES = ("cutout_black.mp4", "cutout_white.mp4", "mask.mp4")


def write_cutouts(folder: Path, clip: VideoClip, masks: np.ndarray, progress: Progress = silent) -> None:
    """Writes the object on black, on white, and its mask, white on black, under NAMES in `folder`.

    masks (T, H, W) float32 in [0, 1]. Raises Motion324Error as motion324.video.writing.VideoFile does.
    """
    black, white, mask = (folder / name for name in NAMES)
    with (
        VideoFile(black, clip.fps) as on_black,
        VideoFile(white, clip.fps) as on_white,
        VideoFile(mask, clip.fps) as own,
    ):
        for index, (frame, coverage) in enumerate(zip(clip.frames, masks, strict=True)):
            progress("write", index, len(masks))
            opaque = coverage[..., None]
            on_black.write((frame * opaque + 0.5).astype(np.uint8))
            on_white.write((frame * opaque + 255 * (1 - opaque) + 0.5).astype(np.uint8))
            own.write(np.repeat((255 * opaque + 0.5).astype(np.uint8), 3, axis=2))
    progress("write", len(masks), len(masks))
