"""Scores of the videos that `motion324 render` makes of truth and prediction."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from motion324.errors import Cancelled, Motion324Error
from motion324.evaluation.results import Evaluation, Problem
from motion324.evaluation.summaries import summarise_results
from motion324.evaluation.video.frechet import frechet_distance
from motion324.evaluation.video.i3d import I3d
from motion324.evaluation.video.lpips import Lpips
from motion324.evaluation.video.package_judges import DEFAULT_CLIP, ClipSimilarity, DreamSim
from motion324.evaluation.video.pixel_metrics import psnr, ssim
from motion324.options import bad_option
from motion324.progress import Progress, silent
from motion324.rendering.comparison_videos import PREDICTION, TRUTH
from motion324.video.decoding import read_video

PICTURE_METRICS = ("psnr", "ssim", "lpips_vgg", "lpips_alex", "dreamsim", "clip")
METRICS = (*PICTURE_METRICS, "fvd_16", "fvd_32")
AT_ONCE = 4  # pictures or clips that a network sees together

PerFrame = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass
class _Judges:
    """pictures: by metric, (B, H, W, 3) twice -> (B,). i3d and clip_lengths: for FVD. left_out: why a metric cannot."""

    pictures: dict[str, PerFrame] = field(default_factory=dict)
    i3d: I3d | None = None
    clip_lengths: tuple[int, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)


def with_video_scores(
    evaluation: Evaluation,
    renders: Path,
    weights: Path | None = None,
    device: str = "cpu",
    metrics: tuple[str, ...] = METRICS,
    clip_model: str = DEFAULT_CLIP,
    progress: Progress = silent,
) -> Evaluation:
    """The evaluation with the scores of renders/NAME/truth_AZIMUTH.mp4 against prediction_AZIMUTH.mp4.

    All but FVD are means over a clip's azimuths and frames; FVD compares all clips of 16 or 32 frames of both sides, so
    that it has one value for all. A metric that cannot run is told in `left_out`, and the others go on; a clip whose
    renders are missing or cannot be compared gets a problem.
    weights: a folder for LPIPS and FVD; None takes what `motion324 weights download` has installed, as DreamSim and
    CLIP do.
    Raises Motion324Error("bad-option") for a metric that is not known, Cancelled.
    """
    judges = _judges(weights, device, metrics, clip_model)
    features: dict[str, list[np.ndarray]] = {}
    clips = []
    for index, clip in enumerate(evaluation.clips):

        def tell(stage: str, done: int, total: int, index: int = index) -> None:
            progress("videos", index, len(evaluation.clips))

        values: dict[str, list[float]] = {}
        problems = clip.problems
        try:
            for pair in _video_pairs(renders / clip.name) if clip.values else ():
                _judge(judges, *_read_pair(pair, tell), values, features, tell)
        except Cancelled:
            raise
        except Motion324Error as error:
            problems = (*problems, Problem(error.code, str(error)))
        found = {metric: float(np.mean(series)) for metric, series in values.items()}
        clips.append(dataclasses.replace(clip, values={**clip.values, **found}, problems=problems))
    overall = {}
    for length in judges.clip_lengths:
        sides = [np.concatenate(features.get(f"{side}_{length}", [np.empty((0, 400))])) for side in (TRUTH, PREDICTION)]
        if len(sides[0]) >= 2:
            overall[f"fvd_{length}"] = frechet_distance(sides[0], sides[1])
        else:
            judges.left_out[f"fvd_{length}"] = f"It needs two clips of {length} frames at least."
    return dataclasses.replace(
        evaluation,
        clips=tuple(clips),
        summaries=summarise_results(clips),
        overall={**evaluation.overall, **overall},
        left_out={**evaluation.left_out, **judges.left_out},
    )


def _judges(weights: Path | None, device: str, metrics: tuple[str, ...], clip_model: str) -> _Judges:
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise bad_option("video-metrics", f"has '{unknown[0]}'; known are {', '.join(METRICS)}")
    judges = _Judges()
    if "psnr" in metrics:
        judges.pictures["psnr"] = lambda a, b: np.array([psnr(x, y) for x, y in zip(a, b, strict=True)])
    if "ssim" in metrics:
        judges.pictures["ssim"] = lambda a, b: np.array([ssim(x, y) for x, y in zip(a, b, strict=True)])
    lengths = []
    for metric in metrics:
        kind, _, variant = metric.partition("_")
        try:
            if kind == "lpips":
                judges.pictures[metric] = Lpips(variant, weights, device, spatial=variant == "vgg").distances
            elif kind == "dreamsim":
                judges.pictures[metric] = DreamSim(device).distances
            elif kind == "clip":
                judges.pictures[metric] = ClipSimilarity(device, clip_model).similarities
            elif kind == "fvd":
                judges.i3d = judges.i3d or I3d(weights, device)
                lengths.append(int(variant))
        except ImportError:
            judges.left_out[metric] = "It needs PyTorch: install the extra 'evaluate'."
        except Motion324Error as error:
            judges.left_out[metric] = str(error)
    judges.clip_lengths = tuple(lengths)
    return judges


def _video_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Raises Motion324Error("renders-missing")."""
    paths = sorted(folder.glob(f"{TRUTH}_*.mp4"))
    pairs = [(path, path.with_name(path.name.replace(TRUTH, PREDICTION, 1))) for path in paths]
    missing = [video for _, video in pairs if not video.is_file()]
    if missing or not pairs:
        raise Motion324Error(
            "renders-missing",
            f"'{missing[0]}' is missing." if missing else f"'{folder}' holds no renders.",
            "Make them by `motion324 render --release ... --predictions ... -o ...`.",
        )
    return pairs


def _read_pair(pair: tuple[Path, Path], progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Both (T, H, W, 3) uint8. Raises Motion324Error: one cannot be read, or they differ in frames or size."""
    true, ours = (read_video(video, progress=progress).frames[..., :3] for video in pair)
    if true.shape != ours.shape:
        shapes = [f"{len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} pixels" for frames in (true, ours)]
        raise Motion324Error(
            "renders-differ",
            f"'{pair[0]}' has {shapes[0]}, but '{pair[1]}' {shapes[1]}.",
            "Make both anew by one `motion324 render`.",
        )
    return true, ours


def _judge(
    judges: _Judges,
    true: np.ndarray,
    ours: np.ndarray,
    values: dict[str, list[float]],
    features: dict[str, list[np.ndarray]],
    progress: Progress,
) -> None:
    """true and ours (T, H, W, 3) uint8: adds to values by metric, and to features by side and length."""
    for metric, judge in judges.pictures.items():
        for start in range(0, len(true), AT_ONCE):
            progress("videos", start, len(true))
            chosen = slice(start, start + AT_ONCE)
            values.setdefault(metric, []).extend(float(value) for value in judge(true[chosen], ours[chosen]))
    if judges.i3d is None:
        return
    for length in judges.clip_lengths:
        for start in range(0, len(true) - length + 1, length):
            progress("videos", start, len(true))
            for side, frames in ((TRUTH, true), (PREDICTION, ours)):
                scores = judges.i3d.scores(frames[None, start : start + length])
                features.setdefault(f"{side}_{length}", []).append(scores)
