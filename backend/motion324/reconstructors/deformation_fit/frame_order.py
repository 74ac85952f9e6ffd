"""From which frame should a frame be reached? Motion repeats itself, and errors add up along a chain.

A gallop looks the same again after one stride: from there the first frame's own pose is a better start than the long
way through all frames between. So frames form a tree rooted at frame 0, of the paths whose steps are smallest.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse.csgraph import dijkstra

SIZE = 40  # pixels of the thumbnails that are compared
STEP = 0.01  # what a step costs beside the difference that it crosses
POWER = 4.0


def frame_tree(greys: list[np.ndarray]) -> tuple[list[int], np.ndarray]:
    """greys: T images (h, w) uint8, even outside of the object.

    Returns the frames in an order in which each comes after its parent, frame 0 first, and parent (T,), -1 for frame 0.
    """
    # At least 1: scipy's graphs take what is nearly zero for no edge.
    cost = np.power(1.0 + _differences(greys) / STEP, POWER)
    distance, parent = dijkstra(cost, indices=0, return_predecessors=True)
    order = np.argsort(distance, kind="stable")
    return [int(t) for t in order], np.where(parent < 0, -1, parent)


def _differences(greys: list[np.ndarray]) -> np.ndarray:
    """(T, T) mean difference of thumbnails in [0, 1], over the pixels where either shows the object."""
    height, width = greys[0].shape
    scale = SIZE / max(height, width)
    size = (max(round(width * scale), 4), max(round(height * scale), 4))
    small: np.ndarray = np.stack([cv2.resize(g, size, interpolation=cv2.INTER_AREA) for g in greys]).reshape(
        len(greys), -1
    )
    small = small.astype(np.float32) / 255.0
    out = np.zeros((len(small), len(small)))
    for i in range(len(small)):
        either = np.maximum(small, small[i]) > 0.02
        out[i] = (np.abs(small - small[i]) * either).sum(axis=1) / np.maximum(either.sum(axis=1), 1)
    return out
