"""Has the operators that export the active object, with its animation, to files for other programs."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from motion324.core.errors import Motion324Error
from motion324.core.files.vertex_textures import files_of
from motion324.core.options.engine_settings import ENDINGS, EngineSettings, MotionEdits, VertexTextures

from ..job.runner import runner
from ..runner_base.state import readable_size
from ..scene.exporting import engine_rig, export, export_formats, export_size, vertex_textures
from ..settings import option_properties, scene_inputs
from ..ui import number_or_all
from ..ui.number_or_all import draw_or_all
from ..ui.own_language import in_own_language
from ..ui.phrases import phrase, tooltip
from ..ui.readiness import mesh_objects
from ..ui.text_lines import draw_lines
from .reporting import has_usable_mesh, propose_name, report_error

FORMATS = tuple((suffix, kind.label, kind.carries) for suffix, kind in export_formats.FORMATS.items())
LARGE = 200_000_000  # bytes; from here on the dialog names a smaller format


class MOTION324_OT_export(bpy.types.Operator, ExportHelper):
    """Export the active object with its animation, in a way that survives being read back"""

    bl_idname = "motion324.export"
    bl_label = "Export Animation"

    filename_ext = ".fbx"
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in export_formats.FORMATS), options={"HIDDEN"}
    )
    format: bpy.props.EnumProperty(name="Format", description="What the file is", items=FORMATS)
    use_range: bpy.props.BoolProperty(
        name="Other Frames", description="Other frames than the animation's own", options={"SKIP_SAVE"}
    )
    first_frame: bpy.props.IntProperty(
        name="First", description="First frame of the scene", default=1, options={"SKIP_SAVE"}
    )
    last_frame: bpy.props.IntProperty(
        name="Last", description="Last frame of the scene", default=250, options={"SKIP_SAVE"}
    )
    all_selected: bpy.props.BoolProperty(
        name="All Selected", description="Export the other selected meshes into the same file as well"
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        kind = export_formats.FORMATS[properties.format]
        return f"{tooltip(cls.__doc__)}. {kind.label}: {tooltip(kind.carries)}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_usable_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        propose_name(self, context.object, "_animated" + self.format)
        if not self.properties.is_property_set("first_frame"):
            self.first_frame, self.last_frame = runner.frames_of(context.object)
        self._sizes: dict[tuple[str, int, int, bool], int] = {}
        self._look(context)
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """While the file browser is open: keeps the name's suffix in step with the format, and the size with both."""
        path = str(Path(self.filepath).with_suffix(self.format)) if Path(self.filepath).suffix else self.filepath
        changed, self.filepath = path != self.filepath, path
        self._look(context)
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            path = scene_inputs.target_of(self.filepath)
        except Motion324Error as error:
            return report_error(self, error)
        if path.suffix.lower() not in export_formats.FORMATS:
            path = path.with_name(path.name + self.format)
        self.format = path.suffix.lower()
        first, last = self._range(context)
        manager = context.window_manager
        manager.progress_begin(0, 1)
        try:
            scene_inputs.check_targets([path])
            obj, *others = self._objects(context)
            for loss in self._losses(context):
                self.report({"WARNING"}, in_own_language(loss))
            export.export(obj, path, first, last, lambda done, total: manager.progress_update(done / total), others)
        except Motion324Error as error:
            return report_error(self, error)
        finally:
            manager.progress_end()
        self.report({"INFO"}, phrase("Exported '{path}'", path=path))
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "format")
        draw_lines(layout, context, export_formats.FORMATS[self.format].carries, "CHECKMARK")
        for loss in self._losses(context):
            draw_lines(layout, context, loss, "INFO")
        bytes_now = self._sizes.get(self._key(context))
        if bytes_now is not None:
            draw_lines(layout, context, phrase("About {size}", size=readable_size(bytes_now)), "FILE")
            if bytes_now > LARGE and self.format not in export_formats.POINT_CACHES:
                smaller = export_size.of_point_cache(self._objects(context), *self._range(context))
                if smaller < 0.5 * bytes_now:
                    text = phrase("A PC2 point cache would take {size}", size=readable_size(smaller))
                    draw_lines(layout, context, text, "LIGHT")
        layout.prop(self, "all_selected")
        layout.prop(self, "use_range")
        column = layout.column(align=True)
        column.active = self.use_range
        column.prop(self, "first_frame")
        column.prop(self, "last_frame")

    def _losses(self, context: bpy.types.Context) -> list[str]:
        """What the format cannot carry, each sentence once."""
        first, _ = self._range(context)
        found = [loss for obj in self._objects(context) for loss in export_formats.losses(obj, self.format, first)]
        return list(dict.fromkeys(found))

    def _look(self, context: bpy.types.Context) -> None:
        """Estimates the size, once for each choice: it shows some frames of the scene."""
        key = self._key(context)
        if key not in self._sizes:
            self._sizes[key] = export_size.estimate(self._objects(context), key[0], key[1], key[2])

    def _key(self, context: bpy.types.Context) -> tuple[str, int, int, bool]:
        return (self.format, *self._range(context), self.all_selected)

    def _objects(self, context: bpy.types.Context) -> list[bpy.types.Object]:
        return mesh_objects(context) if self.all_selected else [context.object]

    def _range(self, context: bpy.types.Context) -> tuple[int, int]:
        if self.use_range:
            return self.first_frame, max(self.first_frame, self.last_frame)
        return runner.frames_of(context.object)


