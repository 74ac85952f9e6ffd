"""Holds what an evaluation finds as plain data, reads and writes it as JSON, and sums it up over clips.

How sure a mean over clips is, the percentile bootstrap says (B. Efron, Bootstrap methods: another look
at the jackknife, 1979).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.write_aside import explained_write_errors, written_aside
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
        values = json.loads(path.read_text(encoding="utf-8"))
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
            f"'{path}' is no evaluation that can be read ({type(error).__name__}: {error}).",
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
