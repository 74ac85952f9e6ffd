"""Draws the panel Result: the results that wait to be kept, or the animation that was kept."""

from __future__ import annotations

import bpy

from motion324.core.rig_settings import OF_GIVEN, OF_MADE

from ..job.runner import runner
from ..job.state import JobState
from ..running.state import duration
from ..scene.playing import keeping, shape_keys
from ..scene.playing.animation import Animation
from ..scene.playing.keeping import animated_range
from ..ui.choices import in_panel_words
from ..ui.readiness import reason_against_bones, reason_against_shape_keys
from ..ui.text_lines import draw_lines
from .sidebar import Sidebar, draw_button, draw_fact


class MOTION324_PT_result(Sidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(runner.results) or _is_kept(context.object)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        shown = runner.result_of(context.object) or (runner.results[-1] if runner.results else None)
        if shown is not None:
            _draw_waiting(layout, context, shown)
            _draw_others(layout, [job for job in runner.results if job is not shown])
            if not bpy.data.filepath:
                draw_lines(layout, context, "A point cache lies beside the .blend: save it first", "INFO")
        elif _is_kept(context.object):
            _draw_kept(layout, context.object)


def _draw_waiting(layout: bpy.types.UILayout, context: bpy.types.Context, job: JobState) -> None:
    names = _names(job)
    column = layout.column(align=True)
    draw_fact(column, "Object" if len(names) == 1 else "Objects", _in_short(names), "OUTLINER_OB_MESH")
    draw_fact(column, "Frames", str(job.frames))
    draw_fact(column, "Took", duration(job.seconds(0.0)))
    for warning in job.warnings:
        draw_lines(layout, context, in_panel_words(warning), "ERROR")
    obj = context.object
    if obj is not None and obj.session_uid in job.objects and shape_keys.reason_to_copy(obj):
        draw_lines(layout, context, f"For shape keys: {obj.name} {shape_keys.reason_to_copy(obj)}", "INFO")
        if shape_keys.can_copy(obj):
            layout.operator("motion324.make_single_user", icon="DUPLICATE")
        else:
            draw_lines(layout, context, "Make the object local first: Object > Relations > Make Local > All", "INFO")
    animations = runner.animations_of(job.number)
    if any(each.own_pose is not None for each in animations):
        layout.prop(context.scene.motion324, "own_pose_before")
    own_pose = context.scene.motion324.own_pose_before
    column = layout.column(align=True)
    reason = reason_against_shape_keys(animations)
    button = draw_button(column, context, "motion324.keep_shape_keys", "SHAPEKEY_DATA", reason)
    button.job, button.own_pose = job.number, own_pose
    row = column.row(align=True)
    row.enabled = bool(bpy.data.filepath)
    button = row.operator("motion324.keep_point_cache", icon="FILE_CACHE")
    button.job, button.own_pose = job.number, own_pose
    armatures = sum(each.type == "ARMATURE" for each in _modifiers(job))
    chosen = context.scene.motion324_rig.armature
    if armatures or chosen:
        reason = reason_against_bones(keeping.ARMATURE, animations, chosen)
        draw_button(column, context, "motion324.keep_armature", "ARMATURE_DATA", reason).job = job.number
        _draw_settings(layout, context, ("armature", *OF_GIVEN) if armatures != 1 else OF_GIVEN)
    if not armatures:
        if not chosen:
            _draw_settings(layout, context, ("armature",))
        reason = reason_against_bones(keeping.RIG, animations)
        draw_button(column, context, "motion324.keep_rig", "OUTLINER_OB_ARMATURE", reason).job = job.number
        _draw_settings(layout, context, OF_MADE)
    column.operator("motion324.discard", text="Discard", icon="TRASH").job = job.number
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
            _draw_row(box, _in_short(_names(job)), runner.animations_of(job.number), job.number, "")


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


def _draw_kept(layout: bpy.types.UILayout, obj: bpy.types.Object) -> None:
    first, last = animated_range(obj)
    column = layout.column(align=True)
    draw_fact(column, "Kept on", obj.name, "OUTLINER_OB_MESH")
    draw_fact(column, "Frames", f"{first} to {last}")
    if keeping.keyed_data(obj) is not None:
        layout.operator("motion324.push_to_nla", icon="NLA_PUSHDOWN")
    layout.operator("motion324.remove_animation", icon="TRASH")


def _draw_settings(layout: bpy.types.UILayout, context: bpy.types.Context, names: tuple[str, ...]) -> None:
    column = layout.column(align=True)
    column.use_property_split, column.use_property_decorate = True, False
    for name in names:
        column.prop(context.scene.motion324_rig, name)


def _modifiers(job: JobState) -> list[bpy.types.Modifier]:
    objects = [each.target.find() for each in runner.animations_of(job.number)]
    return [modifier for obj in objects if obj is not None for modifier in obj.modifiers]


def _names(job: JobState) -> list[str]:
    """The objects of the job's that were neither kept nor discarded, as they are called now."""
    found = ((each.target, each.target.find()) for each in runner.animations_of(job.number))
    return [target.name if obj is None else obj.name for target, obj in found]


def _in_short(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)


def _is_kept(obj: bpy.types.Object | None) -> bool:
    return obj is not None and obj.type == "MESH" and keeping.is_kept(obj)
