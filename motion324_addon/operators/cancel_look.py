"""Stops a quick look at the video."""

from __future__ import annotations

import bpy

from ..examining import looks, new_mesh

LOOKS = (
    ("MASK", "Mask", "The look at the mask"),
    ("VIEW", "View", "The search for the view"),
    ("NEW_MESH", "New Mesh", "The making of a mesh from the video"),
)
EXAMINERS = {"MASK": looks.mask_look, "VIEW": looks.view_look, "NEW_MESH": new_mesh.mesh_look}


class MOTION324_OT_cancel_look(bpy.types.Operator):
    """Stop it, or close what it found"""

    bl_idname = "motion324.cancel_look"
    bl_label = "Stop Looking"

    look: bpy.props.EnumProperty(name="Look", description="Which one", items=LOOKS)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if EXAMINERS[properties.look].look.running:
            name = next(text for identifier, _, text in LOOKS if identifier == properties.look)
            return f"Stop {name[0].lower()}{name[1:]}"
        return "Close this message"

    def execute(self, context: bpy.types.Context) -> set[str]:
        EXAMINERS[self.look].stop()
        return {"FINISHED"}
