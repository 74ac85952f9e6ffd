"""Exports an object that its armature moves as game engines take it, and tells how near that is to what is shown."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from motion324.core.blender_rig.engine_reading import armature_of, read_moving_rig
from motion324.core.blender_rig.engine_writing import write_for_engine
from motion324.core.edited_rig import edit_rig
from motion324.core.engine_settings import ENDINGS, GODOT, EngineSettings
from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.key_reduction import all_keys, reduce_keys
from motion324.core.motion_edits import ROOT, MotionEdits
from motion324.core.moving_rig import MovingRig
from motion324.core.write_aside import explained_write_errors, written_aside

from ..playing.timing import scene_fps
from ..reading import modifier_stack
from ..reading.mesh_reading import checked_object
from ..reading.operator_words import said_by_operator
from . import proof
from .placing import metres_per_unit
from .stand_in import Report, images_as_files

FAR = 1e-3  # of the longest side: from here on one is told that the rig shows something else
USUAL_EDITS = MotionEdits()


@dataclass(frozen=True)
class ExportedRig:
    """largest: how far a vertex of the rig is from what the scene shows, at most, in parts of the longest side, before
    edits and without left-out keys. keys: the share that is left. report: of the edits. warnings: {"code", "sentence"}.
    """

    bones: int
    frames: int
    largest: float
    keys: float
    report: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()

    @property
    def told(self) -> str:
        """The result in a line."""
        said = f"{self.bones} bones, {self.frames} frames"
        if self.keys < 1:
            said += f", {100 * self.keys:.0f} % of the keys"
        if "loop" in self.report:
            said += f", a loop whose end was {100 * self.report['loop']['step']:.1f} % of the size off its beginning"
        return said


def export_for_engine(
    obj: bpy.types.Object,
    path: Path,
    first: int,
    last: int,
    settings: EngineSettings,
    edits: MotionEdits = USUAL_EDITS,
    report: Report = lambda done, total: None,
    others: Sequence[bpy.types.Object] = (),
) -> ExportedRig:
    """Writes the scene's frames first..last; `path` has the whole file, or stays as it was.

    others: objects on the same armature that come along into the file. report(done, total) counts the frames that were
    read and may raise to stop.
    Raises Motion324Error: "export-format", "no-armature", "several-armatures", "no-bones", "too-short-to-loop",
    "export-failed", "export-broken", "cannot-write", "disk-full", or what `mesh_reading.checked_object` raises.
    """
    ending = ENDINGS[settings.engine]
    if path.suffix.lower() != ending:
        raise Motion324Error("export-format", f"'{path.name}' must end in {ending}.", "Rename it.", EXIT_USAGE)
    objects = [checked_object(each) for each in (obj, *others)]
    armature = armature_of(objects)
    with contextlib.ExitStack() as stack:
        stack.enter_context(modifier_stack.switched_on([*objects, armature]))
        for each in objects:
            stack.enter_context(modifier_stack.only_leading(each, modifier_stack.leading_count(each)))
        fps, unit = scene_fps(bpy.context.scene), metres_per_unit(bpy.context.scene)
        own_root = edits.root_motion == ROOT
        read = read_moving_rig(bpy, objects, first, last, fps, unit, settings.influences, own_root, report)
    rig = read.rig
    size = max(float(np.ptp(read.truth[0], axis=0).max()), 1e-30)
    largest = float(np.linalg.norm(rig.skinned(rig.matrices()) - read.truth, axis=-1).max()) / size
    edited = edit_rig(rig, edits)
    keys = reduce_keys(edited.rig, settings.key_tolerance) if settings.engine == GODOT else all_keys(edited.rig)
    action = armature.animation_data.action if armature.animation_data else None
    with written_aside(path) as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        proof.reserve(path, aside, _size(edited.rig))
        try:
            with images_as_files(objects) if ending == ".fbx" else contextlib.nullcontext():
                name = action.name if action else obj.name
                write_for_engine(bpy, objects, edited.rig, keys, aside, settings.engine, name)
        except RuntimeError as error:  # how operators report their errors
            raise _wrong("failed", f"Blender could not write '{path}': {said_by_operator(error)}.") from error
        _check(path, aside)
    warnings = (*_warnings(obj.name, largest), *edited.warnings)
    return ExportedRig(len(rig.names), len(edited.rig.curves), largest, keys.share, edited.report, warnings)


def _size(rig: MovingRig) -> int:
    """Bytes of the file, roughly, without pictures."""
    return 200 * len(rig.positions) + 40 * len(rig.names) * len(rig.curves)


def _check(path: Path, aside: Path) -> None:
    try:
        proof.check_whole(aside)
    except (proof.Broken, FileNotFoundError) as error:
        raise _wrong("broken", f"The export to '{path}' went wrong: what was written {error}.") from error
    with explained_write_errors(path), aside.open("rb+") as file:
        os.fsync(file.fileno())  # some disks tell only now that they are full


def _wrong(how: str, sentence: str) -> Motion324Error:
    return Motion324Error(f"export-{how}", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE)


def _warnings(name: str, largest: float) -> tuple[dict[str, str], ...]:
    if largest <= FAR:
        return ()
    sentence = (
        f"The rig shows '{name}' up to {100 * largest:.1f} % of its size away from what the scene shows: engines blend "
        "bones linearly, by few weights, and know neither Preserve Volume nor other modifiers."
    )
    return ({"code": "rig-differs", "sentence": sentence},)
