"""Tells how far each vertex of an object may lie off at a frame of the scene: of the preview of a job that runs, of a
result that waits, or of one that was kept."""

from __future__ import annotations

import bpy
import numpy as np

from motion324.core.motion.doubt import doubt_of_frames

from ..scene.playing import kept_note, takes
from ..scene.playing.timing import Timing
from .runner import runner

_kept: dict[int, tuple[str, np.ndarray | None, Timing]] = {}  # by session_uid; a take takes long to read


def doubt_now(obj: bpy.types.Object, frame: float) -> np.ndarray | None:
    """(N,) float16 in [0, 1]; None where it is not known. Raises Motion324Error("take-gone")."""
    running = runner.preview_doubt(obj, frame)
    if running is not None:
        return running
    for animation in runner.animations:
        if animation.target.uid == obj.session_uid:
            return _at(animation.doubt, animation.timing, frame)
    take, source = takes.shown_take(obj), kept_note.read_source(obj)
    if take is None:
        return None
    if obj.session_uid not in _kept or _kept[obj.session_uid][0] != take.identifier:
        found = takes.read(obj, take).changed(take.tweak)
        doubt, timing = found.doubt, found.timing
        if source is not None:
            doubt, timing = doubt_of_frames(doubt, found.frame_numbers, source.frame_numbers), source.timing
        _kept[obj.session_uid] = take.identifier, doubt, timing
    return _at(*_kept[obj.session_uid][1:], frame)


def _at(doubt: np.ndarray | None, timing: Timing, frame: float) -> np.ndarray | None:
    if doubt is None or len(doubt) == 0:
        return None
    return np.asarray(doubt[min(timing.index(frame), len(doubt) - 1)])
