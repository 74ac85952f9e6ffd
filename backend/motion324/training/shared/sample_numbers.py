"""Numbers the samples that a step takes: from 0 over the whole run, whatever the number of processes.

Step s takes the numbers s * batch to (s + 1) * batch - 1. What is drawn for a number depends on it and the seed alone,
so that a run goes on with the same samples after a stop, and on another number of GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Shares:
    """batch: samples of a step. at_once: samples that one process takes at once. rank of count processes."""

    batch: int
    at_once: int
    rank: int = 0
    count: int = 1

    @property
    def parts(self) -> int:
        """Batches that a process takes one after the other in a step."""
        return self.batch // (self.at_once * self.count)

    def numbers(self, step: int) -> Iterator[range]:
        """This process's numbers of a step, part by part."""
        for part in range(self.parts):
            first = step * self.batch + (part * self.count + self.rank) * self.at_once
            yield range(first, first + self.at_once)

    def from_step(self, step: int) -> Iterator[range]:
        """This process's numbers from a step on, without end."""
        while True:
            yield from self.numbers(step)
            step += 1


def draws_for(seed: int, number: int, attempt: int = 0) -> np.random.Generator:
    """The random numbers of one sample. attempt: how many clips drawn for it could not be used."""
    return np.random.default_rng([seed, number, attempt])


def item_for(seed: int, number: int, items: int) -> int:
    """Which of the items a sample is of: every item once in `items` samples, in an order of its own each time."""
    return int(_order(seed, number // items, items)[number % items])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, items: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, items, 324]).permutation(items)
