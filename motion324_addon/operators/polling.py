"""Why a button is greyed, said once for all operators that need the same."""

from __future__ import annotations

import bpy

from ..job.runner import runner


def has_mesh(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether a mesh object is active; else the operator's tooltip says so."""
    if context.object is None or context.object.type != "MESH":
        operator.poll_message_set("Select a mesh object")
        return False
    return True


def has_result(operator: type[bpy.types.Operator]) -> bool:
    """Whether a result waits to be kept; else the operator's tooltip says so."""
    if not runner.animations:
        operator.poll_message_set("There is no result to keep")
        return False
    return True


def mesh_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected mesh objects, and the active one whether selected or not; the active one is first."""
    active = [context.object] if context.object is not None and context.object.type == "MESH" else []
    return active + [obj for obj in context.selected_objects if obj.type == "MESH" and obj not in active]
