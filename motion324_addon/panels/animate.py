"""The button that starts a job, what runs, and what went wrong."""

from __future__ import annotations

import time

import bpy

from ..job.runner import runner
from ..job.state import JobState, Phase
from ..readiness import reason_against
from ..terminal import describe
from ..text_lines import draw_lines
from .sidebar import Sidebar, duration

STAGE_LABELS = {
    "read": "Reading the video",
    "foreground": "Finding the foreground",
    "sample": "Sampling the surface",
    "view": "Finding the view",
    "load": "Loading the model",
    "warm-up": "Warming up",
    "reconstruct": "Reconstructing",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
}


class MOTION324_PT_animate(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_animate"
    bl_label = "Animate"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, runner.state
        if state.busy:
            draw_running(layout, state)
            return
        _draw_button(layout, context)
        if state.phase is Phase.FAILED:
            _draw_problem(layout, context, state)
        elif state.phase is Phase.CANCELLED:
            row = layout.row()
            row.label(text="Cancelled; nothing was changed", icon="INFO")
            row.operator("motion324.discard", text="", icon="X", emboss=False)


def _draw_button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    reason = reason_against(context)
    row = layout.row()
    row.scale_y = 1.5
    row.enabled = not reason
    row.operator("motion324.animate", text="Animate", icon="PLAY")
    if reason:
        draw_lines(layout, context, reason, "INFO")


def draw_running(layout: bpy.types.UILayout, state: JobState) -> None:
    """The job's stage, bar and times, and the button that cancels it."""
    now = time.monotonic()
    column = layout.column(align=True)
    column.label(text=state.object_name, icon="OUTLINER_OB_MESH", translate=False)
    column.label(text=state.video_name, icon="FILE_MOVIE", translate=False)
    if state.phase is Phase.RUNNING and state.total:
        layout.progress(factor=state.done / state.total, text=STAGE_LABELS.get(state.stage, state.stage))
    else:
        text = describe(state, now)
        layout.label(text=text[:1].upper() + text[1:], icon="SORTTIME")
    row = layout.row()
    row.label(text=duration(state.seconds(now)), icon="TIME")
    if state.remaining:
        right = row.row()
        right.alignment = "RIGHT"
        right.label(text=f"{duration(state.remaining)} left in stage")
    if state.frames_ready:
        layout.label(text=f"{state.frames_ready} frames can be played", icon="PREVIEW_RANGE")
    row = layout.row()
    row.scale_y = 1.5
    row.operator("motion324.cancel", text="Cancel", icon="CANCEL")


def _draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    box = layout.box()
    column = box.column(align=True)
    draw_lines(column, context, state.problem.sentence, "ERROR")
    first_line = state.problem.hint.partition("\n")[0]
    if first_line:
        draw_lines(column, context, first_line, "BLANK1")
    row = box.row()
    row.operator("motion324.open_log", icon="TEXT")
    row.operator("motion324.discard", text="Close", icon="X")
