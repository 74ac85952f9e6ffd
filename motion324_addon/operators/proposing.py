"""Which name a file dialog proposes: never that of the video, after which a new mesh is named as well."""

from __future__ import annotations

from pathlib import Path

import bpy


def propose_name(operator: bpy.types.Operator, obj: bpy.types.Object, ending: str) -> None:
    """Has the operator's file dialog propose OBJECT + `ending`, unless the caller has given it a path.

    What is left of its last use is a path of another object perhaps; only its folder is proposed again.
    """
    if operator.properties.is_property_set("filepath"):  # False for what is left of the last use
        return
    before = Path(operator.filepath) if operator.filepath else None
    name = bpy.path.clean_name(obj.name) + ending
    operator.filepath = str(before.parent / name) if before else name
