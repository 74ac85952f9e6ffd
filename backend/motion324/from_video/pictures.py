"""Writes frames, masks and square crops of the object as folders of PNG files, and reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_NO_FOREGROUND, Motion324Error
from motion324.core.files.frame_storage import Masks
from motion324.core.files.write_aside import explained_write_errors, write_error
from motion324.core.progress import Progress


@dataclass(frozen=True)
class Crop:
    """A square in pixels of the frames: its left and upper edge, which may lie outside, and the length of its sides."""

    left: int
    top: int
    side: int


def object_crop(masks: Masks, margin: float = 0.1) -> Crop:
    """masks (T, H, W) -> the square around the object in all frames; margin: part of the side that is added.

    The square does not move, so that the object's motion stays what it is. Raises Motion324Error("no-foreground").
    """
    area = np.zeros(masks.shape[1:], bool)
    for mask in masks:
        area |= mask > 0.5
    columns, rows = np.flatnonzero(np.any(area, axis=0)), np.flatnonzero(np.any(area, axis=1))
    if not len(rows):
        raise Motion324Error(
            "no-foreground",
            "The masks show no object in any frame.",
            "Look at the masks, or give your own with --mask.",
            EXIT_NO_FOREGROUND,
        )
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    side = max(2, round(max(right - left, bottom - top) * (1 + margin)))
    return Crop(round((left + right - side) / 2), round((top + bottom - side) / 2), side)


def cropped(image: np.ndarray, crop: Crop, size: int, outside: int | float = 0) -> np.ndarray:
    """image (H, W) or (H, W, C) -> (size, size) or (size, size, C); what lies outside of the image is `outside`."""
    height, width = image.shape[:2]
    right, bottom = crop.left + crop.side, crop.top + crop.side
    inner = image[max(0, crop.top) : max(0, bottom), max(0, crop.left) : max(0, right)]
    padded = cv2.copyMakeBorder(
        inner,
        max(0, -crop.top),
        max(0, bottom - height),
        max(0, -crop.left),
        max(0, right - width),
        cv2.BORDER_CONSTANT,
        value=(outside,) * 4,
    )
    return cv2.resize(padded, (size, size), interpolation=cv2.INTER_AREA if crop.side > size else cv2.INTER_CUBIC)


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


def write_crops(folder: Path, clip: VideoClip, masks: Masks, progress: Progress) -> tuple[int, int, int]:
    """The object on a transparent background, cut to one square for all frames; that square, (x, y, side) in pixels.

    masks (T, H, W) in [0, 1]. The square may reach beyond the picture, so that the object is in its middle.
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
