"""Tells how the surface would look in the video: in the first frame's own colours where that shows the spot, else in
the mesh's colours, brought to the video's tones.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.mesh.colours import colours_at
from motion324.view.rasteriser import Raster

SHOWN_WITHIN = 0.02  # a spot this close behind what the first frame shows (normalised) is shown by it


class Appearance:
    """depth (h, w), colours (h, w, 3), mask (h, w): what the first frame shows. gain, offset (3,): of the mesh's own
    colours in 0..255."""

    def __init__(
        self, mesh: ReferenceMesh, rest: np.ndarray, view: View, raster: Raster, colours: np.ndarray, mask: np.ndarray
    ) -> None:
        """rest (N, 3) float64: the mesh's vertices, which `view` sees in the first frame as `raster` has it. colours
        (h, w, 3) uint8 and mask (h, w) bool: of that frame."""
        self._mesh, self._rest, self._view = mesh, rest, view
        self.depth, self.colours, self.mask = raster.depth, colours, mask
        both = raster.mask & mask
        own = colours_at(mesh, raster.face[both], raster.barycentric[both]) * 255.0
        shown = colours[both].astype(np.float64)
        # One gain and offset per channel, from mesh colours to the video's (light and exposure), kept sane.
        self.gain, self.offset = np.ones(3), np.zeros(3)
        if len(own) > 100:
            for c in range(3):
                spread = own[:, c].var() + 50.0
                gain = float(np.clip(np.cov(own[:, c], shown[:, c])[0, 1] / spread, 0.4, 1.6))
                self.gain[c], self.offset[c] = gain, shown[:, c].mean() - gain * own[:, c].mean()

    def of(self, raster: Raster) -> np.ndarray:
        """(h, w, 3) uint8: the surface in some other pose, of which `raster` tells what is seen; black around it."""
        height, width = self.mask.shape
        image = np.zeros((height, width, 3), np.uint8)
        hidden = np.zeros((height, width), np.bool_)
        matrix = self._view.matrix(height, width)
        _carry_colours(
            image, hidden, raster.face, raster.barycentric, self._mesh.faces, self._rest, self._view.rotation,
            self._view.translation, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], self.depth, self.mask,
            self.colours,
        )  # fmt: skip
        own = colours_at(self._mesh, raster.face[hidden], raster.barycentric[hidden])
        image[hidden] = np.clip(own * 255.0 * self.gain + self.offset, 0, 255).astype(np.uint8)
        return image


@njit(cache=True, nogil=True)
def _carry_colours(
    image, hidden, face, barycentric, faces, rest, rotation, translation, fx, fy, cx, cy, shown_depth, mask, colours
):  # fmt: skip
    """Colours every pixel of image (h, w, 3) whose spot the first frame shows; marks the others in hidden (h, w)."""
    height, width = face.shape
    spot = np.empty(3)
    for row in range(height):
        for column in range(width):
            f = face[row, column]
            if f < 0:
                continue
            for a in range(3):
                value = 0.0
                for k in range(3):
                    value += barycentric[row, column, k] * rest[faces[f, k], a]
                spot[a] = value
            x = rotation[0, 0] * spot[0] + rotation[0, 1] * spot[1] + rotation[0, 2] * spot[2] + translation[0]
            y = rotation[1, 0] * spot[0] + rotation[1, 1] * spot[1] + rotation[1, 2] * spot[2] + translation[1]
            z = rotation[2, 0] * spot[0] + rotation[2, 1] * spot[1] + rotation[2, 2] * spot[2] + translation[2]
            safe = z if abs(z) >= 1e-9 else 1e-9
            u = int(min(max(fx * x / safe + cx, 0.0), width - 1.0))
            v = int(min(max(fy * y / safe + cy, 0.0), height - 1.0))
            if z < shown_depth[v, u] + SHOWN_WITHIN and mask[v, u]:
                for c in range(3):
                    image[row, column, c] = colours[v, u, c]
            else:
                hidden[row, column] = True
