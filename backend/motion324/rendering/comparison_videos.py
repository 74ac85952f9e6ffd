"""Draws truth and prediction so that they can be compared: one light, one camera, one normalisation.

renders/NAME/render.json records which prediction the videos in that folder show, and how.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.core.files.input_files import file_state
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.evaluation.alignment import Alignment, Source, align, mesh_target
from motion324.evaluation.mesh_sequence import MeshSequence, normalised_by_first_frame
from motion324.evaluation.predictions import find_prediction, made_mesh, read_prediction
from motion324.evaluation.release import ReleaseClip
from motion324.mesh.files.reading import read_mesh
from motion324.rendering.result_videos import Look, draw_sequence, plain_mesh
from motion324.video.writing import VideoFile

RECORD = "render.json"
TRUTH, PREDICTION = "truth", "prediction"
AGAIN = "Make them by `motion324 render --release ... --predictions ... -o ...`."


def video_name(side: str, azimuth: float) -> str:
    return f"{side}_{azimuth:03.0f}.mp4"


def forget_record(folder: Path) -> None:
    """Before videos are made anew: those of two runs must not count as one. Raises Motion324Error("cannot-write")."""
    with explained_write_errors(folder / RECORD):
        (folder / RECORD).unlink(missing_ok=True)


def write_record(folder: Path, prediction: Path, look: Look, alignment: Alignment) -> None:
    """After all videos of the folder. Raises Motion324Error("disk-full" or "cannot-write")."""
    record = {
        "prediction": file_state(prediction),
        "size": look.size,
        "azimuths": list(look.azimuths),
        "elevation": look.elevation,
        "alignment": alignment.described(),
    }
    with written_aside(folder / RECORD) as aside:
        aside.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def recorded_pairs(folder: Path, prediction: Path) -> list[tuple[Path, Path]]:
    """The videos of truth and prediction that were made together, which are all there.

    Raises Motion324Error: renders-missing (also where the record is, as after a run that was stopped), or
    renders-of-another-prediction, where `prediction` is not, or no longer, what they show. It may have been moved.
    """
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        shown, azimuths = _without_path(record["prediction"]), [float(azimuth) for azimuth in record["azimuths"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Motion324Error(
            "renders-missing", f"'{folder}' holds no complete renders: its {RECORD} is missing or unreadable.", AGAIN
        ) from error
    if shown != _without_path(file_state(prediction)):
        raise Motion324Error(
            "renders-of-another-prediction",
            f"The renders in '{folder}' do not show '{prediction}' as it is now, but '{record['prediction']['path']}'.",
            AGAIN,
        )
    pairs = [(folder / video_name(TRUTH, azimuth), folder / video_name(PREDICTION, azimuth)) for azimuth in azimuths]
    for video in (video for pair in pairs for video in pair):
        if not video.is_file():
            raise Motion324Error("renders-missing", f"'{video}' is missing.", AGAIN)
    return pairs


def _without_path(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != "path"}


log = logging.getLogger(__name__)

FPS = 16.0


@dataclass(frozen=True)
class Compared:
    """What was written of a clip, by side one file an azimuth; or the problem."""

    name: str
    files: tuple[Path, ...] = ()
    problem: Motion324Error | None = None


def write_comparisons(
    clips: tuple[ReleaseClip, ...],
    predictions: Path,
    output: Path,
    look: Look,
    fps: float = FPS,
    blender: Path | None = None,
    progress: Progress = silent,
) -> Iterator[Compared]:
    """output/NAME/truth_AZIMUTH.mp4 and prediction_AZIMUTH.mp4 of each clip, on white, and last its render.json.

    The prediction is aligned by its first frame, as the protocol "motion80" does it; the camera is as far away as both
    sides need.
    """
    for clip in clips:
        try:
            yield Compared(clip.name, _write_clip(clip, predictions, output / clip.name, look, fps, blender, progress))
        except Motion324Error as error:
            if error.code == "cancelled":
                raise
            yield Compared(clip.name, problem=error)


def _write_clip(
    clip: ReleaseClip,
    predictions: Path,
    folder: Path,
    look: Look,
    fps: float,
    blender: Path | None,
    progress: Progress,
) -> tuple[Path, ...]:
    truth = clip.read_truth()
    path = find_prediction(predictions, clip.name)
    predicted = read_prediction(path, clip.fps, len(truth.positions), blender, progress)
    true, ours = normalised_by_first_frame(truth.positions), normalised_by_first_frame(predicted.positions)
    found = align(
        Source(ours[0], predicted.faces, (0, 1)), mesh_target(true[0], truth.faces, (0, 0)), progress=progress
    )
    aligned = found.transform.apply(ours)
    look = look.seeing(true, aligned)
    with explained_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    forget_record(folder)
    files = []
    sides = ((TRUTH, true, truth, None), (PREDICTION, aligned, predicted, made_mesh(path)))
    for side, positions, sequence, own in sides:
        views = draw_sequence(positions, _coloured(own or clip.mesh, sequence), look, blender, progress)
        for azimuth, view in zip(look.azimuths, views, strict=True):
            files.append(folder / video_name(side, azimuth))
            with VideoFile(files[-1], fps) as video:
                for picture in view:
                    video.write(picture)
    write_record(folder, path, look, found)
    return tuple(files)


def _coloured(path: Path, sequence: MeshSequence) -> ReferenceMesh:
    """The mesh at `path` with its colours where it has just these triangles, else a grey one."""
    try:
        mesh = read_mesh(path)
    except Motion324Error as error:
        log.info("%s is drawn in grey: %s", sequence.source, error)
    else:
        if len(mesh.positions) == sequence.positions.shape[1] and np.array_equal(mesh.faces, sequence.faces):
            return mesh
    return plain_mesh(sequence.positions[0], sequence.faces)
