"""Draws the panels Reconstruct and Animate: the method, the button, the jobs that run and wait, and what went wrong."""

from __future__ import annotations

import re
import time

import bpy

from motion324.core.errors import Motion324Error
from motion324.core.options import TRANSFORMER, AnimateOptions

from ..job.estimate import JobSize, estimate_seconds, guessed_stages
from ..job.runner import runner
from ..job.state import JobState, Phase
from ..running.state import duration
from ..settings import option_properties, preferences, properties
from ..settings.source_video import facts_of
from ..ui.choices import in_panel_words
from ..ui.menu import PRESETS
from ..ui.readiness import mesh_objects, outcome_of, reason_against
from ..ui.text_lines import draw_bar, draw_lines
from .sidebar import WorkSidebar, draw_button, draw_fact, draw_stage, properties_layout

LAST_LINES = 4  # of the log of a backend that ended
# What the log's lines begin with.
_HEAD = re.compile(r"^\d{4}-\d\d-\d\d [\d:,.]+ (INFO |WARNING |ERROR )?(motion324[\w.]*: )?")
_JOB_ID = re.compile(r"\bjob [0-9a-f]{16,}\b")


class MOTION324_PT_reconstruct(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_reconstruct"
    bl_label = "Reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        of_method = layout.column()
        of_method.prop(settings, "reconstructor")
        if settings.reconstructor == TRANSFORMER:
            draw_lines(layout, context, "Its published weights may not be used commercially", "INFO")
        of_all = layout.column()
        for spec in option_properties.drawn(settings, AnimateOptions, MOTION324_PT_reconstruct.bl_label):
            if spec.name != "reconstructor":
                column = of_method if option_properties.rule_of(spec) else of_all
                column.prop(settings, spec.property_name)
        expected = _expected(context)
        if expected:
            draw_fact(layout, "Expected", expected, "TIME")


def _expected(context: bpy.types.Context) -> str:
    """How long the job may take, judged by earlier jobs of this kind; "" where something is missing for one."""
    settings = context.scene.motion324
    facts = facts_of(settings.video)
    objects = mesh_objects(context)
    if facts is None or not facts.frames or not objects:
        return ""
    try:
        options = properties.options_of(properties.shown_of(settings), context)
        where = preferences.connection()
    except Motion324Error:
        return ""
    vertices = sum(len(obj.data.vertices) for obj in objects)
    frames = outcome_of(settings, facts, context.scene).frames
    pixels = facts.size[0] * facts.size[1]
    seconds = estimate_seconds(vertices, frames, pixels, options, where)
    if seconds:
        return f"About {duration(seconds)}"
    guessed = sum(seconds for _, seconds in guessed_stages(JobSize(vertices, frames, pixels), options, where))
    return f"Some {duration(guessed)}, a first guess" if guessed else "Not known yet"


class MOTION324_PT_animate(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_animate"
    bl_label = "Animate"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.menu(PRESETS, text="", icon="PRESET")

    def draw(self, context: bpy.types.Context) -> None:
        state = runner.state
        if state.busy and state.phase is not Phase.QUEUED:
            above, _, layout = draw_stage(self.layout, state)
        else:
            above, _, layout = draw_bar(self.layout, None)
        if state.busy:
            _draw_names(above, state)
            _draw_running(layout, state)
            _draw_queue(layout, context)
        else:
            _draw_start(layout, context, "Animate", "PLAY", 1.5)
            if state.phase is Phase.CANCELLED:
                _draw_cancelled(layout, context, state)
        for failure in reversed(runner.failures):
            _draw_problem(layout, context, failure)


def _draw_start(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str, scale: float) -> None:
    draw_button(layout, context, "motion324.animate", icon, reason_against(context), text=text, scale=scale)


def _draw_names(layout: bpy.types.UILayout, state: JobState) -> None:
    column = layout.column(align=True)
    column.label(text=state.object_name, icon="OUTLINER_OB_MESH", translate=False)
    column.label(text=state.video_name, icon="FILE_MOVIE", translate=False)


def _draw_running(layout: bpy.types.UILayout, state: JobState) -> None:
    now = time.monotonic()
    column = layout.column()
    if state.phase is Phase.QUEUED:
        others = "another job" if state.ahead == 1 else f"{state.ahead} other jobs"
        column.label(text=f"Behind {others} of the backend", icon="SORTTIME")
    row = column.row()
    row.label(text=duration(state.seconds(now)), icon="TIME")
    left = state.remaining_total
    if left:
        right = row.row()
        right.alignment = "RIGHT"
        right.label(text=f"{duration(left)} left")
    if state.frames_ready:
        frames = "1 frame" if state.frames_ready == 1 else f"{state.frames_ready} frames"
        column.label(text=f"{frames} can be played", icon="PREVIEW_RANGE")
    row = layout.row()
    row.scale_y = 1.5
    row.operator("motion324.cancel", text="Cancel", icon="CANCEL")


def _draw_queue(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    if runner.queue:
        box = layout.box().column(align=True)
        box.label(text="Waiting", icon="SORTTIME")
        for index, job in enumerate(runner.queue):
            row = box.row(align=True)
            row.label(text=f"{job.object_name}: {job.video_name}", icon="OUTLINER_OB_MESH", translate=False)
            for later, icon in ((False, "TRIA_UP"), (True, "TRIA_DOWN")):
                cell = row.row(align=True)
                cell.enabled = 0 <= index + (1 if later else -1) < len(runner.queue)
                button = cell.operator("motion324.requeue", text="", icon=icon, emboss=False)
                button.index, button.later = index, later
            row.operator("motion324.unqueue", text="", icon="X", emboss=False).index = index
        box.operator("motion324.cancel_all", icon="CANCEL")
    obj = context.object
    if obj is not None and runner.jobs.occupied((obj.session_uid,)) is None:
        _draw_start(layout, context, "Add to Queue", "ADD", 1.0)


def _draw_cancelled(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    row = layout.row()
    draw_lines(row.column(), context, state.notice or "Cancelled; nothing was changed", "INFO")
    row.operator("motion324.discard", text="", icon="X", emboss=False).job = state.number


def _draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, job: JobState) -> None:
    box = layout.box()
    column = box.column(align=True)
    title = "The backend was lost" if job.phase is Phase.LOST else f"{job.object_name} was not animated"
    column.label(text=title, icon="ERROR", translate=False)
    draw_lines(column, context, in_panel_words(job.problem.sentence), "BLANK1")
    hint, *log = job.problem.hint.splitlines() or [""]
    draw_lines(column, context, in_panel_words(hint), "BLANK1")
    row = box.row(align=True)
    row.operator("motion324.try_again", icon="PLAY").job = job.number
    row.operator("motion324.restart", text="Restart", icon="FILE_REFRESH").job = job.number
    row.operator("motion324.open_log", text="Open Log", icon="TEXT").job = job.number
    row.operator("motion324.discard", text="", icon="X").job = job.number
    _draw_log(box, log)


def _draw_log(layout: bpy.types.UILayout, log: list[str]) -> None:
    """The last lines of a log; Blender cuts them off at the panel's edge, and the file has all of them."""
    lines = [_JOB_ID.sub("job", _HEAD.sub("", line.strip())) for line in log if line.strip()][-LAST_LINES:]
    if lines:
        column = layout.column(align=True)
        column.active = False
        column.scale_y = 0.85
        for line in lines:
            column.label(text=line, translate=False)
