"""Holds what an evaluation finds as plain data, reads and writes it as JSON, sums it up over clips, and lays it out as
a table for the terminal.

The list of what is measured has its words for people. How sure a mean over clips is, the percentile bootstrap says (B.
Efron, Bootstrap methods: another look at the jackknife, 1979).
"""

from __future__ import annotations

import dataclasses
import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files import json_text
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.evaluation.protocols import get_protocol
from motion324.evaluation.release import SPLITS

RESAMPLES = 10_000
LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """mean over `clips` clips; low and high: its interval of confidence LEVEL, which is a point for a single clip."""

    mean: float
    low: float
    high: float
    clips: int


def summarise(values: np.ndarray, seed: int = 0) -> Summary:
    """values (C,), finite, at least one: of one metric, by clip."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(values), (RESAMPLES, len(values)))
    means = values[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Summary(float(values.mean()), float(low), float(high), len(values))


FORMAT = "motion324-evaluation-1"


@dataclass(frozen=True)
class Problem:
    """Why a clip has no scores, or lacks some. code: for programs; sentence: for people."""

    code: str
    sentence: str


@dataclass(frozen=True)
class ClipResult:
    """One clip. values: by metric, over all its frames. per_frame: by metric, one value a frame, NaN where there is
    none. alignment: the similarity that was applied to the prediction. seconds: that the scoring took.
    """

    name: str
    split: str
    prediction: str
    frames: int = 0
    values: dict[str, float] = field(default_factory=dict)
    per_frame: dict[str, tuple[float, ...]] = field(default_factory=dict)
    alignment: dict[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """summaries: by split ("all", "short", "long") and metric, over the clips that have it. overall: metrics that only
    all clips together have. left_out: metrics that were asked for but could not run, with the reason.
    """

    protocol: str
    title: str
    notes: tuple[str, ...]
    settings: dict[str, Any]
    release: str
    predictions: str
    clips: tuple[ClipResult, ...]
    summaries: dict[str, dict[str, Summary]]
    versions: dict[str, str]
    overall: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """With the clips' names."""
        return [(clip.name, problem) for clip in self.clips for problem in clip.problems]


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Plain values; NaN becomes null."""
    values: dict[str, Any] = _plain({"format": FORMAT, **dataclasses.asdict(evaluation)})
    return values


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Makes the folder, too. Raises Motion324Error("disk-full" or "cannot-write")."""
    with explained_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        aside.write_text(json.dumps(to_json(evaluation), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Evaluation:
    """Raises Motion324Error("evaluation-unreadable")."""
    try:
        values = json_text.read_json(path.read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise ValueError(f"it is not of the format {FORMAT}")
        values["clips"] = tuple(_clip(clip) for clip in values["clips"])
        values["summaries"] = {
            split: {name: Summary(**summary) for name, summary in metrics.items()}
            for split, metrics in values["summaries"].items()
        }
        values["notes"] = tuple(values["notes"])
        return Evaluation(**values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Motion324Error(
            "evaluation-unreadable",
            f"'{path}' is no evaluation that can be read: it is missing, damaged, or of another version.",
            "Give a file that `motion324 evaluate --json` has written.",
            EXIT_USAGE,
        ) from error


def _clip(values: dict[str, Any]) -> ClipResult:
    values["problems"] = tuple(Problem(**problem) for problem in values["problems"])
    values["per_frame"] = {
        name: tuple(math.nan if value is None else value for value in series)
        for name, series in values["per_frame"].items()
    }
    return ClipResult(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if not math.isfinite(value) else float(f"{value:.9g}")
    return value


def summarise_results(results: Sequence[ClipResult]) -> dict[str, dict[str, Summary]]:
    """By split ("all" first) and metric, over the clips that have it; splits without any are left out."""
    splits = {"all": list(results), **{split: [r for r in results if r.split == split] for split in SPLITS}}
    out: dict[str, dict[str, Summary]] = {}
    for split, members in splits.items():
        names = dict.fromkeys(name for result in members for name in result.values)
        out[split] = {
            name: summarise(np.array([result.values[name] for result in members if name in result.values]))
            for name in names
        }
    return {split: metrics for split, metrics in out.items() if metrics}


@dataclass(frozen=True)
class Metric:
    """title: for tables. meaning: one line. higher: whether a higher value is better; None where nearer to the truth's
    own value is."""

    title: str
    meaning: str
    higher: bool | None = False


METRICS: dict[str, Metric] = {
    "chamfer": Metric("CD", "sum of both mean nearest distances between sampled surfaces, unsquared"),
    "f_0.01": Metric("F 0.01", "F-score at 0.01", True),
    "f_0.02": Metric("F 0.02", "F-score at 0.02", True),
    "f_0.05": Metric("F 0.05", "F-score at 0.05", True),
    "surface_accuracy": Metric("pred to surf", "mean distance of predicted points from the true surface"),
    "surface_completeness": Metric("true to surf", "mean distance of true points from the predicted surface"),
    "surface_distance": Metric("surface", "sum of both mean distances from points to the other surface"),
    "vertex_error": Metric("vertex error", "mean distance of corresponding vertices"),
    "vertex_error_ratio": Metric("error/still", "vertex error over that of the true first frame held still"),
    "trajectory_error": Metric("trajectory", "mean distance of the vertices' ways since the first frame"),
    "trajectory_error_ratio": Metric("traj./still", "trajectory error over that of a mesh that does not move"),
    "jitter": Metric("jitter", "mean acceleration over the surface, per frame squared", None),
    "jitter_ratio": Metric("jitter/true", "jitter over the truth's: 1 is as smooth as the truth", None),
    "stretch": Metric("stretch", "change of the edges' lengths since the first frame, over their lengths", None),
    "stretch_ratio": Metric("stretch/true", "stretch over the truth's", None),
    "self_intersection": Metric("cuts itself", "share of triangles that cut another one, of twelve frames at the most"),
    "self_intersection_truth": Metric("truth's cuts", "the same share of the truth", None),
    "cd_3d": Metric("CD-3D", "squared Chamfer distance, each frame aligned rigidly by itself"),
    "cd_4d": Metric("CD-4D", "squared Chamfer distance, aligned rigidly by the first frame"),
    "cd_m": Metric("CD-M", "squared distance of points paired in the first frame, aligned by it"),
    "cd_3d_plain": Metric("CD-3D plain", "CD-3D by plain distances, as the authors' script takes them"),
    "cd_4d_plain": Metric("CD-4D plain", "CD-4D by plain distances"),
    "cd_m_plain": Metric("CD-M plain", "CD-M by plain distances"),
    "chamfer_floor": Metric("CD floor", "CD of the truth's first frame from itself: what sampling alone makes", None),
    "psnr": Metric("PSNR", "of the renders, in decibels, at most 100", True),
    "ssim": Metric("SSIM", "structural similarity of the renders", True),
    "lpips_vgg": Metric("LPIPS VGG", "perceptual distance of the renders by VGG-16, spatial"),
    "lpips_alex": Metric("LPIPS Alex", "perceptual distance of the renders by AlexNet"),
    "dreamsim": Metric("DreamSim", "perceptual distance of the renders by DreamSim"),
    "clip": Metric("CLIP", "cosine of the renders' CLIP embeddings", True),
    "fvd_16": Metric("FVD 16", "Frechet distance of I3D's scores of clips of 16 frames"),
    "fvd_32": Metric("FVD 32", "Frechet distance of I3D's scores of clips of 32 frames"),
}


WIDTH = 120
PICTURES = ("psnr", "ssim", "lpips_vgg", "lpips_alex", "dreamsim", "clip")


def table_lines(evaluation: Evaluation) -> list[str]:
    """One line a clip, then means with their intervals of confidence, then notes and problems."""
    columns = columns_of(evaluation)
    name_width = max([len("clip"), len("mean of short"), *(len(clip.name) for clip in evaluation.clips)])
    widths = [max(len(METRICS[column].title), 9) for column in columns]
    head = "  ".join(f"{METRICS[column].title:>{width}}" for column, width in zip(columns, widths, strict=True))
    lines = [f"{evaluation.title} ({evaluation.protocol})", f"{'clip':{name_width}}  {head}"]
    lines += [f"{clip.name:{name_width}}  {_cells(clip, columns, widths)}" for clip in evaluation.clips]
    for split, summaries in evaluation.summaries.items():
        if split != "all" and len(evaluation.summaries) == 2:
            continue  # one split is all there is
        cells = [number(summaries[c].mean) if c in summaries else "-" for c in columns]
        label = "mean" if split == "all" else f"mean of {split}"
        lines.append(f"{label:{name_width}}  " + "  ".join(f"{c:>{w}}" for c, w in zip(cells, widths, strict=True)))
    lines += _intervals(evaluation, columns)
    if floor := evaluation.summaries.get("all", {}).get("chamfer_floor"):
        lines.append(
            f"Other samples of the same surface already have a CD of {number(floor.mean)}; surface has no floor."
        )
    lines += [f"{METRICS[metric].title} of all clips together: {number(v)}" for metric, v in evaluation.overall.items()]
    lines += [f"{METRICS[metric].title} is left out. {why}" for metric, why in evaluation.left_out.items()]
    lines += [line for note in evaluation.notes for line in textwrap.wrap(note, WIDTH)]
    problems = evaluation.problems
    if problems:
        lines.append(f"{len({name for name, _ in problems})} of {len(evaluation.clips)} clips have problems:")
        lines += [f"  {name}: {problem.sentence}" for name, problem in problems]
    return lines


def columns_of(evaluation: Evaluation) -> list[str]:
    """The protocol's columns that any clip has; all of them where none has any."""
    wanted = (*get_protocol(evaluation.protocol).columns, *PICTURES)
    known = [column for column in wanted if any(column in clip.values for clip in evaluation.clips)]
    return known or list(get_protocol(evaluation.protocol).columns)


def number(value: float) -> str:
    """Four digits that matter, without an exponent where that is short."""
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def _cells(clip: ClipResult, columns: list[str], widths: list[int]) -> str:
    cells = [number(clip.values[column]) if column in clip.values else "-" for column in columns]
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _intervals(evaluation: Evaluation, columns: list[str]) -> list[str]:
    summaries = evaluation.summaries.get("all", {})
    told = [
        f"{METRICS[c].title} {number(s.mean)} [{number(s.low)}, {number(s.high)}]"
        for c in columns
        if (s := summaries.get(c)) and s.clips > 1
    ]
    return textwrap.wrap("Means with 95% intervals over clips: " + "; ".join(told), WIDTH) if told else []
