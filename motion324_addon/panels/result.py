"""Draws what the panel Animate says below its button: of the active object, the result that waits or was kept, and the
results of others as rows below.
"""

from __future__ import annotations

import bpy

from motion324.core.options.rig_settings import OF_GIVEN, OF_MADE

from ..job.runner import runner
from ..job.state import JobState
from ..scene.playing import keeping, shape_keys, takes
from ..scene.playing.animation import Animation
from ..ui.choices import in_panel_words
from ..ui.number_or_all import draw_or_all
from ..ui.own_language import in_own_language
from ..ui.phrases import in_short, phrase
from ..ui.readiness import Status, reason_against_bones, reason_against_shape_keys
from ..ui.text_lines import draw_lines
from .sidebar import Sidebar, draw_button

APART = 0.8  # of Blender's usual gap, beside the one that there is anyway


def draw_status(layout: bpy.types.UILayout, context: bpy.types.Context, status: Status) -> None:
    """One row: what there is to say, and the button that plays it."""
    row = layout.row(align=True)
    column = row.column()
    draw_lines(column, context, in_panel_words(status.text), status.icon, one_less=True)
    cell = row.row(align=True)
    cell.enabled = can_be_played(context.object)
    cell.operator("motion324.play", text="", icon="PAUSE" if _plays(context) else "PLAY")


