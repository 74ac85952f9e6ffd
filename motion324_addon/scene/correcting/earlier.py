"""Gives the earlier result that a correction starts from, frame by frame as the scene shows it."""

from __future__ import annotations

import dataclasses
from typing import Any

import bpy
import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.motion.doubt import doubt_of_frames

from ..exporting.sampling import positions_at
from ..playing import kept_note, takes, timing
from ..playing.animation import Animation, Target, with_overlaps
from ..reading.mesh_reading import topology_of

SAME = 1e-4  # of the size


def kept_animation(obj: bpy.types.Object) -> Animation:
    """Of an animation that was kept: where its vertices are at each of the result's frames, as shape keys, a cache or
    bones bring them there, and with what was tweaked since. What its take still tells of it comes along.

    Raises Motion324Error("no-result") where it is not known after which video it moves.
    """
    source = kept_note.read_source(obj)
    if source is None:
        sentence = f"'{obj.name}' has no result to correct."
        raise Motion324Error("no-result", sentence, "Animate it after a video first.", EXIT_USAGE)
    frames = [source.timing.frame(k) for k in range(source.timing.count)]
    positions = np.stack([each.copy() for _, each in positions_at(obj, frames)])
    take = _shown_take(obj)
    return Animation(
        target=Target.of(obj),
        topology=topology_of(obj.data),
        positions=positions,
        timing=source.timing,
        frame_numbers=source.frame_numbers,
        fps=timing.scene_fps(bpy.context.scene) / source.timing.step,
        view=source.view,
        report=with_overlaps(_told(take, positions), source.overlaps),
        space=source.space,
        matrix=source.matrix,
        video=source.video,
        camera_to_first=source.camera_to_first,
        doubt=None if take is None else doubt_of_frames(take.doubt, take.frame_numbers, source.frame_numbers),
    )


def _shown_take(obj: bpy.types.Object) -> Animation | None:
    """With what was changed of it before it was kept noted, but not computed; None where it is gone."""
    shown = takes.shown_take(obj)
    try:
        return shown and dataclasses.replace(takes.read(obj, shown), tweak=shown.tweak)
    except Motion324Error:  # nothing is lost but what is told beside the motion
        return None


def _told(take: Animation | None, positions: np.ndarray) -> dict[str, Any]:
    """What the take's report tells of an animation that was kept of it. positions (T, N, 3): as it was kept."""
    if take is None:
        return {}
    told = take.report_now
    if take.own_pose is not None and np.abs(positions[0] - take.own_pose).max() <= SAME * np.ptp(take.own_pose):
        told = {key: value for key, value in told.items() if key != "pose"}  # kept with its own pose before the others
    return told


def place_in(found: timing.Timing, frame: float) -> int:
    """Which of the result's frames the scene shows best at `frame`. Raises Motion324Error("frame-outside")."""
    place = round((frame - found.start) / found.step)
    if not 0 <= place < found.count:
        first, last = found.whole_frames
        sentence = f"The scene's frame {frame:g} shows no frame of the result, which runs from {first} to {last}."
        raise Motion324Error("frame-outside", sentence, "Go to one of these frames.", EXIT_USAGE)
    return place
