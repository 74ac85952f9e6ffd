"""Exports of an object with its armature: a skin and keyframes on bones, as game engines take them."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.inside_blender.rig.exporting import ENDINGS, write_rigged
from motion324.core.inside_blender.rig.skin_reading import armature_modifier
from motion324.core.write_aside import write_error, written_aside

from ..reading.mesh_reading import checked_object
from ..reading.new_object import said_by_operator
from . import proof
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
    with written_aside(path) as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.suffix.lower() == ".blend":
                bpy.ops.wm.save_as_mainfile(filepath=str(aside), copy=True, check_existing=False)
            else:
                with images_as_files(objects), only_selected([*objects, *armatures]), scene_range(first, last):
                    write_rigged(bpy, aside)
            proof.check_whole(aside)
        except RuntimeError as error:  # how operators report their errors
            raise _failed(path, said_by_operator(error)) from error
        except (proof.Broken, FileNotFoundError) as error:
            raise _failed(path, f"what was written {error}") from error


def _failed(path: Path, why: str) -> Motion324Error:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if f"[Errno {number}]" in why:
            return write_error(path, OSError(number, os.strerror(number)))
    sentence = f"Blender could not write the rig '{path}': {why}."
    return Motion324Error("export-failed", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE)
