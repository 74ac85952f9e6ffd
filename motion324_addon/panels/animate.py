"""Draws the panel Animate, which has the whole way from the mesh to the kept result, in rows that keep their places.

What is told of a job that failed, and which jobs wait, comes below all that is clicked.
"""

from __future__ import annotations

import re
import time

import bpy

from ..examining import looks
from ..examining.new_mesh import mesh_look
from ..job.runner import runner
from ..job.state import JobState, Phase
from ..settings import preferences
from ..ui import guide
from ..ui.choices import doubt_about, in_panel_words, is_poor, with_names_only
from ..ui.menu import PRESETS
from ..ui.phrases import phrase
from ..ui.readiness import reason_against, status_of
from ..ui.text_lines import BarPlace, draw_bar, draw_lines
from . import result
from .sidebar import Sidebar, draw_stage, properties_layout
from .source import draw_mesh, draw_new_mesh_found, draw_video

LAST_LINES = 4  # of the log of an engine that ended
HEIGHT = 1.5  # of the button, and of the bar in its place
# What the log's lines begin with.
_HEAD = re.compile(r"^\d{4}-\d\d-\d\d [\d:,.]+ (INFO |WARNING |ERROR )?(motion324[\w.]*: )?")
_JOB_ID = re.compile(r"\bjob [0-9a-f]{16,}\b")


class MOTION324_PT_animate(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_animate"
    bl_label = "Animate"
    bl_order = 1

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Results that wait, and what was kept, need no engine."""
        return (
            preferences.is_backend_ready()
            or runner.state.busy
            or bool(runner.results)
            or result.is_kept(context.object)
        )

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.menu(PRESETS, text="", icon="PRESET")
        if guide.address():
            self.layout.operator("wm.url_open", text="", icon="HELP", emboss=False).url = guide.address()

    def draw(self, context: bpy.types.Context) -> None:
        state = runner.state
        above, bar, layout = _draw_bar(properties_layout(self), state)
        draw_mesh(above, context)
        draw_video(above, context)
        if state.busy:
            bar.operator("motion324.cancel", text="", icon="X")
        else:
            _draw_button(layout, context)
        looked_at = looks.view_found_for(context.object, context)
        match = looked_at.overlap if looked_at else None
        result.draw_status(layout, context, status_of(context, time.monotonic(), match))
        result.draw_result(layout, context)
        draw_new_mesh_found(layout, context)
        if state.busy:
            _draw_running(layout, context, state)
        _draw_queue(layout, context)
        if state.phase is Phase.CANCELLED:
            _draw_cancelled(layout, context, state)
        for failure in reversed(runner.failures):
            _draw_problem(layout, context, failure)


def _draw_bar(layout: bpy.types.UILayout, state: JobState) -> BarPlace:
    """Where the button is, so that nothing else moves; of a job, or else of the mesh that is made of the video."""
    if state.busy:
        return draw_stage(layout, state, HEIGHT)
    if mesh_look.look.running:
        return draw_stage(layout, mesh_look.look)
    return draw_bar(layout, None)


def _draw_button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """With a grey cross where it is while a job runs: who clicks there once too often starts nothing."""
    row = layout.row(align=True)
    row.scale_y = HEIGHT
    button = row.row(align=True)
    button.enabled = not reason_against(context)
    button.operator("motion324.animate", text="Animate", icon="PLAY")
    cross = row.row(align=True)
    cross.enabled = False
    cross.operator("motion324.cancel", text="", icon="X")


def _draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    if state.match is not None and is_poor(state.match):  # known long before the result
        draw_lines(layout, context, doubt_about(state.match), "ERROR")
    column = layout.column(align=True)
    column.active = False
    column.label(text=f"{state.object_name}: {state.video_name}", icon="OUTLINER_OB_MESH", translate=False)
    if state.phase is Phase.QUEUED:
        others = phrase("Behind {count} other jobs of the engine", count=state.ahead)
        text = phrase("Behind another job of the engine") if state.ahead == 1 else others
        column.label(text=text, icon="SORTTIME", translate=False)
    elif state.frames_ready:
        frames = phrase("{count} frames can be played", count=state.frames_ready)
        text = phrase("1 frame can be played") if state.frames_ready == 1 else frames
        column.label(text=text, icon="PREVIEW_RANGE", translate=False)


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
    if runner.state.busy and obj is not None and runner.jobs.occupied((obj.session_uid,)) is None:
        row = layout.row()
        row.enabled = not reason_against(context)
        row.operator("motion324.animate", text="Add to Queue", icon="ADD")


def _draw_cancelled(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    row = layout.row()
    draw_lines(row.column(), context, state.notice or "Cancelled; nothing was changed", "INFO")
    row.operator("motion324.discard", text="", icon="X", emboss=False).job = state.number


def _draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, job: JobState) -> None:
    """Its buttons in two rows, since three names side by side are cut off in a sidebar of the usual width."""
    box = layout.box()
    column = box.column(align=True)
    row = column.row()
    failed = phrase("{name} was not animated", name=job.object_name)
    title = phrase("The engine was lost") if job.phase is Phase.LOST else failed
    row.label(text=title, icon="ERROR", translate=False)
    row.operator("motion324.discard", text="", icon="X", emboss=False).job = job.number
    draw_lines(column, context, with_names_only(in_panel_words(job.problem.sentence)), "BLANK1")
    hint, *log = job.problem.hint.splitlines() or [""]
    draw_lines(column, context, with_names_only(in_panel_words(hint)), "BLANK1")
    column = box.column(align=True)
    column.operator("motion324.try_again", icon="PLAY").job = job.number
    row = column.row(align=True)
    row.operator("motion324.restart", text="Restart", icon="FILE_REFRESH").job = job.number
    row.operator("motion324.open_log", text="Open Log", icon="TEXT").job = job.number
    if "preferences" in f"{job.problem.sentence} {hint}".lower():
        row.operator("motion324.open_preferences", text="", icon="PREFERENCES")
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
