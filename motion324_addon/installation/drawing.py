"""Shows how the installation is, in words and drawn, in the preferences and in the sidebar, and decides nothing."""

from __future__ import annotations

import time
from pathlib import Path

import bpy

from ..job.storage import ADDON
from ..runner_base.state import duration, readable_size, stage_label
from ..ui.choices import in_panel_words
from ..ui.phrases import phrase
from ..ui.text_lines import draw_bar, draw_lines
from . import environment, plan
from .check import FINE, PROBLEM
from .plan import Machine
from .runner import runner
from .state import BYTES, Condition, InstallationState, Phase, Task

TASK_LABELS = {Task.INSTALL: "Starting", Task.CHECK: "Checking", Task.REMOVE: "Removing"}
# What is wrong, and what the button says that mends it.
CONDITIONS = {
    Condition.MISSING: ("The engine is not installed yet", "Download"),
    Condition.UNFINISHED: ("The installation was interrupted; what was downloaded is kept", "Continue Installation"),
    Condition.OUTDATED: ("The engine is of another version than this extension", "Update Engine"),
    Condition.PYTHON_GONE: ("The Python that the engine was installed with is gone", "Repair Engine"),
    Condition.DAMAGED: ("The engine does not work", "Repair Engine"),
    Condition.READY: ("The engine is installed", "Install Again"),
}
# How the subjects begin that are shown also where all is fine: also "memory, GPU" and "torch's device".
SHOWN_FINDINGS = ("motion324", "device", "memory", "torch", "weights", "answer")


def headline(state: InstallationState) -> str:
    """What a running task does now, such as "Downloading scipy"."""
    if state.phase is Phase.CANCELLING:
        return phrase("Cancelling")
    if not state.stage or state.task is Task.CHECK:
        return phrase(TASK_LABELS[state.task])
    label = phrase(stage_label(state.stage))
    return f"{label}: {state.item}" if state.item else label


def amount(state: InstallationState) -> str:
    """How far the stage is: "34 of 210 MB", "7 of 34 packages", or ""."""
    if state.unit == BYTES:
        done, total = readable_size(state.done), readable_size(state.total)
        return phrase("{done} of {total}", done=done.removesuffix(total[-3:]), total=total) if state.total else done
    if state.total == 1:
        return phrase("{done} of 1 package", done=state.done)
    if state.total:
        return phrase("{done} of {total} packages", done=state.done, total=state.total)
    if state.done == 1:
        return phrase("1 package")
    return phrase("{done} packages", done=state.done) if state.done else ""


def describe(state: InstallationState, now: float) -> str:
    """One line for a terminal."""
    parts = [headline(state), amount(state), f"{state.seconds(now):.0f} s"]
    if state.remaining is not None:
        parts.append(f"about {state.remaining:.0f} s left")
    return ", ".join(part for part in parts if part)


