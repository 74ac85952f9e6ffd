"""Tells which meaning of a glTF file's vertex colours the video's first frame shows, where the file leaves that
open.
"""

from __future__ import annotations

import cv2
import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.mesh.colours import colours_at, with_other_meaning
from motion324.view.rasteriser import face_normals, rasterise

# The other meaning's colours differ from the frame's by at most this share of what those that were taken do. Measured
# on the 18 development clips of the benchmark, taken rightly and wrongly in both ways: rightly taken colours are never
# given up (the nearest is 0.82); of those taken as linear wrongly 9, of those taken as sRGB wrongly 16 are found out.
CLEARLY = 0.75
_FEWEST_PIXELS = 200
_EXPOSURE = (0.3, 2.0)


def with_fitting_colours(mesh: ReferenceMesh, view: View, frame: np.ndarray, mask: np.ndarray) -> ReferenceMesh:
    """The mesh itself, or with its vertex colours taken the other way where the frame clearly fits that.

    mesh in normalised space, as `view` sees it in frame (H, W, 3) uint8 sRGB; mask (H, W) in [0, 1]. Nothing is decided
    from few pixels, nor for meshes whose colours have but one meaning.
    """
    other = with_other_meaning(mesh, "the video's first frame clearly fits that")
    if other is None:
        return mesh
    raster = rasterise(mesh.positions, mesh.faces, view, *mask.shape)
    both = cv2.erode((raster.mask & (mask > 0.5)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if both.sum() < _FEWEST_PIXELS:
        return mesh
    faces, barycentric, seen = raster.face[both], raster.barycentric[both], frame[both].astype(np.float32) / 255
    facing = np.abs(face_normals(mesh.positions, mesh.faces[faces]) @ view.rotation[2])
    light = (0.7 + 0.3 * facing)[:, None]  # as the view search draws it
    taken, otherwise = (_difference(colours_at(one, faces, barycentric) * light, seen) for one in (mesh, other))
    return other if otherwise < CLEARLY * taken else mesh


def _difference(drawn: np.ndarray, seen: np.ndarray) -> float:
    """Mean difference of (S, 3) colours after the exposure that brings their medians together."""
    exposure = np.median(seen.sum(axis=1)) / max(float(np.median(drawn.sum(axis=1))), 1e-6)
    return float(np.abs(seen - np.clip(exposure, *_EXPOSURE) * drawn).mean())
