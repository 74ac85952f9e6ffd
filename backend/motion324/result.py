"""What one animation job leaves, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.mesh.view import View


@dataclass(frozen=True)
class AnimationResult:
    """The trajectory of a reference mesh. T frames, N vertices.

    positions (T, N, 3) float32: in the mesh's own coordinates and vertex order; frame 0 is the reference mesh itself.
    frame_numbers (T,) int: which frames of the video these are, counted from 0.
    fps: frames per second at which the positions are to be played.
    view: the camera that sees the mesh as frame 0 shows it, relative to the mesh in normalised space.
    report: plain JSON values: seconds per stage, warnings (code and sentence each), silhouette overlap, versions, ...
    """

    positions: np.ndarray
    frame_numbers: np.ndarray
    fps: float
    view: View
    report: dict[str, Any] = field(default_factory=dict)
