"""A folder of images as a video file, one image in memory at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion324.core.progress import Progress, silent
from motion324.video.source import bad_video, open_range, read_image
from motion324.video.writing import VideoFile


def write_image_sequence(folder: Path, target: Path, fps: float, progress: Progress = silent) -> int:
    """Writes the folder's images, in natural order and before white, to the MP4 `target` -> how many there were.

    Raises Motion324Error: "video-missing", "video-no-images", "video-unreadable", "video-sizes-differ",
    "not-a-folder", and what VideoFile raises; then nothing is written.
    """
    if folder.is_file():
        raise bad_video("not-a-folder", f"'{folder}' is a file, not a folder of images.", "Give the folder.")
    source, _ = open_range(folder, (None, None, 1), lambda: progress("read", 0, 0))
    size: tuple[int, ...] | None = None
    with VideoFile(target, fps) as video:
        for index, file in enumerate(source.images):
            progress("write", index, source.count)
            image = read_image(file)
            size = size or image.shape[:2]
            if image.shape[:2] != size:
                raise bad_video(
                    "video-sizes-differ",
                    f"The image '{file}' has {image.shape[1]} x {image.shape[0]} pixels, but the ones before it have "
                    f"{size[1]} x {size[0]}.",
                    "All frames must have the same size.",
                )
            video.write(_before_white(image))
    progress("write", source.count, source.count)
    return source.count


def _before_white(image: np.ndarray) -> np.ndarray:
    """(H, W, 3 or 4) uint8 -> (H, W, 3) uint8."""
    if image.shape[2] == 3:
        return image
    opaque = image[..., 3:].astype(np.float32) / 255
    return (image[..., :3] * opaque + 255 * (1 - opaque) + 0.5).astype(np.uint8)
