"""Exports the active object with its animation."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from motion324.errors import Motion324Error

from ..scene import export, keeping
from ..text_lines import draw_lines
from .polling import has_mesh
from .reporting import report_error

FORMATS = tuple((suffix, kind.label, kind.carries) for suffix, kind in export.FORMATS.items())


class MOTION324_OT_export(bpy.types.Operator, ExportHelper):
    """Export the active object with its animation, in a way that survives being read back"""

    bl_idname = "motion324.export"
    bl_label = "Export Animation"

    filename_ext = ".fbx"
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in export.FORMATS), options={"HIDDEN"}
    )
    format: bpy.props.EnumProperty(name="Format", description="What the file is", items=FORMATS)
    use_range: bpy.props.BoolProperty(name="Other Frames", description="Other frames than the animation's own")
    first_frame: bpy.props.IntProperty(name="First", description="First frame of the scene", default=1)
    last_frame: bpy.props.IntProperty(name="Last", description="Last frame of the scene", default=250)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.filepath = self.filepath or bpy.path.clean_name(context.object.name) + self.format
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """Keeps the name's suffix in step with the format, while the file browser is open."""
        path = str(Path(self.filepath).with_suffix(self.format)) if Path(self.filepath).suffix else self.filepath
        changed, self.filepath = path != self.filepath, path
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() not in export.FORMATS:
            path = path.with_name(path.name + self.format)
        own = keeping.animated_range(context.object)
        first, last = (self.first_frame, self.last_frame) if self.use_range else own
        manager = context.window_manager
        manager.progress_begin(0, 1)
        try:
            export.export(context.object, path, first, last, lambda done, total: manager.progress_update(done / total))
        except Motion324Error as error:
            return report_error(self, error)
        finally:
            manager.progress_end()
        self.report({"INFO"}, f"Exported '{path}'")
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "format")
        draw_lines(layout, context, f"Carries {export.FORMATS[self.format].carries}", "INFO")
        layout.prop(self, "use_range")
        column = layout.column(align=True)
        column.active = self.use_range
        column.prop(self, "first_frame")
        column.prop(self, "last_frame")
