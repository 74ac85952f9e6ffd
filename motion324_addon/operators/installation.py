"""Has the operators that install, check and remove the backend, and hand its report on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import bpy

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error

from ..batch.blocking import ProgressLine
from ..installation import check, environment
from ..installation.drawing import describe
from ..installation.packages import Source
from ..installation.runner import Order, runner
from ..installation.state import Condition, Phase, Task
from ..job.backend import Local
from ..job.runner import runner as jobs
from ..job.storage import ADDON
from ..runner_base.history import history
from ..runner_base.state import readable_size
from ..settings import preferences
from ..ui.phrases import phrase, tooltip
from .reporting import passed_on, report_error


class MOTION324_OT_install_backend(bpy.types.Operator):
    """Download the engine into the extension's own folder, or continue, update or repair it; Blender stays usable"""

    bl_idname = "motion324.install_backend"
    bl_label = "Install Engine"

    wheels_folder: bpy.props.StringProperty(
        name="Folder of Wheels",
        description="Install from the wheels in this folder, without any network; empty for the package index",
        subtype="DIR_PATH",
    )
    allow_online: bpy.props.BoolProperty(
        name="Allow Online Access",
        description="Switch Blender's preference on first, with which add-ons may use the network",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.allow_online:
            return tooltip(
                "Allow add-ons to use the network (Preferences > System > Network), then download the engine"
            )
        return tooltip(cls.__doc__)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return nothing_runs(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if self.allow_online and not bpy.app.online_access_override:
            context.preferences.system.use_online_access = True
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
        operator.poll_message_set("A task of the engine's installation runs")
        return False
    if jobs.state.busy:
        operator.poll_message_set("An animation is being made with the engine")
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


class MOTION324_OT_install_from_folder(bpy.types.Operator):
    """Install the engine without a network, from a folder of wheels that was filled on another computer"""

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
        return passed_on(self, lambda: bpy.ops.motion324.install_backend(wheels_folder=self.directory))


class MOTION324_OT_check_installation(bpy.types.Operator):
    """Start the engine's own doctor, and show versions, device, memory and weights"""

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
            works = phrase("Motion324: everything that is needed works")
            self.report({"INFO"}, works if report.works else phrase("Motion324: something does not work"))
        return {"FINISHED"}


def _where() -> preferences.Where:
    """The chosen backend; a damaged one is looked at, too, since it may have been mended."""
    from_here = preferences.chosen_backend() == preferences.INSTALLED and not preferences.is_from_variable()
    if from_here and runner.look().condition is Condition.DAMAGED:
        return Local(runner.place.python)
    return preferences.connection()


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
        context.window_manager.clipboard = report_text(history.lines())
        self.report({"INFO"}, phrase("The report is in the clipboard"))
        return {"FINISHED"}


def report_text(events: Sequence[str] = ()) -> str:
    """The report of the last check, after what this Blender and the choice of the backend are.

    events: what jobs, looks and the installation did lately, a line each.
    """
    facts = [
        ("extension", __version__),
        ("this Blender", f"{bpy.app.version_string} on {platform.platform()}, Python {platform.python_version()}"),
        ("chosen backend", _backend()),
    ]
    return check.report_text(facts, runner.state.report, events)


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
    return f"installed here ({kind}, {stamp.packages} packages, {readable_size(stamp.size)}), Python {stamp.python}"


class MOTION324_OT_remove_backend(bpy.types.Operator):
    """Remove the engine's folder and what was downloaded for it; weights, results and preferences stay"""

    bl_idname = "motion324.remove_backend"
    bl_label = "Remove Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.look().condition is Condition.MISSING and not runner.state.busy:
            cls.poll_message_set("The engine is not installed")
            return False
        return nothing_runs(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            run(Order(Task.REMOVE))
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_cancel_installation(bpy.types.Operator):
    """Stop now; what was downloaded is kept, and the installation can be continued later"""

    bl_idname = "motion324.cancel_installation"
    bl_label = "Cancel Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if runner.state.phase is not Phase.WORKING:
            cls.poll_message_set("It is being cancelled" if runner.state.busy else "Nothing is being installed")
            return False
        if runner.state.task is Task.REMOVE:
            cls.poll_message_set("What has been removed does not come back")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.cancel()
        return {"FINISHED"}


class MOTION324_OT_dismiss_installation(bpy.types.Operator):
    """Close this message"""

    bl_idname = "motion324.dismiss_installation"
    bl_label = "Close Message of the Installation"

    def execute(self, context: bpy.types.Context) -> set[str]:
        runner.dismiss()
        return {"FINISHED"}


class MOTION324_OT_open_installation_log(bpy.types.Operator):
    """Open the installation's log, with the details of the error"""

    bl_idname = "motion324.open_installation_log"
    bl_label = "Open Log of the Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not runner.place.log.exists():
            cls.poll_message_set("There is no log")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.wm.path_open(filepath=str(runner.place.log))
        return {"FINISHED"}


class MOTION324_OT_open_preferences(bpy.types.Operator):
    """Open the preferences of Motion324"""

    bl_idname = "motion324.open_preferences"
    bl_label = "Open Preferences of Motion324"

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.preferences.addon_show(module=ADDON)
        return {"FINISHED"}
