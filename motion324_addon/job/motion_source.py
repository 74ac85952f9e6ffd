"""Tells where an object's motion came from."""

from __future__ import annotations

import bpy

from ..scene.playing import kept_note
from ..scene.playing.kept_note import Source
from .runner import runner


def source_of(obj: bpy.types.Object) -> Source | None:
    """Of the result that waits on the object, or else of the one that was kept; None where it has neither."""
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return kept_note.source_of(animation)
    return kept_note.read_source(obj)
