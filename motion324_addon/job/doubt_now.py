"""Tells how far each vertex of an object may lie off at a frame of the scene: of the preview of a job that runs, of a
result that waits, or of one that was kept."""

from __future__ import annotations

import bpy
import numpy as np

from ..scene.playing import kept_note, takes
from ..scene.playing.animation import Animation
from .runner import runner

_kept: dict[
    int, tuple[str, Animation]
] = {}  # by session_uid, the shown take and what it holds, which takes long to read


def doubt_now(obj: bpy.types.Object, frame: float) -> np.ndarray | None:
    """(N,) float16 in [0, 1]; None where it is not known. Raises Motion324Error("take-gone")."""
    running = runner.preview_doubt(obj, frame)
    if running is not None:
        return running
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return _row(animation.doubt, animation.timing.index(frame))
    take = takes.shown_take(obj)
    if take is None:
        return None
    if obj.session_uid not in _kept or _kept[obj.session_uid][0] != take.identifier:
        _kept[obj.session_uid] = take.identifier, takes.read(obj, take)
    found = _kept[obj.session_uid][1]
    shown = kept_note.read_source(obj) or found  # the take is as it was found; how it was kept, the note tells
    number = shown.frame_numbers[shown.timing.index(frame)]
    (rows,) = np.nonzero(found.frame_numbers == number)
    return _row(found.doubt, int(rows[0])) if len(rows) else None


def _row(doubt: np.ndarray | None, index: int) -> np.ndarray | None:
    """Of (T, N), or (1, N) for all frames alike."""
    return None if doubt is None else np.asarray(doubt[min(index, len(doubt) - 1)])
