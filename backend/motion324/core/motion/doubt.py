"""Says how far positions are doubted, from 0 to 1, by the errors that a reconstructor expects of them."""

from __future__ import annotations

import numpy as np

DOUBTED_ERROR = 0.05  # of the longest side: a vertex that is expected to lie off by so much is doubted wholly


def doubt_of(expected_error: np.ndarray) -> np.ndarray:
    """expected_error, of any shape: of the mesh's longest side -> float16 in [0, 1]."""
    return np.minimum(np.asarray(expected_error, np.float32) / DOUBTED_ERROR, 1).astype(np.float16)


def doubt_of_frames(doubt: np.ndarray | None, known: np.ndarray, shown: np.ndarray) -> np.ndarray | None:
    """doubt (T, N), or (1, N) for all frames alike, of the video's frames `known` (T,) -> that of `shown` (S,), (S, N)
    or (1, N); None where it is not known of one of them."""
    if doubt is None or len(doubt) == 1:
        return doubt
    rows = dict(zip(known.tolist(), range(len(doubt)), strict=True))
    places = [rows.get(number, -1) for number in shown.tolist()]
    return None if -1 in places else doubt[places]