class MOTION324_OT_export_vertex_textures(bpy.types.Operator, ExportHelper):
    """Export the active object as vertex animation textures for game engines: two pictures, a mesh and a JSON file"""

    bl_idname = "motion324.export_vertex_textures"
    bl_label = "Export Vertex Animation Textures"

    filename_ext = ".json"
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_usable_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        propose_name(self, context.object, "_vat.json")  # beside which the mesh is a .glb
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        manager = context.window_manager
        manager.progress_begin(0, 1)
        try:
            path = scene_inputs.target_of(self.filepath).with_suffix(".json")
            options = self._options()
            scene_inputs.check_targets(files_of(path, options))
            first, last = runner.frames_of(context.object)
            written = vertex_textures.export_vertex_textures(
                context.object, path, first, last, options, lambda done, total: manager.progress_update(done / total)
            )
        except Motion324Error as error:
            return report_error(self, error)
        finally:
            manager.progress_end()
        for warning in written.warnings:
            self.report({"WARNING"}, in_own_language(warning["sentence"]))
        self.report(
            {"INFO"}, phrase("Exported '{path}' with {count} files beside it", path=path, count=len(written.files) - 1)
        )
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        for spec in VertexTextures.specs().values():
            layout.prop(self, spec.property_name)
        options = self._options()
        names = ", ".join(path.name for path in files_of(Path(self.filepath).with_suffix(".json"), options))
        draw_lines(layout, context, names, "FILE")
        try:
            size = vertex_textures.estimate(context.object, *runner.frames_of(context.object), options)
        except Motion324Error as error:
            draw_lines(layout, context, str(error), "ERROR")
        else:
            text = phrase("At most {size} of pictures", size=readable_size(size))
            draw_lines(layout, context, text, "IMAGE_DATA")

    def _options(self) -> VertexTextures:
        return VertexTextures.from_dict(option_properties.values_of(self, VertexTextures))


MOTION324_OT_export_vertex_textures.__annotations__.update(option_properties.properties_of(VertexTextures))


class MOTION324_OT_export_rig(bpy.types.Operator, ExportHelper):
    """Export the active object with the armature that moves it, as Unreal, Unity, Godot or the web take it"""

    bl_idname = "motion324.export_rig"
    bl_label = "Export Rig for Engine"

    filename_ext = ".glb"
    filter_glob: bpy.props.StringProperty(default="*.glb;*.fbx", options={"HIDDEN"})
    at_scene_rate: number_or_all.is_zero(
        "resample",
        "Same as Scene",
        "As many frames per second as the scene has",
        number_or_all.rate_of_scene,
    )
    any_loop: number_or_all.is_zero(
        "loop_at_least", "Half of the Frames", "The loop has at least half of the frames", lambda: 12
    )
    all_selected: bpy.props.BoolProperty(
        name="All Selected", description="Export the other selected meshes on the same armature as well"
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_usable_mesh(cls, context):
            return False
        try:
            engine_rig.armature_of([context.object])
        except Motion324Error as error:
            cls.poll_message_set(in_own_language(str(error)))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        propose_name(self, context.object, f"_rig{ENDINGS[self.engine]}")
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """While the file browser is open: keeps the name's suffix in step with the engine."""
        path = str(self._path()) if Path(self.filepath).name else self.filepath
        changed, self.filepath = path != self.filepath, path
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        manager = context.window_manager
        manager.progress_begin(0, 1)
        try:
            path = scene_inputs.target_of(self.filepath).with_suffix(ENDINGS[self.engine])
            scene_inputs.check_targets([path])
            settings = EngineSettings.from_dict(option_properties.values_of(self, EngineSettings))
            edits = MotionEdits.from_dict(option_properties.values_of(self, MotionEdits))
            first, last = runner.frames_of(context.object)
            others = mesh_objects(context)[1:] if self.all_selected else ()
            update = manager.progress_update
            done = engine_rig.export_for_engine(
                context.object, path, first, last, settings, edits, lambda done, total: update(done / total), others
            )
        except Motion324Error as error:
            return report_error(self, error)
        finally:
            manager.progress_end()
        for warning in done.warnings:
            self.report({"WARNING"}, in_own_language(warning["sentence"]))
        self.report({"INFO"}, phrase("Exported '{path}': {what}", path=path, what=in_own_language(done.told)))
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "engine")
        draw_lines(layout, context, self._about(), "CHECKMARK")
        layout.prop(self, "influences")
        layout.prop(self, "key_tolerance")
        layout.prop(self, "root_motion")
        layout.prop(self, "loop")
        row = layout.row()
        row.active = self.loop
        draw_or_all(row, self, ("loop_at_least", "Loop at Least"), "any_loop", "Half of the frames")
        draw_or_all(layout, self, ("resample", "Frame Rate"), "at_scene_rate", "Same as scene")
        layout.prop(self, "all_selected")

    def _about(self) -> str:
        return next(each.description for each in EngineSettings.specs()["engine"].choices if each.value == self.engine)

    def _path(self) -> Path:
        return Path(self.filepath).with_suffix(ENDINGS[self.engine])


MOTION324_OT_export_rig.__annotations__.update(option_properties.properties_of(EngineSettings))
MOTION324_OT_export_rig.__annotations__.update(option_properties.properties_of(MotionEdits))
