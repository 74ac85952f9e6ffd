"""Which of two evaluations is better, and whether that is more than chance: paired bootstrap over clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from motion324.errors import EXIT_USAGE, Motion324Error
from motion324.evaluation.metrics import METRICS
from motion324.evaluation.results import Evaluation
from motion324.evaluation.statistics import Summary, summarise

FEWEST_CLIPS = 5  # below this an interval of resampled clips means little
MUST_AGREE = ("alignment", "samples")


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
class Comparison:
    """clips: that both have scores of. left_out: clips that only one has."""

    clips: tuple[str, ...]
    left_out: tuple[str, ...]
    differences: tuple[Difference, ...]


def compare(first: Evaluation, second: Evaluation, seed: int = 0) -> Comparison:
    """Raises Motion324Error("not-comparable") where both were scored in different ways or share no clip."""
    if first.protocol != second.protocol:
        raise _not_comparable(f"one was scored by '{first.protocol}', the other by '{second.protocol}'")
    for setting in MUST_AGREE:
        if first.settings.get(setting) != second.settings.get(setting):
            raise _not_comparable(
                f"their {setting} differ: {first.settings.get(setting)} and {second.settings.get(setting)}"
            )
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
    return Comparison(shared, left_out, tuple(differences))


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