def draw_first_run(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the sidebar shows in place of its buttons while no backend can be used: why, and the button that helps."""
    settings = context.preferences.addons[ADDON].preferences
    if settings.backend == "INSTALLED":
        state = runner.look()
        _draw_installation(_draw_bar(layout, state), context, state)
        return
    box = layout.box().column(align=True)
    draw_lines(
        box,
        context,
        "Choose the engine's Python in the preferences"
        if settings.backend == "PYTHON"
        else "Enter the engine's address and token in the preferences",
        "ERROR",
    )
    _preferences_button(box)


def _draw_bar(layout: bpy.types.UILayout, state: InstallationState) -> bpy.types.UILayout:
    """The bar of the task that runs, if there is something to count -> what all the rest is drawn in."""
    part = state.fraction if state.busy else None
    return draw_bar(layout, part, "" if part is None else headline(state)).below


def _draw_progress(layout: bpy.types.UILayout, state: InstallationState) -> None:
    """The task that runs, below its bar, and the button that cancels it."""
    column = layout.column()
    if state.fraction is None:
        column.label(text=headline(state), icon="SORTTIME", translate=False)
    row = column.row()
    row.label(text=amount(state) or duration(state.seconds(time.monotonic())), icon="TIME", translate=False)
    if state.remaining is not None:
        right = row.row()
        right.alignment = "RIGHT"
        right.label(text=phrase("{time} left", time=duration(state.remaining)), translate=False)
    if state.task is not Task.REMOVE:
        column.operator("motion324.cancel_installation", text="Cancel", icon="CANCEL")


def draw_backend(layout: bpy.types.UILayout, context: bpy.types.Context, backend: str, *, from_variable: bool) -> None:
    """The part of the preferences below the choice of the backend."""
    state = runner.look()
    layout = _draw_bar(layout, state)
    if backend == "INSTALLED":
        if from_variable:
            draw_lines(layout, context, "MOTION324_BACKEND_PYTHON is set: the engine of that Python is used", "INFO")
        _draw_installation(layout, context, state)
    elif state.busy:
        _draw_progress(layout, state)
    else:
        _draw_problem(layout, context, state)
        layout.operator("motion324.check_installation", icon="CHECKMARK")
    _draw_report(layout, context, state)


def _draw_installation(layout: bpy.types.UILayout, context: bpy.types.Context, state: InstallationState) -> None:
    if state.busy:
        _draw_progress(layout, state)
        return
    if state.condition is Condition.READY:
        _draw_problem(layout, context, state)
        _draw_ready(layout, context)
        return
    box = layout.box().column(align=True)
    sentence, button = CONDITIONS[state.condition]
    if state.phase is not Phase.IDLE:
        _draw_problem(box, context, state)
        box.separator(factor=0.5)
    elif state.condition is not Condition.MISSING:
        draw_lines(box, context, sentence, "ERROR")
        box.separator(factor=0.5)
    planned = _plan(context, state.machine)
    if state.condition in (Condition.MISSING, Condition.UNFINISHED):  # of others, little comes anew
        _draw_need(box, context, planned)
    row = box.row()
    row.scale_y = 1.5
    online, fixed = bpy.app.online_access, bpy.app.online_access_override
    row.enabled = online or not fixed
    text = phrase(button)
    if not online and state.condition is Condition.MISSING:
        text = phrase("Allow Online Access and {action}", action=text)
    elif not online:
        text = phrase("Go Online: {action}", action=text)  # a longer name would be cut off in the sidebar
    row.operator("motion324.install_backend", text=text, icon="IMPORT", translate=False).allow_online = not online
    if not online and fixed:
        draw_lines(box, context, "This Blender was started without online access", "ERROR")
    box.popover(MOTION324_PT_other_ways.bl_idname, text="Other Ways...")
    if state.condition is not Condition.MISSING:
        box.operator("motion324.remove_backend", icon="TRASH")


def _plan(context: bpy.types.Context, machine: Machine | None) -> plan.Plan | None:
    """What would be downloaded, which needs a look at the machine: that begins here where there was none."""
    if machine is None:
        runner.look_at_machine()
        return None
    settings = context.preferences.addons[ADDON].preferences
    return plan.make_plan(machine, plan.Wishes(settings.computation, settings.extra_index))


def _draw_need(layout: bpy.types.UILayout, context: bpy.types.Context, planned: plan.Plan | None) -> None:
    size = f" ({readable_size(planned.download_bytes)})" if planned else ""
    draw_lines(layout, context, phrase("Motion324 needs a one-time download") + size, "INFO")
    if planned is not None and planned.note:
        draw_lines(layout, context, planned.note, "BLANK1")


class MOTION324_PT_other_ways(bpy.types.Panel):
    """Shown where the button of that name is clicked: what is downloaded, and what to do without that."""

    bl_idname = "MOTION324_PT_other_ways"
    bl_label = "Other Ways"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Motion324"  # else Blender makes an empty tab "Misc" for it
    bl_options = {"INSTANCED"}
    bl_ui_units_x = 15

    def draw(self, context: bpy.types.Context) -> None:
        layout, planned = self.layout, _plan(context, runner.look().machine)
        layout.operator("motion324.install_from_folder", icon="FILE_FOLDER")
        layout.operator("motion324.open_preferences", text="Choose an Engine in the Preferences", icon="PREFERENCES")
        if planned is None:
            layout.label(text="Looking at this machine", icon="SORTTIME")
            return
        what, where = plan.sentences(planned, _short(runner.place.environment))
        draw_lines(layout, context, what, "INFO")
        draw_lines(layout, context, where, "BLANK1")


def _online_switch(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if not bpy.app.online_access_override:
        layout.prop(context.preferences.system, "use_online_access", text="Allow Online Access")


def _draw_ready(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    stamp = environment.read_stamp(runner.place)
    if stamp is not None:
        text = phrase(
            "Version {version} is installed, {size}, in {folder}",
            version=stamp.version,
            size=readable_size(stamp.size),
            folder=_short(runner.place.environment),
        )
        draw_lines(layout, context, text, "CHECKMARK")
    row = layout.row(align=True)
    row.operator("motion324.check_installation", icon="CHECKMARK")
    cell = row.row(align=True)
    cell.enabled = bpy.app.online_access
    cell.operator("motion324.install_backend", text="Install Again", icon="FILE_REFRESH")
    row.operator("motion324.remove_backend", icon="TRASH")
    if not bpy.app.online_access:
        draw_lines(layout, context, "Blender may not go online, which installing again needs", "INFO")
        _online_switch(layout, context)


def _draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, state: InstallationState) -> None:
    if state.phase is Phase.CANCELLED:
        row = layout.row()
        row.label(text="Cancelled", icon="INFO")
        row.operator("motion324.dismiss_installation", text="", icon="X", emboss=False)
        if state.condition is Condition.UNFINISHED:
            draw_lines(layout, context, "What was downloaded is kept", "BLANK1")
    if state.problem is None:
        return
    column = layout.column(align=True)
    draw_lines(column, context, in_panel_words(state.problem.sentence), "ERROR")
    if state.problem.hint:
        draw_lines(column, context, in_panel_words(state.problem.hint), "BLANK1")
    row = column.row(align=True)
    row.operator("motion324.open_installation_log", text="Open Log", icon="TEXT")
    row.operator("motion324.dismiss_installation", text="Close", icon="X")


def _draw_report(layout: bpy.types.UILayout, context: bpy.types.Context, state: InstallationState) -> None:
    """What a person wants to know at once; the whole report goes to the clipboard."""
    if state.report is None or state.busy:
        return
    box = layout.box().column(align=True)
    for finding in state.report.findings:
        if finding.verdict == FINE and not finding.subject.startswith(SHOWN_FINDINGS):
            continue
        icon = {FINE: "CHECKMARK", PROBLEM: "CANCEL"}.get(finding.verdict, "ERROR")
        remedy = f". {finding.remedy}" if finding.remedy else ""
        draw_lines(box, context, f"{finding.subject}: {_short(finding.text)}{remedy}", icon)
    box.operator("motion324.copy_report", icon="COPYDOWN")


def _preferences_button(layout: bpy.types.UILayout) -> None:
    layout.operator("motion324.open_preferences", text="Preferences", icon="PREFERENCES")


def _short(path: Path | str) -> str:
    """A text with the home folder written as ~."""
    return str(path).replace(str(Path.home()), "~")
