"""Keeps clips that hardly move from ending farther from the truth than the still mesh: errors and noise are as large as
their motion.

The first frame is looked at once more, to see what is found where nothing has moved, and that is taken off; what only
trembles, or is less than pixels can tell, is made smaller.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from motion324.core.files.frame_storage import Masks
from motion324.pipeline.reference import FIRST_FRAME, Reference
from motion324.reconstructors.interface import Scene

STILL_OVERLAP = 0.85  # of the masks with the first one, on average: such clips hardly move
FAR = 8.0  # times an error: motion of so much has half of the error taken off
NOISE, SHRUNK = 0.15, 2.0  # pixels of a video by which results tremble at the most where nothing moves; by how much
UNSEEN = 0.3  # pixels of a video: motion of hardly more, root mean square of all vertices, is not told by it
# Of the error at rest, which comes of masks and views, up to so many pixels: motion of hardly more is not told either.
DOUBT, MOST_DOUBTED = 0.5, 2.0
LOCAL = 3.0  # times as much where a part moves and the rest does not


def repeated_where_still(reference: Reference, masks: Masks) -> Reference:
    """In a clip that hardly moves, errors of view, mask and colours are as large as its motion: the first frame is then
    looked at once more, to see what is found where nothing has moved. masks (T, H, W) in [0, 1]."""
    if reference.kind != FIRST_FRAME:
        return reference
    first = masks[0] > 0.5
    alike = [(first & (mask > 0.5)).sum() / max(int((first | (mask > 0.5)).sum()), 1) for mask in masks[1:]]
    return replace(reference, repeated=float(np.mean(alike)) >= STILL_OVERLAP)


def without_error(positions: np.ndarray, error: np.ndarray, own: np.ndarray) -> None:
    """Takes off positions (T, N, 3) what was found where the mesh has its own pose, (N, 3), and should have been `own`;
    of frames that move far more than that by less, since there it says little."""
    off = error - own
    size = float(np.linalg.norm(off, axis=1).mean())
    if size <= 0:
        return
    for frame in positions:
        moved = float(np.linalg.norm(frame - off - own, axis=1).mean())
        frame -= off / (1.0 + (moved / (FAR * size)) ** 2)


def without_noise(positions: np.ndarray, own: np.ndarray, pixel: float, error: float = 0.0) -> None:
    """Makes positions (T, N, 3) of a clip that begins in the pose `own` (N, 3) move less, where all of their motion
    hardly rises above its own trembling, or above what pixels can tell: of the noise of the video nothing is known but
    that it is small.

    pixel: the size of one at the object. error: mean length of what was found where nothing had moved. The factor for
    trembling is Wiener's, with second differences in time for noise, of which white noise has 6 times its variance.
    """
    total = len(positions)
    if total < 2:
        return
    away = [np.zeros(own.shape), *(frame.astype(np.float64) - own for frame in positions[:2])]
    power, noise = np.zeros(len(own)), 0.0
    for t in range(total):
        power += (away[1] ** 2).sum(axis=1) / total
        if t + 1 < total:
            noise += float(((away[0] - 2 * away[1] + away[2]) ** 2).sum(axis=1).mean()) / 6 / (total - 1)
            following = positions[t + 2].astype(np.float64) - own if t + 2 < total else away[2]
            away = [away[1], away[2], following]
    mean = float(power.mean())
    if mean <= 0:
        return
    share = max(0.0, 1.0 - SHRUNK * min(noise, (NOISE * pixel) ** 2) / mean)
    doubted = DOUBT * min(error, MOST_DOUBTED * pixel)
    untold = ((UNSEEN * pixel) ** 2 + doubted**2) / max(mean, float(power.max()) / LOCAL**2)
    share *= 1.0 - min(untold, 1.0) ** 2
    for frame in positions:
        frame += (share - 1.0) * (frame - own)


def pixel_size(scene: Scene) -> float:
    """Of the scene's pictures, at the middle of the mesh, in normalised space."""
    depth = float(scene.view.translation[2])  # the mesh's box has its middle at the origin
    return depth / (scene.view.focal * scene.masks.shape[1])
