"""Keeps the result as a point cache."""

from __future__ import annotations

from pathlib import Path

import bpy

from motion324.errors import Motion324Error

from ..job.runner import runner
from ..scene import keeping
from .reporting import report_error


class MOTION324_OT_keep_point_cache(bpy.types.Operator):
    """Keep the result as a PC2 file beside the .blend: small .blend and fast playback, also of long clips"""

    bl_idname = "motion324.keep_point_cache"
    bl_label = "Keep as Point Cache"
    bl_options = {"UNDO"}

    folder: bpy.props.StringProperty(
        name="Folder", description="Of the cache file; beside the .blend if empty", subtype="DIR_PATH"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.animation is None:
            cls.poll_message_set("There is no result to keep")
        return runner.animation is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            folder = Path(bpy.path.abspath(self.folder)) if self.folder else None
            path = keeping.keep_as_point_cache(runner.animation, folder)
        except Motion324Error as error:
            return report_error(self, error)
        runner.kept()
        self.report({"INFO"}, f"The point cache is '{path}'")
        return {"FINISHED"}
