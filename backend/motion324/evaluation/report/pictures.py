"""Draws what the page shows of a clip: input, truth and prediction side by side, as pictures and as a video."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from motion324.core.errors import Motion324Error
from motion324.core.progress import Progress
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.view import View, look_at_origin
from motion324.evaluation.mesh_sequence import MeshSequence, Similarity, normalised_by_first_frame
from motion324.evaluation.predictions import made_mesh, read_prediction
from motion324.evaluation.release import ReleaseClip
from motion324.evaluation.results import ClipResult
from motion324.mesh.colours import colours_at
from motion324.mesh.files.reading import read_mesh
from motion324.video.decoding import read_video
from motion324.video.writing import write_webm
from motion324.view.rasteriser import face_normals, rasterise

log = logging.getLogger(__name__)

SIZE = 240  # pixels, of each picture's sides
FINER = 2
FOCAL, AZIMUTH, ELEVATION = 1.6, 35.0, 15.0
TRUTH_COLOUR, PREDICTION_COLOUR = (0.42, 0.55, 0.68), (0.80, 0.52, 0.25)
DEFAULT_FPS = 12.0
JPEG_QUALITY = 82


@dataclass(frozen=True)
class Panels:
    """T frames of SIZE x SIZE pixels each, uint8 RGB; `inputs` is None where the clip has no video."""

    inputs: np.ndarray | None
    truth: np.ndarray
    prediction: np.ndarray
    fps: float

    def row(self, index: int) -> np.ndarray:
        """One frame of all of them beside each other."""
        parts = [self.inputs[min(index, len(self.inputs) - 1)]] if self.inputs is not None else []
        last = len(self.truth) - 1
        return np.hstack([*parts, self.truth[min(index, last)], self.prediction[index]])


def draw_panels(clip: ReleaseClip, result: ClipResult, blender: Path | None, progress: Progress) -> Panels | None:
    """None, with a warning in the log, where truth or prediction cannot be read."""
    try:
        truth = clip.read_truth()
        predicted = read_prediction(Path(result.prediction), clip.fps, len(truth.positions), blender, progress)
    except Motion324Error as error:
        log.warning("%s: no pictures: %s", clip.name, error)
        return None
    transform = Similarity(
        np.array(result.alignment["rotation"]), np.array(result.alignment["shift"]), result.alignment["scale"]
    )
    true = normalised_by_first_frame(truth.positions)
    ours = transform.apply(normalised_by_first_frame(predicted.positions))
    own = made_mesh(Path(result.prediction)) or clip.mesh
    view = _view(true)
    return Panels(
        _inputs(clip, progress),
        _drawn(true, _painted(clip.mesh, truth, TRUTH_COLOUR), view, progress),
        _drawn(ours, _painted(own, predicted, PREDICTION_COLOUR), view, progress),
        clip.fps or DEFAULT_FPS,
    )


def _view(true: np.ndarray) -> View:
    """From far enough away to see the truth (T, N, 3) in all its frames."""
    reach = float(np.linalg.norm(true, axis=2).max())
    return look_at_origin(AZIMUTH, ELEVATION, distance=1.05 * reach * np.hypot(1, 2 * FOCAL), focal=FOCAL)


def _painted(path: Path, sequence: MeshSequence, otherwise: tuple[float, float, float]) -> ReferenceMesh:
    """The mesh at `path` with its colours where it has just these vertices, else one of one colour."""
    material = np.zeros(len(sequence.faces), np.int32)
    plain = ReferenceMesh(sequence.positions[0], sequence.faces, material, (Material(base_colour=(*otherwise, 1.0)),))
    try:
        mesh = read_mesh(path)
    except Motion324Error:
        return plain
    if len(mesh.positions) != sequence.positions.shape[1]:
        return plain
    if np.array_equal(mesh.faces, sequence.faces):
        return mesh
    if mesh.vertex_colour is None:
        return plain
    return ReferenceMesh(sequence.positions[0], sequence.faces, material, vertex_colour=mesh.vertex_colour)


def _drawn(positions: np.ndarray, mesh: ReferenceMesh, view: View, progress: Progress) -> np.ndarray:
    """(T, SIZE, SIZE, 3): lit from the camera, on white."""
    frames = np.empty((len(positions), SIZE, SIZE, 3), np.uint8)
    for index, frame in enumerate(positions):
        progress("report", index, len(positions))
        raster = rasterise(frame, mesh.faces, view, FINER * SIZE, FINER * SIZE)
        seen = raster.mask
        facing = np.abs(face_normals(frame, mesh.faces[raster.face[seen]]) @ view.rotation[2])
        shade = colours_at(mesh, raster.face[seen], raster.barycentric[seen]) * (0.4 + 0.6 * facing[:, None])
        image = np.full((FINER * SIZE, FINER * SIZE, 3), 255, np.uint8)
        image[seen] = np.clip(255 * shade + 0.5, 0, 255).astype(np.uint8)
        frames[index] = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return frames


def _inputs(clip: ReleaseClip, progress: Progress) -> np.ndarray | None:
    """(T, SIZE, SIZE, 3), on white where the video is not square."""
    source = clip.video_file or clip.images  # a file has a frame rate, and is read faster
    if not source.exists():
        return None
    try:
        frames = read_video(source, progress=progress).frames
    except Motion324Error as error:
        log.warning("%s: no input in the pictures: %s", clip.name, error)
        return None
    height, width = frames.shape[1:3]
    scale = SIZE / max(height, width)
    tall, wide = max(1, round(scale * height)), max(1, round(scale * width))
    top, left = (SIZE - tall) // 2, (SIZE - wide) // 2
    out = np.full((len(frames), SIZE, SIZE, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        out[index, top : top + tall, left : left + wide] = cv2.resize(
            frame[..., :3], (wide, tall), interpolation=cv2.INTER_AREA
        )
    return out


def as_data_url(image: np.ndarray) -> str:
    """image (H, W, 3) uint8 RGB as a JPEG that stands in the page itself."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError("OpenCV cannot encode JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def write_clip_video(path: Path, panels: Panels) -> bool:
    """All frames; False, with a warning in the log, where this OpenCV cannot write videos for a page."""
    written = write_webm(path, (panels.row(index) for index in range(len(panels.prediction))), panels.fps)
    if not written:
        log.warning("This OpenCV cannot write WebM: the report has pictures, but no videos.")
    return written
