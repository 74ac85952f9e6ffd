"""Compares two evaluations, and says whether their difference is more than chance: paired bootstrap over clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.evaluation.results import METRICS, Evaluation, Summary, summarise

FEWEST_CLIPS = 5  # below this an interval of resampled clips means little
MUST_AGREE = {"alignment": "alignments", "samples": "samples"}  # settings, with their names for people


@dataclass(frozen=True)
class Difference:
    """One metric over the clips that both have. first, second: means. difference: second minus first, clip by clip.
    better: "first", "second" or "neither". significant: its interval of 95% leaves out 0, with FEWEST_CLIPS or more.
    """

    metric: str
    first: float
    second: float
    difference: Summary
    better: str
    significant: bool


@dataclass(frozen=True)
class OverallDifference:
    """One metric that only all clips of a side together have, so that there is no interval. first, second: its values.
    difference: second minus first. better: "first", "second" or "neither".
    """

    metric: str
    first: float
    second: float
    difference: float
    better: str


@dataclass(frozen=True)
class Comparison:
    """clips: that both have scores of. left_out: clips that only one has, though they count in `overall`."""

    clips: tuple[str, ...]
    left_out: tuple[str, ...]
    differences: tuple[Difference, ...]
    overall: tuple[OverallDifference, ...] = ()


def compare(first: Evaluation, second: Evaluation, seed: int = 0) -> Comparison:
    """Raises Motion324Error("not-comparable") where both were scored in different ways or share no clip."""
    if first.protocol != second.protocol:
        raise _not_comparable(f"one was scored by '{first.protocol}', the other by '{second.protocol}'")
    must_agree = dict(MUST_AGREE)
    if all("clip" in side.summaries.get("all", {}) for side in (first, second)):
        must_agree["clip_model"] = "CLIP models"
    for setting, title in must_agree.items():
        theirs = [side.settings.get(setting, "unknown") for side in (first, second)]
        if theirs[0] != theirs[1]:
            raise _not_comparable(f"their {title} differ: {theirs[0]} and {theirs[1]}")
    values = [{clip.name: clip.values for clip in side.clips if clip.values} for side in (first, second)]
    shared = tuple(name for name in values[0] if name in values[1])
    if not shared:
        raise _not_comparable("they share no clip that has scores")
    differences = []
    for metric in METRICS:
        pairs = np.array(
            [
                (values[0][name][metric], values[1][name][metric])
                for name in shared
                if metric in values[0][name] and metric in values[1][name]
            ]
        )
        if len(pairs) and not metric.endswith(("_truth", "_floor")):
            differences.append(_difference(metric, pairs, seed))
    left_out = tuple(sorted(set(values[0]) ^ set(values[1])))
    overall = tuple(
        _overall_difference(metric, first.overall[metric], second.overall[metric])
        for metric in METRICS
        if metric in first.overall and metric in second.overall
    )
    return Comparison(shared, left_out, tuple(differences), overall)


def _overall_difference(metric: str, first: float, second: float) -> OverallDifference:
    better = "neither"
    if first != second:
        better = "second" if (second > first) == METRICS[metric].higher else "first"
    return OverallDifference(metric, first, second, second - first, better)


def _difference(metric: str, pairs: np.ndarray, seed: int) -> Difference:
    """pairs (C, 2)."""
    judged = pairs
    higher = METRICS[metric].higher
    if metric.endswith("_ratio") and higher is None:
        judged = -np.abs(np.log(np.maximum(pairs, 1e-6)))  # how far from the truth's own 1
        higher = True
    judgement = summarise(judged[:, 1] - judged[:, 0], seed)
    certain = (judgement.low > 0 or judgement.high < 0) and len(pairs) >= FEWEST_CLIPS
    better = "neither"
    if higher is not None and judgement.mean != 0:
        better = "second" if (judgement.mean > 0) == higher else "first"
    return Difference(
        metric,
        float(pairs[:, 0].mean()),
        float(pairs[:, 1].mean()),
        summarise(pairs[:, 1] - pairs[:, 0], seed),
        better,
        certain and better != "neither",
    )


def _not_comparable(why: str) -> Motion324Error:
    return Motion324Error(
        "not-comparable",
        f"The two evaluations cannot be compared: {why}.",
        "Score both with the same options of `motion324 evaluate`.",
        EXIT_USAGE,
    )
