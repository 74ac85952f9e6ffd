"""How the motion is reconstructed, and how long that may take."""

from __future__ import annotations

import bpy

from motion324.core.errors import Motion324Error

from ..job.estimate import estimate_seconds
from ..settings import preferences, properties
from ..settings.source_video import facts_of
from ..ui import choices
from ..ui.outcome import outcome_of
from ..ui.readiness import mesh_objects
from ..ui.text_lines import draw_lines
from .sidebar import WorkSidebar, draw_fact, duration, properties_layout


class MOTION324_PT_reconstruct(WorkSidebar, bpy.types.Panel):
    bl_idname = "MOTION324_PT_reconstruct"
    bl_label = "Reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = properties_layout(self), context.scene.motion324
        column = layout.column()
        column.prop(settings, "reconstructor")
        if settings.reconstructor == choices.MOTION_TRANSFORMER:
            column.prop(settings, "device")
            column.prop(settings, "precision")
            draw_lines(layout, context, "Its published weights may not be used commercially", "INFO")
        elif settings.reconstructor != choices.COMPACT_MODEL:
            column.prop(settings, "quality")
        column = layout.column()
        column.prop(settings, "smooth")
        column.prop(settings, "seed")
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
    seconds = estimate_seconds(vertices, frames, facts.size[0] * facts.size[1], options, where)
    return f"About {duration(seconds)}" if seconds else "Not known yet"
