"""Takes a video that is dropped on a 3D viewport, or on an object there."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..ui.phrases import phrase

SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif", ".mpg", ".mpeg", ".mxf")


class MOTION324_OT_drop_video(bpy.types.Operator):
    """Choose the dropped file as the video; dropped on a mesh object, that is selected as well"""

    bl_idname = "motion324.drop_video"
    bl_label = "Animate After This Video"
    bl_options = {"UNDO", "INTERNAL"}

    filepath: bpy.props.StringProperty(
        name="File", description="The video", subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        region = context.region
        if region is not None and region.type == "WINDOW" and context.area.type == "VIEW_3D":
            before = context.object
            place = (event.mouse_x - region.x, event.mouse_y - region.y)
            bpy.ops.view3d.select(location=place)
            if context.object is not None and context.object.type != "MESH" and before is not None:
                _choose(context, before)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath)) if self.filepath else None
        if path is None or not path.is_file():
            self.report({"ERROR"}, phrase("There is no file '{path}'", path=self.filepath))
            return {"CANCELLED"}
        context.scene.motion324.video = str(path)
        self.report({"INFO"}, phrase("The video is '{name}'; press Animate in the tab Motion324", name=path.name))
        return {"FINISHED"}


class MOTION324_FH_video(bpy.types.FileHandler):
    bl_idname = "MOTION324_FH_video"
    bl_label = "Motion324: Animate After This Video"
    bl_import_operator = "motion324.drop_video"
    bl_file_extensions = ";".join(SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def _choose(context: bpy.types.Context, obj: bpy.types.Object) -> None:
    for other in context.selected_objects:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj
