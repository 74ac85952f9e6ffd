"""Has the operators of the view: they take its angles from the scene, find it, and turn the viewport to it."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from motion324.core.errors import Motion324Error

from ..examining import looks
from ..examining.looks import FoundView
from ..scene.showing import overlay, view_angles
from ..settings import properties
from ..ui import choices
from ..ui.phrases import phrase, tooltip
from ..ui.readiness import mesh_objects
from .reporting import has_mesh, has_usable_mesh, report_error

SOURCES = (
    ("VIEWPORT", "Viewport", "The 3D viewport"),
    ("CAMERA", "Active Camera", "The scene's active camera"),
)
NAME = "Motion324 View"
MARK = "motion324_view"  # a custom property of the camera that this made


class MOTION324_OT_take_view(bpy.types.Operator):
    """Set the angles to those from which the 3D viewport sees the active object now"""

    bl_idname = "motion324.take_view"
    bl_label = "Take View Angles"
    bl_options = {"REGISTER", "UNDO"}

    source: bpy.props.EnumProperty(name="From", description="What sees the object", items=SOURCES)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.source == "CAMERA":
            return tooltip("Set the angles to those from which the scene's active camera sees the active object now")
        return tooltip(cls.__doc__)

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


class MOTION324_OT_find_view(properties.JobProperties, bpy.types.Operator):
    """Find from where the video sees the selected mesh in its first used frame, starting from the view chosen above"""

    bl_idname = "motion324.find_view"
    bl_label = "Find View"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_usable_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._run(context, context.scene.motion324)

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.motion324
        for name in properties.JobProperties.__annotations__:
            if self.properties.is_property_set(name):
                setattr(settings, name, getattr(self, name))
        return self._run(context, settings)

    def _run(self, context: bpy.types.Context, settings: properties.JobProperties) -> set[str]:
        try:
            question = looks.view_question(settings, mesh_objects(context), context)
            if bpy.app.background:
                looks.view_look.ask(question)
            else:
                looks.view_look.start(question)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_align_view(bpy.types.Operator):
    """Turn the 3D viewport to where the video sees the active object from"""

    bl_idname = "motion324.align_view"
    bl_label = "Align Viewport to Found View"
    bl_options = {"REGISTER", "UNDO"}

    camera: bpy.props.BoolProperty(
        name="Camera", description="Put a camera there, make it the active one, and look through it"
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.camera:
            return tooltip(
                "Put a camera where the video sees the active object from, make it the active one, and look through it"
            )
        return tooltip(cls.__doc__)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if looks.view_found_for(context.object, context) is None:
            cls.poll_message_set("No view is known yet: find it, or animate the object")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        found = looks.view_found_for(context.object, context)
        region = view_angles.viewport_of(context)
        if self.camera:
            camera = overlay.own_camera(context.scene, NAME, MARK)
            overlay.place_camera(camera, found.view, found.space, found.aspect, found.moved)
            context.scene.camera = camera
            if region is not None:
                region.view_perspective = "CAMERA"
        elif region is None:
            self.report({"ERROR"}, phrase("There is no 3D viewport to turn."))
            return {"CANCELLED"}
        else:
            _turn(region, found)
        return {"FINISHED"}


def _turn(region: bpy.types.RegionView3D, found: FoundView) -> None:
    matrix = overlay.camera_matrix(found.view, found.space, found.moved)
    centre = Vector(found.space.to_source(np.zeros((1, 3)))[0])
    if found.moved is not None:
        centre = found.moved @ centre
    region.view_perspective = "PERSP"
    region.view_rotation = matrix.to_quaternion()
    # Blender's viewport turns around the point ahead of it at this distance.
    region.view_distance = max((matrix.inverted() @ centre).length, 1e-3)
    region.view_location = matrix @ Vector((0.0, 0.0, -region.view_distance))
