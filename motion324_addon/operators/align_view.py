"""Turns the viewport to the view that was found."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from ..examining import found_view
from ..examining.found_view import FoundView
from ..scene.showing import overlay, view_angles
from .polling import has_mesh

NAME = "Motion324 View"
MARK = "motion324_view"  # a custom property of the camera that this made


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
            return (
                "Put a camera where the video sees the active object from, make it the active one, and look through it"
            )
        return cls.__doc__

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if found_view.of_object(context.object, context) is None:
            cls.poll_message_set("No view is known yet: find it, or animate the object")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        found = found_view.of_object(context.object, context)
        region = view_angles.viewport_of(context)
        if self.camera:
            camera = _camera(context.scene)
            overlay.place_camera(camera, found.view, found.space, found.aspect, found.moved)
            context.scene.camera = camera
            if region is not None:
                region.view_perspective = "CAMERA"
        elif region is None:
            self.report({"ERROR"}, "There is no 3D viewport to turn.")
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


def _camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """The one that was made in this scene before, or a new one."""
    for obj in scene.objects:
        if obj.type == "CAMERA" and obj.library is None and obj.get(MARK):
            return obj
    camera = bpy.data.objects.new(NAME, bpy.data.cameras.new(NAME))
    camera[MARK] = True
    scene.collection.objects.link(camera)
    return camera
