"""Takes the angles of the view from the camera or the viewport."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..scene.showing import view_angles
from ..ui import choices
from .polling import has_mesh
from .reporting import report_error

SOURCES = (
    ("VIEWPORT", "Viewport", "The 3D viewport"),
    ("CAMERA", "Active Camera", "The scene's active camera"),
)


class MOTION324_OT_take_view(bpy.types.Operator):
    """Set the angles to those from which the 3D viewport sees the active object now"""

    bl_idname = "motion324.take_view"
    bl_label = "Take View Angles"
    bl_options = {"REGISTER", "UNDO"}

    source: bpy.props.EnumProperty(name="From", description="What sees the object", items=SOURCES)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.source == "CAMERA":
            return "Set the angles to those from which the scene's active camera sees the active object now"
        return cls.__doc__

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_mesh(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        take = view_angles.from_camera if self.source == "CAMERA" else view_angles.from_viewport
        try:
            azimuth, elevation = take(context)
        except Motion324Error as error:
            return report_error(self, error)
        settings = context.scene.motion324
        settings.view, settings.azimuth, settings.elevation = choices.VIEW_ANGLES, azimuth, elevation
        return {"FINISHED"}
