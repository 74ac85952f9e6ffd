"""Makes a video that shows how well a trajectory follows its input: input, outline on the input, moving mesh."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.normalisation import normalised_mesh
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.video.writing import VideoFile
from motion324.view.rasteriser import render

LARGEST_HEIGHT = 512
FINER = 2  # pixels drawn for each that is shown, along each side, for smooth edges
OUTLINE = (255, 0, 140)  # pink: rare in videos of animals and people, and seen on light and dark


def write_overlay(
    path: Path,
    clip: VideoClip,
    mesh: ReferenceMesh,
    positions: np.ndarray,
    view: View,
    fps: float,
    progress: Progress = silent,
) -> None:
    """Writes an .mp4 of three pictures side by side: the input, the input with the result's outline, the result.

    positions (T, N, 3): in the mesh's own coordinates, one frame for each of the clip's; seen through `view`.
    Raises Motion324Error as motion324.video.writing.VideoFile does.
    """
    normalised, normalisation = normalised_mesh(mesh)
    height, width = clip.frames.shape[1:3]
    if height > LARGEST_HEIGHT:
        height, width = LARGEST_HEIGHT, round(width * LARGEST_HEIGHT / height)
    with VideoFile(path, fps) as video:
        for index, (frame, pose) in enumerate(zip(clip.frames, positions, strict=True)):
            progress("write", index, len(positions))
            small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            drawn, seen = render(normalisation.to_normalised(pose), normalised, view, FINER * height, FINER * width)
            result = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
            video.write(np.hstack([small, outlined(small, seen[::FINER, ::FINER]), result]))
    progress("write", len(positions), len(positions))


def outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A copy of image (H, W, 3) uint8 with the outline of mask (H, W) bool drawn two pixels wide."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(image.copy()), contours, -1, OUTLINE, 2, cv2.LINE_AA)
