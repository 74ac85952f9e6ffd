"""Why a button is greyed, said once for all operators that need the same."""

from __future__ import annotations

import bpy


def has_mesh(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether a mesh object is active; else the operator's tooltip says so."""
    if context.object is None or context.object.type != "MESH":
        operator.poll_message_set("Select a mesh object")
        return False
    return True
