"""From objects that an armature moves to a file for an engine: read, edited, thinned and written, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.inside_blender.rig.engine_reading import read_moving_rig
from motion324.core.inside_blender.rig.engine_writing import file_angles, write_for_engine
from motion324.core.options.engine_settings import ROOT, EngineSettings, MotionEdits
from motion324.core.rigs.edited_rig import edit_rig
from motion324.core.rigs.key_reduction import reduce_keys

FAR = 1e-3  # of the longest side: from here on one is told that the rig shows something else


@dataclass(frozen=True)
class EngineExport:
    """What is written. first, last: frames of the scene. fps: the scene's. unit: metres of one of its units."""

    first: int
    last: int
    fps: float
    unit: float
    settings: EngineSettings
    edits: MotionEdits = field(default_factory=MotionEdits)


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
    bpy: Any,
    objects: Sequence[Any],
    wanted: EngineExport,
    written: Callable[[int], Path],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> ExportedRig:
    """written(bytes): is told about how large the file will be, once all is known, and says where to write.

    Raises Motion324Error as `read_moving_rig` and `edit_rig` do; RuntimeError as Blender's operators do.
    """
    settings, edits = wanted.settings, wanted.edits
    read = read_moving_rig(
        bpy,
        objects,
        wanted.first,
        wanted.last,
        wanted.fps,
        wanted.unit,
        settings.influences,
        edits.root_motion == ROOT,
        report,
    )
    size = max(float(np.ptp(read.truth[0], axis=0).max()), 1e-30)
    largest = float(np.linalg.norm(read.rig.skinned(read.rig.matrices()) - read.truth, axis=-1).max()) / size
    edited = edit_rig(read.rig, edits)
    rig = edited.rig
    angles = file_angles(bpy, rig, settings.engine) if settings.key_tolerance > 0 else None
    keys = reduce_keys(rig, settings.key_tolerance, angles)
    action = read.armature.animation_data.action if read.armature.animation_data else None
    path = written(200 * len(rig.positions) + 40 * len(rig.names) * len(rig.curves))
    name = action.name if action else objects[0].name
    write_for_engine(bpy, objects, rig, keys, path, settings.engine, name)
    warnings = (*_warnings(objects[0].name, largest), *edited.warnings)
    return ExportedRig(len(rig.names), len(rig.curves), largest, keys.share, edited.report, warnings)


def _warnings(name: str, largest: float) -> tuple[dict[str, str], ...]:
    if largest <= FAR:
        return ()
    sentence = (
        f"The rig shows '{name}' up to {100 * largest:.1f} % of its size away from what the scene shows: engines blend "
        "bones linearly, by few weights, and know neither Preserve Volume nor bendy bones nor other modifiers nor "
        "armatures that are scaled unevenly (apply their scale by Ctrl+A)."
    )
    return ({"code": "rig-differs", "sentence": sentence},)
