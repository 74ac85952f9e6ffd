"""Scores the videos that `motion324 render` makes of truth and prediction."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.progress import Progress, silent
from motion324.evaluation.results import ClipResult, Evaluation, Problem, summarise_results
from motion324.evaluation.video.judges import METRICS, Judges, PairScores
from motion324.evaluation.video.judging_networks import DEFAULT_CLIP
from motion324.video.decoding import read_video

log = logging.getLogger(__name__)

# From the folder of a clip's renders and the prediction that they should show to the videos of truth and prediction.
RecordedPairs = Callable[[Path, Path], list[tuple[Path, Path]]]


def with_video_scores(
    evaluation: Evaluation,
    renders: Path,
    recorded_pairs: RecordedPairs,
    weights: Path | None = None,
    device: str = "cpu",
    metrics: tuple[str, ...] = METRICS,
    clip_model: str = DEFAULT_CLIP,
    progress: Progress = silent,
) -> Evaluation:
    """The evaluation with the scores of renders/NAME/truth_AZIMUTH.mp4 against prediction_AZIMUTH.mp4.

    All but FVD are means over a clip's azimuths and frames; FVD compares all clips of 16 or 32 frames of both sides, so
    that it has one value for all. A metric that cannot run, or fails on any clip, is told in `left_out`, and the others
    go on; a clip whose renders are missing, show another prediction or cannot be compared gets a problem.
    recorded_pairs: finds a clip's videos, as `rendering.comparison_videos.recorded_pairs` does.
    weights: a folder for LPIPS and FVD; None takes what `motion324 weights download` has installed, as DreamSim and
    CLIP do. device: of the networks.
    Raises Motion324Error("bad-option") for a metric or a CLIP model that is not known, Cancelled.
    """
    judges = Judges(metrics, weights, device, clip_model)
    found: list[PairScores] = []
    problems: list[tuple[Problem, ...]] = []
    for index, clip in enumerate(evaluation.clips):

        def tell(stage: str, done: int, total: int, index: int = index) -> None:
            progress("videos", index, len(evaluation.clips))

        scores, problem = _clip_scores(
            judges, clip, lambda clip: recorded_pairs(renders / clip.name, Path(clip.prediction)), tell
        )
        found.append(scores)
        problems.append((*clip.problems, problem) if problem else clip.problems)
    together = PairScores()
    for scores in found:
        together.add(scores)
    overall = judges.overall(together.features)
    clips = tuple(
        dataclasses.replace(clip, values={**clip.values, **_means(scores, judges.kept)}, problems=its_problems)
        for clip, scores, its_problems in zip(evaluation.clips, found, problems, strict=True)
    )
    settings = {**evaluation.settings, "renders": str(renders)}
    if "clip" in judges.kept:
        settings["clip_model"] = clip_model
    return dataclasses.replace(
        evaluation,
        settings=settings,
        clips=clips,
        summaries=summarise_results(clips),
        overall={**evaluation.overall, **overall},
        left_out={**evaluation.left_out, **judges.left_out},
    )


def _clip_scores(
    judges: Judges,
    clip: ClipResult,
    pairs: Callable[[ClipResult], list[tuple[Path, Path]]],
    progress: Progress,
) -> tuple[PairScores, Problem | None]:
    """Of all azimuths; nothing where one of them has a problem, and nothing of a clip without other scores."""
    found = PairScores()
    try:
        for pair in pairs(clip) if clip.values else ():
            found.add(judges.scores(*_read_pair(pair, progress), progress))
    except Cancelled:
        raise
    except Motion324Error as error:
        return PairScores(), Problem(error.code, str(error))
    except Exception as error:  # one clip's defect leaves the others alone
        log.exception("Reading the renders of %s failed", clip.name)
        sentence = f"A defect of this program stopped the reading of its renders ({type(error).__name__}: {error})."
        return PairScores(), Problem("internal", sentence)
    return found, None


def _means(scores: PairScores, kept: tuple[str, ...]) -> dict[str, float]:
    return {metric: float(np.mean(series)) for metric, series in scores.values.items() if metric in kept}


def _read_pair(pair: tuple[Path, Path], progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Both (T, H, W, 3) uint8 at their own size. Raises Motion324Error: one cannot be read, or they differ in frames or
    size."""
    true, ours = (read_video(video, progress=progress, reduce=False).frames[..., :3] for video in pair)
    if true.shape != ours.shape:
        shapes = [f"{len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} pixels" for frames in (true, ours)]
        raise Motion324Error(
            "renders-differ",
            f"'{pair[0]}' has {shapes[0]}, but '{pair[1]}' {shapes[1]}.",
            "Make both anew by one `motion324 render`.",
        )
    return true, ours
