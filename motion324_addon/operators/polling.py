"""Why a button is greyed, said once for all operators that need the same."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from motion324.core.errors import Motion324Error

from ..job.runner import runner
from ..scene.playing import shape_keys
from ..scene.playing.animation import Animation
from ..ui.readiness import reason_against_object


def has_mesh(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether a mesh object is active; else the operator's tooltip says so."""
    if context.object is None or context.object.type != "MESH":
        operator.poll_message_set("Select a mesh object")
        return False
    return True


def has_usable_mesh(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Whether the active object is a mesh that can be read now; else the operator's tooltip says why not."""
    reason = reason_against_object(context)
    if reason:
        operator.poll_message_set(reason)
    return not reason


def has_result(operator: type[bpy.types.Operator]) -> bool:
    """Whether a result waits to be kept; else the operator's tooltip says so."""
    if not runner.animations:
        operator.poll_message_set("There is no result to keep")
        return False
    return True


def reason_against_shape_keys(animations: Iterable[Animation]) -> str:
    """Why the first object that cannot carry these as shape keys cannot; "" if all can. Shared meshes do not count."""
    for animation in animations:
        obj = animation.target.find()
        try:
            if obj is not None:
                shape_keys.check_keys(obj)
        except Motion324Error as error:
            return str(error)
    return ""


def mesh_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected mesh objects, and the active one whether selected or not; the active one is first."""
    active = [context.object] if context.object is not None and context.object.type == "MESH" else []
    return active + [obj for obj in context.selected_objects if obj.type == "MESH" and obj not in active]
