"""Brings the example that comes along: a dog and a video of it, so that the first result is two clicks away."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
from mathutils import Euler, Vector

from motion324.core.inside_blender.operator_words import said_by_operator

from ..scene.showing import view_angles
from ..ui.phrases import phrase

FOLDER = Path(__file__).resolve().parents[1] / "example"
CHECKOUT = Path(__file__).resolve().parents[2] / "examples"  # where the extension runs from its repository
NAME = "shiba"
AZIMUTH, ELEVATION = 40.0, 12.0  # from where its video sees it; examples/shiba_truth.npz has the camera


class MOTION324_OT_load_example(bpy.types.Operator):
    """Bring the example's mesh and video: a dog that lunges"""

    bl_idname = "motion324.load_example"
    bl_label = "Load Example"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        folder = FOLDER if FOLDER.is_dir() else CHECKOUT
        if not (folder / f"{NAME}.glb").exists():
            self.report(
                {"ERROR"},
                phrase("The example is not in '{folder}'; install the extension from its zip again.", folder=folder),
            )
            return {"CANCELLED"}
        try:
            bpy.ops.import_scene.gltf(filepath=str(folder / f"{NAME}.glb"))
        except (RuntimeError, AttributeError) as error:  # the importer is an add-on, and may be switched off
            self.report({"ERROR"}, phrase("The example's mesh cannot be imported: {why}.", why=said_by_operator(error)))
            return {"CANCELLED"}
        obj = next(each for each in context.selected_objects if each.type == "MESH")
        context.view_layer.objects.active = obj
        context.scene.motion324.video = str(folder / f"{NAME}.mp4")
        _look_at(context, obj)
        return {"FINISHED"}


def _look_at(context: bpy.types.Context, obj: bpy.types.Object) -> None:
    """Turns the viewport to where the video sees the mesh from, with the mesh's own colours."""
    area = view_angles.viewport_area(context)
    if area is None:
        return
    space = area.spaces.active
    region = space.region_3d
    space.shading.color_type = "TEXTURE"
    region.view_perspective = "PERSP"
    region.view_rotation = Euler((math.radians(90 - ELEVATION), 0, math.radians(AZIMUTH))).to_quaternion()
    corners = [obj.matrix_world @ Vector(corner) for corner in obj.bound_box]
    region.view_location = sum(corners, Vector()) / len(corners)
    region.view_distance = 2.6 * max(obj.dimensions)
