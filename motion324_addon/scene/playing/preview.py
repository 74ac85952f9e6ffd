"""The animation as it arrives: a cache in Blender's temporary folder, played by a modifier that Discard removes.

A preview is no part of the file: it is taken away while the file is saved, and undo neither removes nor restores it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from . import point_cache
from .animation import Target
from .timing import Timing


@dataclass(frozen=True)
class Preview:
    """What one object shows. path: a PC2 file."""

    target: Target
    path: Path
    timing: Timing


def show(preview: Preview) -> None:
    """Plays the file on the object, in place of what was previewed there before; nothing where the object is gone."""
    obj = preview.target.find()
    if obj is None:
        return
    modifier = obj.modifiers.get(point_cache.PREVIEW)
    if modifier is None:
        point_cache.play(obj, preview.path, preview.timing, point_cache.PREVIEW)
    else:
        point_cache.set_source(modifier, preview.path, preview.timing)


def refresh(preview: Preview, changed_from: int) -> None:
    """Has Blender read the file again where the scene's frame shows a frame from `changed_from` on."""
    obj = preview.target.find()
    if obj is None or obj.modifiers.get(point_cache.PREVIEW) is None:
        return
    sample = (bpy.context.scene.frame_current_final - preview.timing.start) / preview.timing.step
    if math.ceil(sample) >= changed_from:
        obj.update_tag(refresh={"DATA"})


def hide(obj: bpy.types.Object) -> None:
    """Removes the preview; the object is as it was."""
    modifier = obj.modifiers.get(point_cache.PREVIEW)
    if modifier is not None:
        obj.modifiers.remove(modifier)


@contextlib.contextmanager
def hidden(previews: Iterable[Preview]) -> Iterator[None]:
    """Takes these away for a while."""
    previews = tuple(previews)
    for preview in previews:
        obj = preview.target.find()
        if obj is not None:
            hide(obj)
    try:
        yield
    finally:
        for preview in previews:
            show(preview)


def settle(previews: Iterable[Preview]) -> None:
    """Shows exactly these: after undo and redo, after a file was opened or saved, and on copies of objects."""
    previews = tuple(previews)
    known = {preview.target.uid for preview in previews}
    for obj in bpy.data.objects:
        if obj.type == "MESH" and obj.library is None and obj.session_uid not in known:
            hide(obj)
    for preview in previews:
        show(preview)
