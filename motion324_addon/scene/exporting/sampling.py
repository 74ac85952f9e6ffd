"""Tells where an object's vertices are over the frames of the scene."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.inside_blender.mesh.surface import positions_of

from ..playing.timing import split_frame
from ..reading import modifier_stack


def sample_positions(obj: bpy.types.Object, first: int, last: int) -> Generator[tuple[int, np.ndarray], None, None]:
    """Yields (frame, positions (N, 3) float32, object space) for the scene's frames first..last; see `positions_at`."""
    return positions_at(obj, range(first, last + 1))


def positions_at(obj: bpy.types.Object, frames: Iterable[float]) -> Generator[tuple[float, np.ndarray], None, None]:
    """Yields (frame, positions (N, 3) float32, object space) for these frames of the scene, whole ones or not.

    The positions are those before the first modifier that changes topology, so N is the mesh's own vertex count.
    The scene's frame and the modifiers' switches are put back at the end.
    """
    with (
        modifier_stack.switched_on([obj]),
        modifier_stack.only_leading(obj, modifier_stack.leading_count(obj)),
        contextlib.closing(shown_meshes(obj, frames)) as meshes,
    ):
        for frame, mesh in meshes:
            yield frame, positions_of(mesh)


def shown_meshes(obj: bpy.types.Object, frames: Iterable[float]) -> Generator[tuple[float, bpy.types.Mesh], None, None]:
    """Yields (frame, the mesh with all modifiers, valid until the next step) for these frames of the scene.

    Meanwhile the scene shows that frame; its own is put back at the end.
    """
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    with modifier_stack.switched_on([obj]):
        try:
            for frame in frames:
                whole, part = split_frame(frame)
                scene.frame_set(whole, subframe=part)
                with modifier_stack.evaluated_mesh(obj) as mesh:
                    yield frame, mesh
        finally:
            scene.frame_set(before[0], subframe=before[1])


@dataclass(frozen=True)
class Extent:
    """An upright cylinder in the world that holds objects at all times. centre (3,) float64."""

    centre: np.ndarray
    radius: float
    half_height: float


def extent_in_world(objects: Sequence[bpy.types.Object], first: int, last: int, count: int = 24) -> Extent:
    """Of all that the objects show, modifiers applied, at `count` of the scene's frames first..last."""
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    parts = []
    with modifier_stack.switched_on(objects):
        try:
            for frame in np.unique(np.linspace(first, last, count).round().astype(int)):
                scene.frame_set(int(frame))
                for obj in objects:
                    with modifier_stack.evaluated_mesh(obj) as mesh:
                        positions = positions_of(mesh)
                    matrix = np.array(obj.matrix_world)
                    parts.append((positions @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32))
        finally:
            scene.frame_set(before[0], subframe=before[1])
    points = np.concatenate(parts).astype(np.float64)
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    aside = np.linalg.norm((points - centre)[:, :2], axis=1).max()
    return Extent(centre, float(aside), float(np.abs(points[:, 2] - centre[2]).max()))
