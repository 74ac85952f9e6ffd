"""Looks whether the chosen backend works."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..installation.runner import Order, runner
from ..installation.state import Condition, Task
from ..job.backend_location import Local
from ..settings import preferences
from .copy_report import report_text
from .install_backend import nothing_runs, run
from .reporting import report_error


class MOTION324_OT_check_installation(bpy.types.Operator):
    """Start the backend's own doctor, and show versions, device, memory and weights; without a window all is printed"""

    bl_idname = "motion324.check_installation"
    bl_label = "Check Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return nothing_runs(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            run(Order(Task.CHECK, where=_where()))
        except Motion324Error as error:
            return report_error(self, error)
        report = runner.state.report
        if bpy.app.background and report is not None:
            print(report_text(), flush=True)
            worst = "everything that is needed works" if report.works else "something does not work"
            self.report({"INFO"}, f"Motion324: {worst}")
        return {"FINISHED"}


def _where() -> preferences.Where:
    """The chosen backend; a damaged one is looked at, too, since it may have been mended."""
    from_here = preferences.chosen_backend() == preferences.INSTALLED and not preferences.is_from_variable()
    if from_here and runner.look().condition is Condition.DAMAGED:
        return Local(runner.place.python)
    return preferences.connection()
