"""Points sampled on a mesh's surface, with normals and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SurfaceSamples:
    """S points spread over the surface in proportion to its area.

    points (S, 3) float32: normalised space. normals (S, 3) float32: unit, of the face.
    colours (S, 3) float32: sRGB in [0, 1], from texture, vertex colours and material at the sample.
    faces (S,) int32, barycentric (S, 3) float32: where on the mesh a sample lies.
    """

    points: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    faces: np.ndarray
    barycentric: np.ndarray
