"""Shows the mask of the first frame, before a job."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..examining import looks, mask_picture
from ..settings import properties
from .reporting import report_error


class MOTION324_OT_preview_mask(properties.JobProperties, bpy.types.Operator):
    """Find the object in the first used frame, and show it here and in Image Editors. Not given arguments are taken \
from the scene's settings"""

    bl_idname = "motion324.preview_mask"
    bl_label = "Preview Mask"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return self._run(context.scene.motion324)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._run(properties.chosen_of(self, context.scene.motion324))

    def _run(self, settings: properties.JobProperties) -> set[str]:
        try:
            question = looks.mask_question(settings)
            if bpy.app.background:
                looks.mask_look.ask(question)
            else:
                looks.mask_look.start(question)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_show_mask(bpy.types.Operator):
    """Show the mask in an Image Editor; opens a window with one where there is none"""

    bl_idname = "motion324.show_mask"
    bl_label = "Show Mask in Image Editor"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if bpy.data.images.get(mask_picture.NAME) is None:
            cls.poll_message_set("Preview the mask first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        editors = mask_picture.image_editors() or self._open_window(context)
        for space in editors[:1]:
            space.image = bpy.data.images[mask_picture.NAME]
        return {"FINISHED"} if editors else {"CANCELLED"}

    def _open_window(self, context: bpy.types.Context) -> list[bpy.types.SpaceImageEditor]:
        if context.window is None:
            self.report({"ERROR"}, "There is no window to show it in.")
            return []
        bpy.ops.wm.window_new()
        window = context.window_manager.windows[-1]
        window.screen.areas[0].ui_type = "IMAGE_EDITOR"
        return [window.screen.areas[0].spaces.active]
