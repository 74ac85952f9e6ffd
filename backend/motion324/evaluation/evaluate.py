"""Scores every clip of a benchmark against its prediction: evaluate() tells the whole story."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_USAGE, Cancelled, Motion324Error
from motion324.core.processes.machine import versions
from motion324.core.progress import Progress, silent
from motion324.evaluation.correspondence import TrackedPoints, read_tracked_points
from motion324.evaluation.mesh_sequence import MeshSequence, bad_sequence
from motion324.evaluation.neighbours import check_neighbour_device
from motion324.evaluation.predictions import find_prediction, read_prediction
from motion324.evaluation.protocols import ALIGNMENTS, DEFAULT, Protocol, get_protocol
from motion324.evaluation.release import ReleaseClip, read_release
from motion324.evaluation.results import ClipResult, Evaluation, Problem, summarise_results
from motion324.evaluation.scoring import Scores, score, score_tracked

log = logging.getLogger(__name__)

OnClip = Callable[[ClipResult], None]


def evaluate(
    release: Path,
    predictions: Path,
    protocol: str = DEFAULT,
    *,
    alignment: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    clips: tuple[str, ...] = (),
    any_topology: bool = False,
    device: str = "cpu",
    blender: Path | None = None,
    progress: Progress = silent,
    on_clip: OnClip | None = None,
) -> Evaluation:
    """Scores the prediction of every clip of the benchmark; what is wrong with a clip stands in its result.

    release: a benchmark in Motion80's layout, or in ActionBench's for its protocol.
    predictions: see motion324.evaluation.predictions.FORMS.
    alignment: "none" or "icp" instead of the protocol's own. samples: points on each surface. clips: only these.
    any_topology: a prediction with other vertices or triangles than the truth is no problem (it never gets the
        measures that need corresponding vertices).
    device: "cpu", or "cuda" for the nearest neighbours. blender: reads GLB, FBX and Alembic; None looks for one.
    progress: counts clips; it is called several times a second all the same. on_clip: gets each result at once.
    Raises Motion324Error: an option or the benchmark itself cannot be used; Cancelled.
    """
    chosen = chosen_protocol(protocol, alignment, samples)
    check_neighbour_device(device)
    listed = read_release(release, clips)
    if not predictions.is_dir():
        raise Motion324Error(
            "predictions-missing", f"The folder of predictions '{predictions}' does not exist.", exit_code=EXIT_USAGE
        )
    results = []
    for index, clip in enumerate(listed):

        def tell(stage: str, done: int, total: int, index: int = index) -> None:
            progress("evaluate", index, len(listed))

        tell("read", 0, 1)
        results.append(_evaluate_clip(clip, predictions, chosen, seed, any_topology, device, blender, tell))
        if on_clip:
            on_clip(results[-1])
    return Evaluation(
        protocol=chosen.name,
        title=chosen.title,
        notes=chosen.notes,
        settings={"alignment": chosen.alignment, "samples": chosen.samples, "seed": seed, "any_topology": any_topology},
        release=str(release),
        predictions=str(predictions),
        clips=tuple(results),
        summaries=summarise_results(results),
        versions=versions(),
    )


def chosen_protocol(name: str, alignment: str | None, samples: int | None) -> Protocol:
    """With these in place of its own. Raises Motion324Error("bad-option") for what is not known or does not fit."""
    protocol = get_protocol(name)
    if alignment is not None:
        if alignment not in ALIGNMENTS or protocol.name != DEFAULT:
            raise Motion324Error(
                "bad-option",
                f"The alignment '{alignment}' cannot be used with the protocol '{protocol.name}'.",
                f"Choose {' or '.join(ALIGNMENTS)} with '{DEFAULT}'; the other protocols have their own.",
                EXIT_USAGE,
            )
        protocol = dataclasses.replace(protocol, alignment=alignment)
    if samples is not None:
        if samples < 1:
            raise Motion324Error(
                "bad-option", f"The option samples is {samples}; it must be positive.", exit_code=EXIT_USAGE
            )
        protocol = dataclasses.replace(protocol, samples=samples)
    return protocol


def _evaluate_clip(
    clip: ReleaseClip,
    predictions: Path,
    protocol: Protocol,
    seed: int,
    any_topology: bool,
    device: str,
    blender: Path | None,
    progress: Progress,
) -> ClipResult:
    began = time.perf_counter()
    result = ClipResult(clip.name, clip.split, "")
    try:
        truth = _read_truth(clip, protocol)
        path = find_prediction(predictions, clip.name)
        result = dataclasses.replace(result, prediction=str(path))
        predicted = read_prediction(path, clip.fps, len(truth.positions), blender, progress)
        if protocol.alignment != "published":
            _check_frame_count(truth, predicted)
        if isinstance(truth, TrackedPoints):
            scores = score_tracked(truth, predicted, protocol, seed, device, progress)
        else:
            scores = score(truth, predicted, protocol, seed, device, progress)
    except Cancelled:
        raise
    except Motion324Error as error:
        return dataclasses.replace(result, problems=(Problem(error.code, str(error)),))
    except Exception as error:  # one clip's defect leaves the others alone
        log.exception("Scoring %s failed", clip.name)
        sentence = f"A defect of this program stopped the scoring ({type(error).__name__}: {error})."
        return dataclasses.replace(result, problems=(Problem("internal", sentence),))
    return dataclasses.replace(
        result,
        frames=len(predicted.positions),
        values={name: value for name, value in scores.values.items() if np.isfinite(value)},
        per_frame={name: tuple(float(value) for value in series) for name, series in scores.per_frame.items()},
        alignment=scores.alignment,
        problems=() if any_topology else _topology_problems(path, scores),
        seconds=round(time.perf_counter() - began, 3),
    )


def _read_truth(clip: ReleaseClip, protocol: Protocol) -> MeshSequence | TrackedPoints:
    if clip.tracked is not None and protocol.name == "actionbench":
        return read_tracked_points(clip.tracked)
    return clip.read_truth()


def _check_frame_count(truth: MeshSequence | TrackedPoints, predicted: MeshSequence) -> None:
    found, wanted = len(predicted.positions), len(truth.positions)
    if found != wanted:
        raise bad_sequence(
            "frame-count-differs", f"'{predicted.source}' has {found} frames where the truth has {wanted}."
        )


def _topology_problems(path: Path, scores: Scores) -> tuple[Problem, ...]:
    if not scores.differs:
        return ()
    return (
        Problem(
            "topology-differs",
            f"'{path}' {scores.differs}, so that measures of corresponding vertices are left out.",
        ),
    )
