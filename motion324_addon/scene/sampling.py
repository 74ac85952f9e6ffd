"""Where an object's vertices are over the frames of the scene."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from . import modifier_stack


def sample_positions(obj: bpy.types.Object, first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (frame, positions (N, 3) float32, object space) for the scene's frames first..last.

    The positions are those before the first modifier that changes topology, so N is the mesh's own vertex count.
    The scene's frame and the modifiers' switches are put back at the end.
    """
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    with modifier_stack.only_leading(obj, modifier_stack.leading_count(obj)):
        try:
            for frame in range(first, last + 1):
                scene.frame_set(frame)
                with modifier_stack.evaluated_mesh(obj) as mesh:
                    positions = modifier_stack.positions_of(mesh)
                yield frame, positions
        finally:
            scene.frame_set(before[0], subframe=before[1])


def corners_in_world(obj: bpy.types.Object, first: int, last: int, count: int = 24) -> np.ndarray:
    """(K, 2, 3) float64: lowest and highest corner, in the world, of all that the object shows at `count` frames."""
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    corners = []
    try:
        for frame in np.unique(np.linspace(first, last, count).round().astype(int)):
            scene.frame_set(int(frame))
            with modifier_stack.evaluated_mesh(obj) as mesh:
                positions = modifier_stack.positions_of(mesh).astype(np.float64)
            matrix = np.array(obj.matrix_world)
            positions = positions @ matrix[:3, :3].T + matrix[:3, 3]
            corners.append([positions.min(axis=0), positions.max(axis=0)])
    finally:
        scene.frame_set(before[0], subframe=before[1])
    return np.array(corners)
