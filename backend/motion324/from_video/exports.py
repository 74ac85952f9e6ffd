"""Writes what people look at and other programs take: a small film, FBX through a Blender process, and a film that goes
around the object.

The small film shows the input, the mask on it, the result as the camera sees it, and from another side.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from motion324.blender.blender_reading import blender_script, run_in_blender
from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.frame_storage import Masks
from motion324.core.files.trajectory_file import Trajectory
from motion324.core.files.write_aside import told_full
from motion324.core.progress import Progress
from motion324.core.reference_mesh import Normalisation, ReferenceMesh, normalised_mesh
from motion324.core.view import View, look_at_origin
from motion324.evaluation.mesh_sequence import normalised_by_first_frame
from motion324.rendering.result_videos import Look, draw_sequence
from motion324.trajectories.result_files import outlined
from motion324.video.decoding import read_frames
from motion324.video.writing import VideoFile, write_webm
from motion324.view.rasteriser import render

TURNTABLE_SIZE = 512
TURNTABLE_ELEVATION = 10.0
LONGEST = 240  # frames of the turntable; of a longer animation every second, third, ... is drawn
log = logging.getLogger(__name__)

SIDE = 288  # pixels of each picture
FINER = 2
FOCAL, AZIMUTH, ELEVATION = 1.6, 40.0, 12.0


def write_fbx(path: Path, glb: Path, fps: float, blender: Path, progress: Progress) -> None:
    """The animated .glb as .fbx with shape keys and embedded textures. Raises Motion324Error("export-failed")."""
    script = blender_script("blender_fbx_script.py")

    def tell(stage: str, done: int, total: int) -> None:
        progress("write", done, total)

    try:
        run_in_blender(blender, script, [str(glb.resolve()), str(path.resolve()), repr(fps)], glb, tell)
    except Motion324Error as error:
        if error.code != "mesh-unreadable":
            raise
        said = error.sentence.split("': ", 1)[-1]
        raise told_full(path, said) or Motion324Error(
            "export-failed",
            f"Blender could not write '{path.name}': {said}",
            f"Import {glb.name}, which has the same animation, in Blender.",
            EXIT_BACKEND,
        ) from error


def write_turntable(path: Path, mesh: ReferenceMesh, trajectory: Trajectory, blender: Path, progress: Progress) -> None:
    """One turn around the object while it moves, on white. Raises Motion324Error("render-failed")."""
    positions = normalised_by_first_frame(trajectory.positions)
    step = int(np.ceil(len(positions) / LONGEST))
    positions = positions[::step]
    look = Look(size=TURNTABLE_SIZE, azimuths=(0.0,), elevation=TURNTABLE_ELEVATION, turns=1.0).seeing(positions)
    (view,) = draw_sequence(positions, mesh, look, blender, progress)
    with VideoFile(path, trajectory.fps / step) as video:
        for picture in view:
            video.write(picture)


def write_preview(
    path: Path, clip: VideoClip, masks: Masks, mesh: ReferenceMesh, trajectory: Trajectory, progress: Progress
) -> bool:
    """All frames, four pictures side by side; False, with a warning in the log, where WebM cannot be written."""
    written = write_webm(path, _rows(clip, masks, mesh, trajectory, progress), trajectory.fps)
    if not written:
        log.warning("This OpenCV cannot write WebM: the page has pictures, but no film.")
    return written


def as_webm(video: Path, target: Path, progress: Progress) -> bool:
    """A video of ours once more as browsers play it; False where WebM cannot be written."""
    clip = read_frames(video, (None, None, 1), lambda stage, done, total: progress("report", done, total))
    return write_webm(target, iter(clip.frames), clip.fps)


def drawn(positions: np.ndarray, mesh: ReferenceMesh, view: View) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8 on white; positions (N, 3) and mesh in normalised space."""
    image, _ = render(positions, mesh, view, FINER * SIDE, FINER * SIDE)
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def view_from(azimuth: float, elevation: float, reach: float) -> View:
    """A camera that sees all within `reach` of the origin. Angles in degrees."""
    return look_at_origin(azimuth, elevation, distance=1.05 * reach * float(np.hypot(1, 2 * FOCAL)), focal=FOCAL)


def as_seen(positions: np.ndarray, mesh: ReferenceMesh, view: View, height: int, width: int) -> np.ndarray:
    """The mesh as the video's camera sees it, on a square as `squared` makes it."""
    scale = SIDE / max(height, width)
    tall, wide = max(1, round(scale * height)), max(1, round(scale * width))
    image, _ = render(positions, mesh, view, FINER * tall, FINER * wide)
    return squared(cv2.resize(image, (wide, tall), interpolation=cv2.INTER_AREA))


def squared(picture: np.ndarray) -> np.ndarray:
    """picture (H, W, 3) uint8 -> (SIDE, SIDE, 3), whole, on white."""
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    tall, wide = max(1, round(scale * height)), max(1, round(scale * width))
    top, left = (SIDE - tall) // 2, (SIDE - wide) // 2
    out = np.full((SIDE, SIDE, 3), 255, np.uint8)
    out[top : top + tall, left : left + wide] = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA)
    return out


def reach_of(trajectory: Trajectory, normalisation: Normalisation) -> float:
    """How far the animation gets from the middle of the mesh, in normalised space."""
    return max(float(np.linalg.norm(normalisation.to_normalised(pose), axis=1).max()) for pose in trajectory.positions)


def _rows(
    clip: VideoClip, masks: Masks, mesh: ReferenceMesh, trajectory: Trajectory, progress: Progress
) -> Iterator[np.ndarray]:
    normalised, normalisation = normalised_mesh(mesh)
    turned = view_from(AZIMUTH, ELEVATION, reach_of(trajectory, normalisation))
    height, width = clip.frames.shape[1:3]
    for index, pose in enumerate(trajectory.positions):
        progress("report", index, len(trajectory.positions))
        positions = normalisation.to_normalised(pose)
        frame = clip.frames[index]
        yield np.hstack(
            [
                squared(frame),
                squared(outlined(frame, masks[index] > 0.5)),
                as_seen(positions, normalised, trajectory.view, height, width),
                drawn(positions, normalised, turned),
            ]
        )
