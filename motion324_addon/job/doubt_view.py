"""Keeps the map of doubt up to date: each frame of the scene shows its own."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from motion324.core.errors import Motion324Error

from ..scene.playing import trust
from .doubt_now import doubt_now


def show_now(obj: bpy.types.Object, frame: float) -> bool:
    """Colours the object by what is known of that frame of the scene; False where that is nothing.

    Raises Motion324Error("take-gone" or "linked-object").
    """
    doubt = doubt_now(obj, frame)
    if doubt is None or len(doubt) != len(obj.data.vertices):
        return False
    trust.show_doubt(obj, doubt)
    _follow_frames()
    return True


@persistent
def _on_frame(scene: bpy.types.Scene, *_: object) -> None:
    if bpy.app.is_job_running("RENDER"):  # a render reads the meshes meanwhile
        return
    for obj in scene.objects:
        if obj.type == "MESH" and trust.shows_doubt(obj):
            try:
                show_now(obj, scene.frame_current_final)
            except Motion324Error:  # the map stays as it is; pressing the button again says why
                continue


def _follow_frames() -> None:
    """From here on; until the first map is shown no change of frame costs anything."""
    if _on_frame not in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.append(_on_frame)


@persistent
def _after_load(*_: object) -> None:
    if any(obj.type == "MESH" and trust.shows_doubt(obj) for obj in bpy.data.objects):
        _follow_frames()


def register() -> None:
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_after_load)
    if _on_frame in bpy.app.handlers.frame_change_post:
        bpy.app.handlers.frame_change_post.remove(_on_frame)
