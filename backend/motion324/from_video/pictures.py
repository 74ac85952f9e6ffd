"""Frames, masks and crops as folders of PNG files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.progress import Progress
from motion324.core.write_aside import explained_write_errors, write_error
from motion324.video.foreground.crop import cropped, object_crop

_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]
CROP_SIDE = 512  # pixels
CROP_MARGIN = 0.1  # of the object's longer side, on each side of it


def write_pictures(folder: Path, pictures: np.ndarray, stage: str, progress: Progress) -> None:
    """pictures (T, H, W), (T, H, W, 3) RGB or (T, H, W, 4) RGBA, uint8. Raises Motion324Error("disk-full", ...)."""
    with explained_write_errors(folder):
        folder.mkdir(parents=True)
    for index, picture in enumerate(pictures):
        progress(stage, index, len(pictures))
        _write(folder / file_name(index), picture)
    progress(stage, len(pictures), len(pictures))


def file_name(index: int) -> str:
    return f"frame_{index:04d}.png"


def read_pictures(folder: Path, stage: str, progress: Progress) -> np.ndarray:
    """What write_pictures has written. Raises ValueError where a file was damaged since."""
    pictures: list[np.ndarray] = []
    count = len(list(folder.iterdir()))
    for index in range(count):
        progress(stage, index, count)
        picture = cv2.imread(str(folder / file_name(index)), cv2.IMREAD_UNCHANGED)
        if picture is None or (pictures and picture.shape[:2] != pictures[0].shape[:2]):
            raise ValueError(f"'{folder / file_name(index)}' is damaged")
        if picture.ndim == 3:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB)
        pictures.append(picture)
    return np.stack(pictures)


def write_crops(folder: Path, clip: VideoClip, masks: np.ndarray, progress: Progress) -> tuple[int, int, int]:
    """The object on a transparent background, cut to one square for all frames; that square, (x, y, side) in pixels.

    masks (T, H, W) float32 in [0, 1]. The square may reach beyond the picture, so that the object is in its middle.
    """
    crop = object_crop(masks, 2 * CROP_MARGIN)
    with explained_write_errors(folder):
        folder.mkdir(parents=True)
    for index, (frame, mask) in enumerate(zip(clip.frames, masks, strict=True)):
        progress("foreground", index, len(masks))
        coverage = np.clip(255 * mask + 0.5, 0, 255).astype(np.uint8)
        alone = np.concatenate([frame, coverage[..., None]], axis=2)
        _write(folder / file_name(index), cropped(alone, crop, min(crop.side, CROP_SIDE)))
    return crop.left, crop.top, crop.side


def _write(path: Path, picture: np.ndarray) -> None:
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", picture, _QUICK)
    if not done:
        raise write_error(path, OSError("OpenCV cannot encode it"))
    with explained_write_errors(path):
        path.write_bytes(np.asarray(data).tobytes())
