"""Closes the message of an installation that failed or was cancelled."""

from __future__ import annotations

import bpy

from ..installation.runner import runner


class MOTION324_OT_dismiss_installation(bpy.types.Operator):
    """Close this message"""

    bl_idname = "motion324.dismiss_installation"
    bl_label = "Close Message of the Installation"

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.dismiss()
        return {"FINISHED"}
