"""Installs, continues, updates or repairs the backend, whatever it needs."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error

from ..batch.terminal import ProgressLine
from ..installation.packages import Source
from ..installation.runner import Order, runner
from ..installation.state import Task
from ..installation.words import describe
from ..job.runner import runner as jobs
from ..settings import preferences
from .reporting import report_error


class MOTION324_OT_install_backend(bpy.types.Operator):
    """Download the backend into the extension's own folder, or continue, update or repair it; Blender stays usable"""

    bl_idname = "motion324.install_backend"
    bl_label = "Install Backend"

    wheels_folder: bpy.props.StringProperty(
        name="Folder of Wheels",
        description="Install from the wheels in this folder, without any network; empty for the package index",
        subtype="DIR_PATH",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return nothing_runs(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            order = Order(Task.INSTALL, self._source(), preferences.wishes())
            run(order)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}

    def _source(self) -> Source:
        """Raises Motion324Error("offline", "no-wheels")."""
        if not self.wheels_folder:
            if not bpy.app.online_access:
                raise Motion324Error(
                    "offline",
                    "Blender has no permission for online access, which downloading the backend needs.",
                    "Allow it in Preferences > System > Network, install from a folder of wheels (wheels_folder), or "
                    "choose the Python of an existing backend in Preferences > Add-ons > Motion324.",
                    EXIT_BACKEND,
                )
            return Source(extra_index=preferences.wishes().extra_index)
        folder = Path(bpy.path.abspath(self.wheels_folder)).absolute()
        if not any(folder.glob("*.whl")):
            raise Motion324Error(
                "no-wheels",
                f"There are no wheels in '{folder}'.",
                "Fill it with 'pip download' on a computer that is online, as the README shows.",
                EXIT_USAGE,
            )
        return Source(folder=folder)


def nothing_runs(operator: type[bpy.types.Operator]) -> bool:
    """Whether neither a task of the installation nor a job runs; else the operator's tooltip says so."""
    if runner.state.busy:
        operator.poll_message_set(f"The backend's {runner.state.task.value} runs")
        return False
    if jobs.state.busy:
        operator.poll_message_set("An animation is being made with the backend")
        return False
    return True


def run(order: Order) -> None:
    """In a window it goes on beside the artist's work; in the background this waits for its end.

    Raises the Motion324Error that ended it, where this waits.
    """
    if bpy.app.background:
        with ProgressLine(sys.stderr, line_of=describe) as line:
            runner.run_blocking(order, line.show)
    else:
        runner.start(order)
