"""Chooses the video of the next job."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper


class MOTION324_OT_pick_video(bpy.types.Operator, ImportHelper):
    """Choose the video of the thing that the mesh shows; a picture stands for all of its folder"""

    bl_idname = "motion324.pick_video"
    bl_label = "Choose Video"
    bl_options = {"UNDO"}

    filter_movie: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        is_picture = path.suffix.lower() in bpy.path.extensions_image
        context.scene.motion324.video = str(path.parent if is_picture else path)
        return {"FINISHED"}
