"""Means over clips, for all and by split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion324.evaluation.release import SPLITS
from motion324.evaluation.results import ClipResult
from motion324.evaluation.statistics import Summary, summarise


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
