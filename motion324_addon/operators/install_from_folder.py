"""Chooses the folder of wheels that the backend is installed from."""

from __future__ import annotations

import bpy

from .install_backend import nothing_runs


class MOTION324_OT_install_from_folder(bpy.types.Operator):
    """Install the backend without a network, from a folder of wheels that was filled on another computer"""

    bl_idname = "motion324.install_from_folder"
    bl_label = "Install from Folder..."

    directory: bpy.props.StringProperty(
        name="Folder of Wheels", description="The folder in which the wheels lie", subtype="DIR_PATH"
    )
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return nothing_runs(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        return bpy.ops.motion324.install_backend(wheels_folder=self.directory)
