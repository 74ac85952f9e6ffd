"""Finds the vertex under the mouse, and the place in the video's picture that a point of the world has."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from motion324.core.inside_blender.mesh.surface import positions_of

from ..playing import kept_note
from ..playing.kept_note import Source
from ..reading import modifier_stack
from ..showing import overlay

RADIUS = 14.0  # pixels around the mouse in which the nearest to the eye is taken
SAME_SIDE = 0.2  # of the object's depth, by which vertices of one side differ there at most
FARTHEST = 60.0  # pixels from the mouse, where nothing lies within RADIUS


def shown_positions(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3) float32, object space: as the scene shows the mesh's own vertices now."""
    with (
        modifier_stack.switched_on([obj]),
        modifier_stack.only_leading(obj, modifier_stack.leading_count(obj)),
        modifier_stack.evaluated_mesh(obj) as mesh,
    ):
        return positions_of(mesh)


def in_region(positions: np.ndarray, matrix: Matrix, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) from the region's lower left corner, and depth (N,), inf behind the eye.

    positions (N, 3): object space. matrix: the view's perspective times the object's. size: of the region.
    """
    whole = np.array(matrix, np.float64)
    clip = positions @ whole[:, :3].T + whole[:, 3]
    before = clip[:, 3] > 1e-9
    w = np.where(before, clip[:, 3], 1.0)
    pixels = (clip[:, :2] / w[:, None] * 0.5 + 0.5) * np.array(size)
    return pixels, np.where(before, clip[:, 2] / w, np.inf)


def picked(pixels: np.ndarray, depth: np.ndarray, mouse: tuple[float, float]) -> int | None:
    """The vertex nearest to the mouse among those around it on the side of the eye, so that none is taken through the
    body; else the nearest in the picture; None where there is nothing near."""
    distance = np.where(np.isfinite(depth), np.linalg.norm(pixels - np.array(mouse), axis=1), np.inf)
    near = np.flatnonzero(distance <= RADIUS)
    if len(near):
        # Of the side that is in front, the nearest to the mouse.
        front = near[depth[near] <= depth[near].min() + SAME_SIDE * np.ptp(depth[np.isfinite(depth)])]
        return int(front[np.argmin(distance[front])])
    nearest = int(np.argmin(distance))
    return nearest if distance[nearest] <= FARTHEST else None


def place_in_picture(obj: bpy.types.Object, source: Source, point: np.ndarray, place: int) -> tuple[float, float]:
    """Parts of the width and height of the picture of the result's frame `place`, from its top left corner.

    point (3,): in the world. Raises what `overlay.load_background` raises, which tells the picture's size.
    """
    width, height = picture_size(source)
    moved = kept_note.moved_since(obj, source.matrix)
    before = np.array(point, np.float64)
    if moved is not None:
        before = np.array(moved.inverted() @ Vector(before.tolist()))
    normal = source.space.to_normalised(before[None])
    (pixel,), _ = source.view.project(normal.astype(np.float64), height, width)
    seen = np.array([pixel[0] / height, pixel[1] / height, 1.0])
    if source.camera_to_first is not None:
        seen = np.linalg.inv(source.camera_to_first[place]) @ seen
    x, y = seen[:2] / seen[2]
    return float(x * height / width), float(y)


def picture_size(source: Source) -> tuple[int, int]:
    """Width and height of the video's picture in pixels."""
    image, size = overlay.load_background(source.video)
    if image.users == 0:
        bpy.data.images.remove(image)
    return size


def is_overlay(camera: bpy.types.Object | None) -> bool:
    """Whether it is the camera that sees the mesh as the video does."""
    return camera is not None and overlay.MARK in camera
