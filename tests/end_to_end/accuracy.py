"""How good a trajectory is, where the truth is known."""

from __future__ import annotations

import numpy as np


def share_of_still_error(positions: np.ndarray, truth: np.ndarray) -> float:
    """The mean vertex error of a trajectory, as a share of that of the mesh held still."""
    found, still = (np.linalg.norm(moved - truth, axis=-1).mean() for moved in (positions, truth[:1]))
    return float(found / still)
