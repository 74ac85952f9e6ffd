"""The view that was found for an object: by a look, by the job whose result waits, or by one that was kept."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
from mathutils import Matrix

from motion324.core.normalisation import Normalisation
from motion324.core.view import View

from ..job.runner import runner
from ..scene.playing import kept_note
from . import looks


@dataclass(frozen=True)
class FoundView:
    """view: the camera, in the normalised space that `space` relates to the world.

    overlap: intersection over union of the silhouettes of mesh and video, 0..1; None where not known any more.
    aspect: the picture's width over its height. moved: what the object's matrix has been multiplied with since.
    """

    view: View
    space: Normalisation
    overlap: float | None
    aspect: float
    moved: Matrix | None = None


def of_object(obj: bpy.types.Object | None, context: bpy.types.Context) -> FoundView | None:
    """The newest that is known; None where nothing is."""
    if obj is None or obj.type != "MESH":
        return None
    return _of_look(obj, context) or _of_result(obj) or _of_note(obj, context)


def _of_look(obj: bpy.types.Object, context: bpy.types.Context) -> FoundView | None:
    look = looks.view_look.look
    found = look.answers(looks.view_key(context.scene.motion324, obj))
    if found is None or found.view is None or look.space is None:
        return None
    height, width = found.mask.shape
    moved = kept_note.moved_since(obj, look.matrix)
    return FoundView(found.view, look.space, found.silhouette_overlap, width / height, moved)


def _of_result(obj: bpy.types.Object) -> FoundView | None:
    for animation in reversed(runner.animations):
        if animation.target.uid == obj.session_uid and animation.view is not None and animation.space is not None:
            width, height = animation.report.get("video", {}).get("size", (1, 1))
            overlap = animation.report.get("silhouette_overlap")
            moved = kept_note.moved_since(obj, animation.matrix)
            return FoundView(animation.view, animation.space, overlap, width / height, moved)
    return None


def _of_note(obj: bpy.types.Object, context: bpy.types.Context) -> FoundView | None:
    source = kept_note.read_source(obj)
    if source is None:
        return None
    render = context.scene.render
    aspect = render.resolution_x / render.resolution_y
    return FoundView(source.view, source.space, None, aspect, kept_note.moved_since(obj, source.matrix))
