"""Renders a turntable of the active object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..scene import keeping, turntable
from .polling import has_mesh
from .reporting import SteppedOperator

ENGINES = (
    ("WORKBENCH", "Workbench", "Fast, plain light"),
    ("EEVEE", "EEVEE", "Materials as in the viewport's render preview"),
    ("CYCLES", "Cycles", "Path tracing; needs no graphics driver"),
)


class MOTION324_OT_turntable(SteppedOperator, bpy.types.Operator, ExportHelper):
    """Render a camera's way around the active object while it moves"""

    bl_idname = "motion324.turntable"
    bl_label = "Render Turntable"
    doing = "Rendering the turntable"

    filename_ext = ".mp4"
    filter_glob: bpy.props.StringProperty(default="*.mp4", options={"HIDDEN"})
    engine: bpy.props.EnumProperty(name="Engine", description="What renders", items=ENGINES)
    size: bpy.props.IntProperty(name="Size", description="Pixels of both sides", default=512, min=16, max=4096)
    turns: bpy.props.FloatProperty(name="Turns", description="Rounds over the whole animation", default=1.0)
    elevation: bpy.props.FloatProperty(name="Elevation", description="Degrees above the horizon", default=15.0)
    samples: bpy.props.IntProperty(name="Samples", description="Per pixel; not for Workbench", default=16, min=1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or bpy.path.clean_name(context.object.name) + self.filename_ext
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        first, last = keeping.animated_range(context.object)
        settings = turntable.Turntable(
            engine=self.engine, size=self.size, turns=self.turns, elevation=self.elevation, samples=self.samples
        )
        path = Path(bpy.path.abspath(self.filepath))
        return turntable.render_turntable(context.object, path, first, last, settings)

    def finished(self, context: bpy.types.Context) -> None:
        self.report({"INFO"}, f"The turntable is '{bpy.path.abspath(self.filepath)}'")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        for name in ("engine", "size", "turns", "elevation"):
            layout.prop(self, name)
        row = layout.row()
        row.active = self.engine != "WORKBENCH"
        row.prop(self, "samples")
