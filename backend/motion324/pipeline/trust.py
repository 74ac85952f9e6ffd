"""Says how far a finished result can be trusted, frame by frame and vertex by vertex, by what the masks show.

Plain geometry: nothing of the reconstructor is asked, so that what it believes of itself does not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.progress import Progress
from motion324.core.reference_mesh import Normalisation
from motion324.core.view import View
from motion324.view.rasteriser import faces_seen

LONGER_SIDE = 256  # pixels of the pictures that are compared; limbs of a few pixels still count
SEEN_ENOUGH = 0.2  # of the frames: what is seen in so many is well known
BARELY_SEEN = 0.5  # doubt about what is seen in hardly any frame; what is never seen has 1
MARGIN = 0.008  # of the longer side, by which a vertex may lie beside the mask
BELONGS = 0.65  # mean overlap from which on mesh and video show the same thing; right pairs lie above 0.8
WORST = 3  # frames that are told


@dataclass(frozen=True)
class Trust:
    """overlap (T,) float32: intersection over union of the silhouettes of result and mask, per frame.

    doubt (N,) float32 in [0, 1]: 0 for a vertex that was often seen and always inside of the mask, 1 for one that was
    never seen, or never inside.
    """

    overlap: np.ndarray
    doubt: np.ndarray

    @property
    def report(self) -> dict[str, object]:
        """Plain JSON values. worst: result frames, counted from 0, the worst first."""
        return {
            "overlap": [round(float(value), 3) for value in self.overlap],
            "mean": round(float(self.overlap.mean()), 3),
            "worst": [int(index) for index in np.argsort(self.overlap, kind="stable")[:WORST]],
            "doubtful_vertices": round(float((self.doubt > 0.5).mean()), 3),
        }


def trust_of(
    positions: np.ndarray,
    faces: np.ndarray,
    normalisation: Normalisation,
    view: View,
    masks: np.ndarray,
    progress: Progress,
) -> Trust:
    """positions (T, N, 3) in the mesh's own space, faces (F, 3), masks (T, H, W) in [0, 1] as the view sees them."""
    count, vertices = positions.shape[:2]
    height, width = masks.shape[1:]
    scale = min(1.0, LONGER_SIDE / max(height, width))
    size = max(round(height * scale), 8), max(round(width * scale), 8)
    margin = 1 + 2 * max(1, round(MARGIN * max(size)))
    kernel = np.ones((margin, margin), np.uint8)
    overlap = np.zeros(count, np.float32)
    seen, outside = np.zeros(vertices, np.int32), np.zeros(vertices, np.int32)
    for index in range(count):
        progress("smooth", index, count)
        pixels, depth = view.project(normalisation.to_normalised(positions[index]).astype(np.float64), *size)
        face = faces_seen(pixels, depth, faces, *size)
        drawn = face >= 0
        mask = cv2.resize(masks[index].astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0.5
        overlap[index] = (drawn & mask).sum() / max(int((drawn | mask).sum()), 1)
        shown = np.zeros(vertices, bool)
        shown[faces[np.unique(face[drawn])].ravel()] = True
        seen += shown
        column, row = np.floor(pixels).astype(np.int64).T
        inside = (column >= 0) & (column < size[1]) & (row >= 0) & (row < size[0])  # beyond the picture nobody knows
        near = cv2.dilate(mask.astype(np.uint8), kernel) > 0
        outside[inside] += ~near[row[inside], column[inside]]
    rarely = BARELY_SEEN * (1 - np.minimum(seen / (SEEN_ENOUGH * count), 1))
    doubt = np.where(seen == 0, 1.0, np.maximum(rarely, outside / count))
    return Trust(overlap, doubt.astype(np.float32))


def trust_warnings(trust: Trust, mesh_name: str, video_name: str) -> tuple[dict[str, str], ...]:
    """A warning {"code", "sentence"} where mesh and video do not belong together; none otherwise."""
    mean = float(trust.overlap.mean())
    if mean >= BELONGS:
        return ()
    sentence = (
        f"The mesh '{mesh_name}' and '{video_name}' may not show the same thing: over all frames their silhouettes "
        f"overlap by {mean:.2f}, where right pairs lie above 0.8. Check both, and the mask."
    )
    return ({"code": "poor-fit", "sentence": sentence},)
