"""Many short columns sorted at once: the comparisons of a sorting network, each done for all columns by numpy."""

from __future__ import annotations

import functools

import numpy as np


def sort_over_time(values: np.ndarray) -> np.ndarray:
    """values (K, ...) -> sorted along the first axis, in place; also returned.

    For a few dozen frames of a picture several times as fast as np.sort, which goes through one pixel at a time.
    """
    spare = np.empty_like(values[0])
    for first, second in _comparisons(len(values)):
        low, high = values[first], values[second]
        np.minimum(low, high, out=spare)
        np.maximum(low, high, out=high)
        low[...] = spare
    return values


@functools.cache
def _comparisons(count: int) -> tuple[tuple[int, int], ...]:
    """Pairs (i, j), i < j, that put `count` values into order where each pair is in turn: Batcher's merge exchange
    (Knuth, The Art of Computer Programming 3, section 5.2.2, algorithm M)."""
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (count - 1).bit_length() - 1)
    step = top
    while step:
        merged, remainder, distance = top, 0, step
        while True:
            pairs += [(i, i + distance) for i in range(count - distance) if i & step == remainder]
            if merged == step:
                break
            distance, merged, remainder = merged - step, merged // 2, step
        step //= 2
    return tuple(pairs)