def draw_result(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The active object's own first, always in the same rows; then what waits on others."""
    obj = context.object
    shown = runner.result_of(obj)
    kept = is_kept(obj)
    if shown is not None or kept:
        _draw_keep(layout, context, shown)
        _draw_leave(layout, shown, kept)
    if shown is not None:
        _draw_notes(layout, context, shown)
    _draw_others(layout, [job for job in runner.results if job is not shown])


def _draw_keep(layout: bpy.types.UILayout, context: bpy.types.Context, job: JobState | None) -> None:
    """What the result can become; of a kept one, what it can be changed to."""
    number, own_pose = (job.number if job else 0), context.scene.motion324.own_pose_before
    animations = runner.animations_of(number) if job else ()
    column = layout.column(align=True)
    column.enabled = job is not None or takes.shown_take(context.object) is not None
    only = "" if job else context.object.name
    button = draw_button(column, "motion324.keep_shape_keys", "SHAPEKEY_DATA", reason_against_shape_keys(animations))
    button.job, button.own_pose, button.object_name = number, own_pose, only
    row = column.row(align=True)
    row.enabled = bool(bpy.data.filepath)
    button = row.operator("motion324.keep_point_cache", icon="FILE_CACHE")
    button.job, button.own_pose, button.object_name = number, own_pose, only
    row = column.row(align=True)
    chosen = context.scene.motion324_rig.armature
    if chosen or _armatures(job, context.object):
        reason = reason_against_bones(keeping.ARMATURE, animations, chosen)
        button = draw_button(row, "motion324.keep_armature", "ARMATURE_DATA", reason)
    else:
        reason = reason_against_bones(keeping.RIG, animations)
        button = draw_button(row, "motion324.keep_rig", "OUTLINER_OB_ARMATURE", reason)
    button.job, button.object_name = number, only
    row.popover(MOTION324_PT_rig.bl_idname, text="", icon="DOWNARROW_HLT")


def _draw_leave(layout: bpy.types.UILayout, job: JobState | None, kept: bool) -> None:
    """Apart from what keeps, and in the same places whether there is one or both."""
    layout.separator(factor=APART)
    row = layout.row(align=True)
    cell = row.row(align=True)
    cell.enabled = job is not None
    cell.operator("motion324.discard", text="Discard", icon="TRASH").job = job.number if job else 0
    cell = row.row(align=True)
    cell.enabled = kept
    cell.operator("motion324.remove_animation", text="Remove", icon="X")
    cell = row.row(align=True)
    cell.enabled = kept
    cell.operator("motion324.push_to_nla", text="", icon="NLA_PUSHDOWN")


def _draw_notes(layout: bpy.types.UILayout, context: bpy.types.Context, job: JobState) -> None:
    animations = runner.animations_of(job.number)
    if any(each.own_pose is not None for each in animations):
        layout.prop(context.scene.motion324, "own_pose_before")
    for warning in job.warnings:
        draw_lines(layout, context, in_panel_words(warning), "ERROR")
    obj = context.object
    if shape_keys.reason_to_copy(obj):
        why = f"{obj.name} {in_own_language(shape_keys.reason_to_copy(obj))}"
        draw_lines(layout, context, phrase("For shape keys: {why}", why=why), "INFO")
        if shape_keys.can_copy(obj):
            layout.operator("motion324.make_single_user", icon="DUPLICATE")
        else:
            draw_lines(layout, context, "Make the object local first: Object > Relations > Make Local > All", "INFO")
    elif reason_against_shape_keys(animations):
        draw_lines(layout, context, reason_against_shape_keys(animations), "INFO")
    if not bpy.data.filepath:
        draw_lines(layout, context, "A point cache lies beside the .blend: save it first", "INFO")
    names = _names(job)
    if len(names) > 1:
        box = layout.box().column(align=True)
        box.label(text="One by One")
        for name in names:
            _draw_row(box, name, runner.waiting(name, job.number), job.number, name)


def _draw_others(layout: bpy.types.UILayout, jobs: list[JobState]) -> None:
    if jobs:
        box = layout.box().column(align=True)
        box.label(text="Waiting as Well")
        for job in jobs:
            _draw_row(box, in_short(_names(job)), runner.animations_of(job.number), job.number, "")
    if runner.discarded is not None:
        row = layout.row(align=True)
        text = phrase("{name}: discarded", name=runner.discarded.object_name)
        row.label(text=text, icon="TRASH", translate=False)
        row.operator("motion324.bring_back", text="Bring Back", icon="LOOP_BACK")


def _draw_row(
    layout: bpy.types.UILayout, text: str, animations: tuple[Animation, ...], number: int, object_name: str
) -> None:
    """What waits, with the three things that can be done with it. object_name: "" for all of the job's.

    Why it cannot become shape keys is told by the grey button's tooltip.
    """
    row = layout.row(align=True)
    row.label(text=text, icon="OUTLINER_OB_MESH", translate=False)
    cells = {name: row.row(align=True) for name in ("keep_shape_keys", "keep_point_cache", "discard")}
    cells["keep_shape_keys"].enabled = not reason_against_shape_keys(animations)
    cells["keep_point_cache"].enabled = bool(bpy.data.filepath)
    icons = ("SHAPEKEY_DATA", "FILE_CACHE", "TRASH")
    for (name, cell), icon in zip(cells.items(), icons, strict=True):
        button = cell.operator(f"motion324.{name}", text="", icon=icon)
        button.job, button.object_name = number, object_name
        if name != "discard":
            button.own_pose = bpy.context.scene.motion324.own_pose_before


class MOTION324_PT_rig(Sidebar, bpy.types.Panel):
    """Shown where the arrow beside the button that makes a rig is clicked."""

    bl_idname = "MOTION324_PT_rig"
    bl_label = "Rig"
    bl_options = {"INSTANCED"}
    bl_ui_units_x = 14

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        column.use_property_split, column.use_property_decorate = True, False
        armatures = _armatures(runner.result_of(context.object), context.object)
        settings = context.scene.motion324_rig
        if armatures != 1:
            column.prop(settings, "armature")
        for name in OF_GIVEN if armatures or settings.armature else OF_MADE:
            if name == "bones":
                draw_or_all(column, settings, ("bones", "Bones"), "fewest_bones", "Automatic")
            else:
                column.prop(settings, name)


def can_be_played(obj: bpy.types.Object | None) -> bool:
    """Whether the object moves: by a job that runs, a result that waits, or one that was kept."""
    if obj is None or obj.type != "MESH":
        return False
    return is_kept(obj) or any(shown.target.uid == obj.session_uid for shown in runner.previews())


def is_kept(obj: bpy.types.Object | None) -> bool:
    return obj is not None and obj.type == "MESH" and keeping.is_kept(obj)


def _plays(context: bpy.types.Context) -> bool:
    return bool(context.screen and context.screen.is_animation_playing)


def _armatures(job: JobState | None, active: bpy.types.Object | None) -> int:
    """How many Armature modifiers the job's objects, or the active one, have."""
    objects = [each.target.find() for each in runner.animations_of(job.number)] if job else [active]
    return sum(modifier.type == "ARMATURE" for obj in objects if obj is not None for modifier in obj.modifiers)


def _names(job: JobState) -> list[str]:
    """The objects of the job's that were neither kept nor discarded, as they are called now."""
    found = ((each.target, each.target.find()) for each in runner.animations_of(job.number))
    return [target.name if obj is None else obj.name for target, obj in found]
