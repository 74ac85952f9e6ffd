"""Draws the panel Quality: how the motion is found, and how long that may take."""

from __future__ import annotations

import bpy

from motion324.core.options.animate_options import TRANSFORMER, AnimateOptions

from ..runner_base.state import duration
from ..settings import option_properties
from ..ui.phrases import phrase
from ..ui.readiness import expected_of
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
    """How long the job may take; "" where something is missing for one."""
    expected = expected_of(context)
    if expected is None:
        return ""
    if not expected.seconds:
        return phrase("Not known yet")
    time = duration(expected.seconds)
    return phrase("About {time}", time=time) if expected.is_learnt else phrase("Perhaps {time}", time=time)
