"""Copies what the check found, to be sent to somebody."""

from __future__ import annotations

import platform

import bpy

from motion324 import __version__

from ..installation import check, environment, plan
from ..installation.runner import runner
from ..settings import preferences


class MOTION324_OT_copy_report(bpy.types.Operator):
    """Copy all that the check found to the clipboard: no passwords, and no name of yours in paths"""

    bl_idname = "motion324.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.state.report is None:
            cls.poll_message_set("Check the installation first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = report_text()
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


def report_text() -> str:
    """The report of the last check, after what this Blender and the choice of the backend are."""
    facts = [
        ("extension", __version__),
        ("this Blender", f"{bpy.app.version_string} on {platform.platform()}, Python {platform.python_version()}"),
        ("chosen backend", _backend()),
    ]
    return check.report_text(facts, runner.state.report)


def _backend() -> str:
    chosen = preferences.chosen_backend()
    if chosen == preferences.REMOTE:
        return "remote"
    if chosen == preferences.PYTHON:
        return f"existing Python {preferences.get().backend_python}"
    if preferences.is_from_variable():
        return f"Python of {preferences.VARIABLE}"
    stamp = environment.read_stamp(runner.place)
    if stamp is None:
        return "installed here, unfinished"
    kind = stamp.extras or "cpu"
    return (
        f"installed here ({kind}, {stamp.packages} packages, {plan.readable_size(stamp.size)}), Python {stamp.python}"
    )
