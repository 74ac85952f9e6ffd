"""Exports of an object with its armature: a skin and keyframes on bones, as game engines take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import told_full, written_aside
from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.inside_blender.rig.exporting import ENDINGS, write_rigged
from motion324.core.inside_blender.rig.skin_reading import armature_modifier

from ..reading.mesh_reading import checked_object
from . import export_size, proof
from .blend_file import unsaved
from .export import scene_range
from .stand_in import images_as_files, only_selected


def export_rig(
    obj: bpy.types.Object, path: Path, first: int, last: int, others: Sequence[bpy.types.Object] = ()
) -> None:
    """Exports the object with its armature over the scene's frames first..last; the suffix chooses the format.

    `path` has the whole file, or stays as it was. Raises Motion324Error: "export-format", "no-armature",
    "export-failed", "export-broken", "cannot-write" or "disk-full".
    """
    if path.suffix.lower() not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise Motion324Error("export-format", f"'{path.name}' is no format of rigs.", f"Use {known}.", EXIT_USAGE)
    objects = [checked_object(each) for each in (obj, *others)]
    armatures = list({modifier.object.name: modifier.object for modifier in map(armature_modifier, objects)}.values())
    is_blend = path.suffix.lower() == ".blend"
    size = export_size.of_blend() if is_blend else export_size.of_rig(objects, armatures, last - first + 1)
    with written_aside(path) as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        proof.reserve(path, aside, size)
        try:
            if is_blend:
                bpy.ops.wm.save_as_mainfile(filepath=str(aside), copy=True, check_existing=False)
            else:
                with images_as_files(objects), only_selected([*objects, *armatures]), scene_range(first, last):
                    write_rigged(bpy, aside)
        except RuntimeError as error:  # how operators report their errors
            said = said_by_operator(error)
            raise (unsaved(path, said, size) if is_blend else _failed(path, said)) from error
        proof.proven(path, aside)


def _failed(path: Path, why: str) -> Motion324Error:
    if full := told_full(path, why):
        return full
    sentence = f"Blender could not write the rig '{path}': {why}."
    return Motion324Error("export-failed", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE)
