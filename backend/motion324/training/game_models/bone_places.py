"""Makes matrices of the places of bones, as games' files keep them."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def matrices(places: np.ndarray) -> np.ndarray:
    """(..., 10): translation, quaternion, scale -> (..., 4, 4)."""
    result = np.zeros((*places.shape[:-1], 4, 4))
    turns = Rotation.from_quat(places[..., 3:7].reshape(-1, 4)).as_matrix().reshape(*places.shape[:-1], 3, 3)
    result[..., :3, :3] = turns * places[..., None, 7:]
    result[..., :3, 3] = places[..., :3]
    result[..., 3, 3] = 1
    return result
