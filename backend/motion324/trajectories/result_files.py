"""Writes the files that an animation job leaves in a folder: trajectory and report, the object without its background
as videos, and the overlay.

The overlay is a video that shows how well a trajectory follows its input: input, outline on the input, moving mesh.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.files.frame_storage import Masks
from motion324.core.files.point_cache import Pc2Writer
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.files.write_aside import written_aside
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh, normalised_mesh
from motion324.core.result import AnimationResult
from motion324.core.view import View
from motion324.video.writing import VideoFile
from motion324.view.rasteriser import render

CUTOUTS = ("cutout_black.mp4", "cutout_white.mp4", "mask.mp4")
LARGEST_HEIGHT = 512
FINER = 2  # pixels drawn for each that is shown, along each side, for smooth edges
OUTLINE = (255, 0, 140)  # pink: rare in videos of animals and people, and seen on light and dark


def write_cutouts(folder: Path, clip: VideoClip, masks: Masks, progress: Progress = silent) -> None:
    """Writes the object on black, on white, and its mask, white on black, under CUTOUTS in `folder`.

    masks (T, H, W) in [0, 1]. Raises Motion324Error as motion324.video.writing.VideoFile does.
    """
    black, white, mask = (folder / name for name in CUTOUTS)
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


TRAJECTORY, POINT_CACHE, OVERLAY, REPORT = "trajectory.npz", "animation.pc2", "overlay.mp4", "report.json"
_FRAMES_AT_ONCE = 16


@dataclass(frozen=True)
class KeepOptions:
    """What is kept in `folder` besides trajectory.npz, animation.pc2 and report.json.

    cutouts: the videos of the object on black and on white, and of its mask. overlay: the input beside the result.
    """

    folder: Path
    cutouts: bool = False
    overlay: bool = False

    def files(self) -> list[Path]:
        """All that will be there."""
        names = [TRAJECTORY, POINT_CACHE, REPORT, *(CUTOUTS if self.cutouts else ()), *([OVERLAY] * self.overlay)]
        return [self.folder / name for name in names]


def needed_space(frame_count: int, mesh: ReferenceMesh, clip: VideoClip, keep: KeepOptions) -> int:
    """Bytes that the files will take: the two trajectories exactly, videos generously."""
    trajectories = 2 * frame_count * mesh.positions.nbytes + mesh.faces.nbytes
    return trajectories + (1 << 20) + clip.frames.nbytes * (keep.cutouts + keep.overlay) // 10


def write_result_files(
    folder: Path,
    keep: KeepOptions,
    mesh: ReferenceMesh,
    clip: VideoClip,
    masks: Masks,
    result: AnimationResult,
    progress: Progress,
    shown: Callable[[Progress], VideoClip] | None = None,
) -> None:
    """Writes all but the report, which is complete only after this. Raises Motion324Error("disk-full", ...).

    shown: the clip as the result's camera, which stands still, would have filmed it; None: as it is.
    """
    total = len(result.positions)
    progress("write", 0, total)
    save_trajectory(folder / TRAJECTORY, result, mesh.faces)
    with Pc2Writer(folder / POINT_CACHE, len(mesh.positions)) as cache:
        for first in range(0, total, _FRAMES_AT_ONCE):
            cache.append(result.positions[first : first + _FRAMES_AT_ONCE])
            progress("write", min(first + _FRAMES_AT_ONCE, total), total)
    if keep.cutouts:
        write_cutouts(folder, clip, masks, progress)
    if keep.overlay:
        seen = shown(progress) if shown else clip
        write_overlay(folder / OVERLAY, seen, mesh, result.positions, result.view, result.fps, progress)


def write_report(folder: Path, result: AnimationResult) -> None:
    with written_aside(folder / REPORT) as aside:
        aside.write_text(json.dumps(result.report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
