"""The sidebar: draws what the state and the settings say, and decides nothing."""

from __future__ import annotations

import time

import bpy

from .job.runner import runner
from .job.state import JobState, Phase
from .preferences import VARIABLE, is_backend_chosen
from .scene.keeping import animated_range
from .terminal import describe
from .text_lines import draw_lines

STAGE_LABELS = {
    "read": "Reading the video",
    "foreground": "Finding the foreground",
    "sample": "Sampling the surface",
    "view": "Finding the view",
    "reconstruct": "Reconstructing motion",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
}


class Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Motion324"


class MOTION324_PT_source(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_source"
    bl_label = "Source"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.motion324
        layout.use_property_split = True
        layout.use_property_decorate = False
        obj = context.object
        row = layout.row()
        if obj is not None and obj.type == "MESH":
            row.label(text=obj.name, icon="OUTLINER_OB_MESH", translate=False)
        else:
            row.label(text="Select a mesh object", icon="INFO")
        row = layout.row(align=True)
        row.use_property_split = False
        row.prop(settings, "video", text="", placeholder="Video")
        row.operator("motion324.pick_video", text="", icon="FILEBROWSER")
        column = layout.column(align=True)
        column.prop(settings, "first_frame")
        column.prop(settings, "frame_count")
        column.prop(settings, "frame_step")
        column = layout.column(align=True)
        column.prop(settings, "timing")
        column.prop(settings, "start_frame")


class MOTION324_PT_options(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_options"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, context.scene.motion324
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(settings, "mask")
        if settings.mask == "file":
            column.prop(settings, "mask_path")
        column = layout.column()
        column.prop(settings, "view")
        if settings.view == "angles":
            angles = layout.column(align=True)
            angles.prop(settings, "azimuth")
            angles.prop(settings, "elevation")
        column = layout.column()
        column.prop(settings, "smooth")
        column.prop(settings, "seed")


class MOTION324_PT_animate(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_animate"
    bl_label = "Animate"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, runner.state
        if state.busy:
            _draw_running(layout, state)
            return
        if not is_backend_chosen():
            box = layout.box().column(align=True)
            draw_lines(box, context, "Choose the Python of the backend in the preferences, or set " + VARIABLE, "ERROR")
            box.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = __package__
        row = layout.row()
        row.scale_y = 1.5
        row.enabled = bool(context.scene.motion324.video) and is_backend_chosen()
        row.operator("motion324.animate", text="Animate", icon="PLAY")
        if state.phase is Phase.FAILED:
            _draw_problem(layout, context, state)
        elif state.phase is Phase.CANCELLED:
            row = layout.row()
            row.label(text="Cancelled; nothing was changed", icon="INFO")
            row.operator("motion324.discard", text="", icon="X", emboss=False)


class MOTION324_PT_result(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return runner.state.phase is Phase.DONE

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, runner.state
        layout.label(text=state.object_name, icon="OUTLINER_OB_MESH", translate=False)
        layout.label(text=f"{state.frames} frames in {_duration(state.seconds(0.0))}", icon="CHECKMARK")
        for warning in state.warnings:
            draw_lines(layout, context, warning, "ERROR")
        column = layout.column(align=True)
        column.operator("motion324.keep_shape_keys", icon="SHAPEKEY_DATA")
        row = column.row(align=True)
        row.enabled = bool(bpy.data.filepath)
        row.operator("motion324.keep_point_cache", icon="FILE_CACHE")
        if not bpy.data.filepath:
            draw_lines(layout, context, "A point cache lies beside the .blend: save it first", "INFO")
        layout.operator("motion324.discard", icon="TRASH")


class MOTION324_PT_output(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_output"
    bl_label = "Show and Export"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if context.object is not None and context.object.type == "MESH":
            first, last = animated_range(context.object)
            layout.label(text=f"Frames {first} to {last}", icon="PREVIEW_RANGE")
        column = layout.column(align=True)
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("motion324.turntable", text="Turntable...", icon="CAMERA_DATA")
        column.operator("motion324.export", text="Export...", icon="EXPORT")


def _draw_running(layout: bpy.types.UILayout, state: JobState) -> None:
    layout.label(text=state.object_name, icon="OUTLINER_OB_MESH", translate=False)
    now = time.monotonic()
    if state.phase is Phase.RUNNING and state.total:
        label = STAGE_LABELS.get(state.stage, state.stage)
        layout.progress(factor=state.done / state.total, text=f"{label}: {state.done} of {state.total}")
    else:
        text = describe(state, now)
        layout.label(text=text[:1].upper() + text[1:], icon="SORTTIME")
    row = layout.row()
    row.label(text=_duration(state.seconds(now)), icon="TIME")
    if state.remaining:
        row.label(text=f"{_duration(state.remaining)} left in this stage")
    if state.frames_ready:
        layout.label(text=f"{state.frames_ready} frames can be played", icon="PREVIEW_RANGE")
    row = layout.row()
    row.scale_y = 1.5
    row.operator("motion324.cancel", text="Cancel", icon="CANCEL")


def _draw_problem(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    box = layout.box().column(align=True)
    draw_lines(box, context, state.problem.sentence, "ERROR")
    first_line = state.problem.hint.partition("\n")[0]
    if first_line:
        draw_lines(box, context, first_line, "BLANK1")
    row = box.row()
    row.operator("motion324.open_log", icon="TEXT")
    row.operator("motion324.discard", text="Close", icon="X")


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d} min" if minutes else f"{seconds} s"


CLASSES = (
    MOTION324_PT_source,
    MOTION324_PT_options,
    MOTION324_PT_animate,
    MOTION324_PT_result,
    MOTION324_PT_output,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
