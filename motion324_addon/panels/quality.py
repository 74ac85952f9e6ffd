"""Draws the panel Quality: how the motion is found, and how long that may take."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error
from motion324.core.options import TRANSFORMER, AnimateOptions

from ..job.estimate import JobSize, estimate_seconds, guessed_stages
from ..runner_base.state import duration
from ..settings import option_properties, preferences, properties
from ..settings.source_video import facts_of
from ..ui.phrases import phrase
from ..ui.readiness import mesh_objects, outcome_of
from ..ui.text_lines import draw_lines
from .sidebar import WorkSidebar, draw_fact, properties_layout


class MOTION324_PT_quality(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_quality"
    bl_label = "Quality"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 8

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        of_method = layout.column()
        of_method.prop(settings, "reconstructor")
        if settings.reconstructor == TRANSFORMER:
            draw_lines(layout, context, "Its published weights may not be used commercially", "INFO")
        of_all = layout.column()
        for spec in option_properties.drawn(settings, AnimateOptions, MOTION324_PT_quality.bl_label):
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
        return phrase("About {time}", time=duration(seconds))
    guessed = sum(seconds for _, seconds in guessed_stages(JobSize(vertices, frames, pixels), options, where))
    return phrase("Perhaps {time}", time=duration(guessed)) if guessed else phrase("Not known yet")
