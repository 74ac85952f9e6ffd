"""Exports objects that an armature moves as game engines take them; motion324.core.inside_blender.rig does the work."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import told_full, written_aside
from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.inside_blender.rig import engine_export
from motion324.core.inside_blender.rig.engine_export import EngineExport, ExportedRig
from motion324.core.inside_blender.rig.engine_reading import armature_of
from motion324.core.options.engine_settings import ENDINGS, EngineSettings, MotionEdits

from ..playing.timing import scene_fps
from ..reading import modifier_stack
from ..reading.mesh_reading import checked_object
from . import proof
from .placing import metres_per_unit
from .stand_in import Report, images_as_files

USUAL_EDITS = MotionEdits()


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
    scene = bpy.context.scene
    wanted = EngineExport(first, last, scene_fps(scene), metres_per_unit(scene), settings, edits)
    with contextlib.ExitStack() as stack:
        stack.enter_context(modifier_stack.switched_on([*objects, armature_of(objects)]))
        for each in objects:
            stack.enter_context(modifier_stack.only_leading(each, modifier_stack.leading_count(each)))
        aside = stack.enter_context(written_aside(path))
        if ending == ".fbx":
            stack.enter_context(images_as_files(objects))

        def written(size: int) -> Path:
            aside.parent.mkdir(parents=True, exist_ok=True)
            proof.reserve(path, aside, size)
            return aside

        try:
            done = engine_export.export_for_engine(bpy, objects, wanted, written, report)
        except RuntimeError as error:  # how operators report their errors
            said = said_by_operator(error)
            sentence = f"Blender could not write '{path}': {said}."
            raise told_full(path, said) or Motion324Error(
                "export-failed", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE
            ) from error
        proof.proven(path, aside)
    return done
