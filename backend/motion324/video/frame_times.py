"""When the frames of a file are shown, and which of them stand for evenly spaced moments."""

from __future__ import annotations

import numpy as np

# A file's frames count as unevenly spaced if one of them lies this many mean intervals off its even place: less is
# rounding of time stamps, and the jitter of phones, which no one sees.
_UNEVEN = 1.0


def even_frames(times: np.ndarray) -> tuple[np.ndarray, float] | None:
    """times (T,) float64 in seconds, rising -> (indices (T,) of the frames nearest to T even moments, their rate).

    None where the frames are evenly spaced already, or the times are no times (equal, falling, not finite).
    """
    if len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) < 0).any() or times[-1] <= times[0]:
        return None
    even = np.linspace(times[0], times[-1], len(times))
    interval = even[1] - even[0]
    if np.abs(times - even).max() <= _UNEVEN * interval:
        return None
    return nearest_frames(times, even), float(1 / interval)


def rate_of(times: np.ndarray) -> float | None:
    """The mean rate of frames (T,) float64 that are shown at these seconds; None where the times are no times."""
    if len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        return None
    return float((len(times) - 1) / (times[-1] - times[0]))


def nearest_frames(times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """(K,) indices of the times (T,), rising, that are nearest to the moments (K,)."""
    after = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
    return after - (moments - times[after - 1] <= times[after] - moments)
