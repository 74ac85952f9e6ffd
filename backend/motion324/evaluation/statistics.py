"""How sure a mean over clips is: the percentile bootstrap.

B. Efron, Bootstrap methods: another look at the jackknife (1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
