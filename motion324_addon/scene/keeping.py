"""Makes an animation part of the .blend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy

from . import mesh_reading, point_cache, preview, shape_keys
from .animation import Animation

SHAPE_KEYS = "SHAPE_KEYS"
POINT_CACHE = "POINT_CACHE"


def keep_as_shape_keys(animation: Animation) -> Iterator[tuple[int, int]]:
    """Bakes in steps, see `shape_keys.bake`; closing the generator leaves the object as it was.

    Raises Motion324Error("object-gone", "topology-changed" or "shape-keys-impossible").
    """
    obj = animation.target.get()
    mesh_reading.check_topology(obj, animation.topology)
    yield from shape_keys.bake(obj, animation.positions, animation.timing)
    preview.hide(obj)
    _note_range(obj, animation)


def keep_as_point_cache(animation: Animation, folder: Path | None = None) -> Path:
    """Writes a cache file, see `point_cache.free_path`, plays it, and returns its path.

    Raises Motion324Error("object-gone", "topology-changed", "cannot-write" or "disk-full"); nothing is changed then.
    """
    obj = animation.target.get()
    mesh_reading.check_topology(obj, animation.topology)
    path = point_cache.free_path(obj, folder)
    point_cache.keep(obj, animation.positions, animation.timing, path)
    preview.hide(obj)
    _note_range(obj, animation)
    return path


def animated_range(obj: bpy.types.Object) -> tuple[int, int]:
    """The scene's frames over which the object's kept animation runs; the scene's own range where it has none."""
    noted = obj.get("motion324_frames")
    if noted is not None and len(noted) == 2:
        return int(noted[0]), int(noted[1])
    scene = bpy.context.scene
    return scene.frame_start, scene.frame_end


def _note_range(obj: bpy.types.Object, animation: Animation) -> None:
    first, last = animation.timing.whole_frames
    obj["motion324_frames"] = [first, last]
    scene = bpy.context.scene
    scene.frame_end = max(scene.frame_end, last)
