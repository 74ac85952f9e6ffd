"""The animation as it arrives: a cache in Blender's temporary folder, played by a modifier that Discard removes."""

from __future__ import annotations

from pathlib import Path

import bpy

from . import point_cache
from .timing import Timing


def show(obj: bpy.types.Object, path: Path, timing: Timing) -> None:
    """Plays the file on the object, in place of what was previewed there before."""
    hide(obj)
    point_cache.play(obj, path, timing, point_cache.PREVIEW)


def refresh(obj: bpy.types.Object) -> None:
    """Has Blender read the file again, after frames were added to it."""
    if obj.modifiers.get(point_cache.PREVIEW):
        obj.update_tag(refresh={"DATA"})


def hide(obj: bpy.types.Object) -> None:
    """Removes the preview; the object is as it was."""
    modifier = obj.modifiers.get(point_cache.PREVIEW)
    if modifier is not None:
        obj.modifiers.remove(modifier)


def hide_stale() -> None:
    """Removes previews whose cache is gone, such as those in a file that another Blender saved."""
    for obj in bpy.data.objects:
        modifier = obj.modifiers.get(point_cache.PREVIEW) if obj.type == "MESH" and not obj.library else None
        if modifier is not None and not Path(bpy.path.abspath(modifier.filepath)).exists():
            obj.modifiers.remove(modifier)
