"""Gives the earlier result that a correction starts from, frame by frame as the scene shows it."""

from __future__ import annotations

import bpy
import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error

from ..exporting.sampling import positions_at
from ..playing import kept_note, timing
from ..playing.animation import Animation, Target
from ..reading.mesh_reading import topology_of


def kept_animation(obj: bpy.types.Object) -> Animation:
    """Of an animation that was kept: where its vertices are at each of the result's frames, as shape keys, a cache or
    bones bring them there, and with what was tweaked since.

    Raises Motion324Error("no-result") where it is not known after which video it moves.
    """
    source = kept_note.read_source(obj)
    if source is None:
        sentence = f"'{obj.name}' has no result to correct."
        raise Motion324Error("no-result", sentence, "Animate it after a video first.", EXIT_USAGE)
    frames = [source.timing.frame(k) for k in range(source.timing.count)]
    positions = np.stack([each.copy() for _, each in positions_at(obj, frames)])
    return Animation(
        target=Target.of(obj),
        topology=topology_of(obj.data),
        positions=positions,
        timing=source.timing,
        frame_numbers=source.frame_numbers,
        fps=timing.scene_fps(bpy.context.scene) / source.timing.step,
        view=source.view,
        report={},
        space=source.space,
        matrix=source.matrix,
        video=source.video,
        camera_to_first=source.camera_to_first,
    )


def place_in(found: timing.Timing, frame: float) -> int:
    """Which of the result's frames the scene shows best at `frame`. Raises Motion324Error("frame-outside")."""
    place = round((frame - found.start) / found.step)
    if not 0 <= place < found.count:
        first, last = found.whole_frames
        sentence = f"The scene's frame {frame:g} shows no frame of the result, which runs from {first} to {last}."
        raise Motion324Error("frame-outside", sentence, "Go to one of these frames.", EXIT_USAGE)
    return place
