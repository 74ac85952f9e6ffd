"""Has the operators that look at the animation: the video over it, and a turntable."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from motion324.core.errors import Motion324Error
from motion324.core.options import turntable_settings

from ..job.motion_source import source_of
from ..job.runner import runner
from ..scene.playing import kept_note
from ..scene.showing import overlay, overlay_view, turntable
from ..settings import option_properties, scene_inputs
from ..ui import number_or_all
from ..ui.number_or_all import draw_or_all
from ..ui.phrases import phrase
from ..ui.readiness import mesh_objects
from ..ui.text_lines import draw_lines
from .reporting import SteppedOperator, has_mesh, has_usable_mesh, propose_name, report_error

MP4, PNG = "MP4", "PNG"
FORMATS = ((MP4, "MP4", "One video"), (PNG, "PNG Pictures", "A folder with one picture per frame"))
PRESETS = (
    ("NONE", "Own", "The settings below"),
    ("BENCHMARK", "Benchmark", "512 px, white, from 0, 90, 180 and 270 degrees, level, 16 frames per second"),
)


class MOTION324_OT_overlay(bpy.types.Operator):
    """Look through a camera that sees the mesh as the video does, with the video in its background"""

    bl_idname = "motion324.overlay"
    bl_label = "Overlay Video"
    bl_options = {"REGISTER", "UNDO"}

    opacity: bpy.props.FloatProperty(
        name="Opacity", description="Of the video", default=0.5, min=0.0, max=1.0, subtype="FACTOR"
    )
    in_front: bpy.props.BoolProperty(
        name="In Front", description="The video lies over the mesh, else behind it", default=True
    )

    beside: bpy.props.BoolProperty(
        name="Side by Side", description="The video to the right of the mesh instead of over it", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_mesh(cls, context):
            return False
        if source_of(context.object) is None:
            cls.poll_message_set("The active object has not been animated after a video")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj, source = context.object, source_of(context.object)
        try:
            moved = kept_note.moved_since(obj, source.matrix)
            noted = overlay_view.note_before(context.scene)
            noted.setdefault("perspective", view_perspective(context))
            noted.setdefault("offset", _offset(context))
            opacity = 1.0 if self.beside else self.opacity
            wish = {"opacity": opacity, "in_front": self.in_front, "moved": moved}
            camera = overlay.show_overlay(context.scene, source, **wish)
            if self.beside:
                overlay_view.put_beside(context.scene, camera)
            overlay_view.keep_note(camera, noted)
        except Motion324Error as error:
            return report_error(self, error)
        first, last = source.timing.whole_frames
        if not first <= context.scene.frame_current <= last:
            context.scene.frame_set(first)
        _look_through(context)
        return {"FINISHED"}


class MOTION324_OT_hide_overlay(bpy.types.Operator):
    """Hide the video again; the scene gets the camera and the resolution back that it had"""

    bl_idname = "motion324.hide_overlay"
    bl_label = "Hide Overlay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not overlay_view.is_shown(context.scene):
            cls.poll_message_set("No video lies over the mesh")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        noted = overlay_view.note_before(context.scene)
        perspective = noted.get("perspective", "PERSP")
        areas = [area for area in context.screen.areas if area.type == "VIEW_3D"] if context.screen else []
        views = [area.spaces.active.region_3d for area in areas]
        through = [view for view in views if view.view_perspective == "CAMERA"]
        overlay_view.hide(context.scene)  # with its camera goes the looking through it
        for view in through:
            view.view_perspective = perspective if perspective != "CAMERA" or context.scene.camera else "PERSP"
            view.view_camera_offset = noted.get("offset", (0.0, 0.0))
        return {"FINISHED"}


def view_perspective(context: bpy.types.Context) -> str:
    """How the window's first 3D view looks now."""
    areas = context.screen.areas if context.screen else ()
    return next((each.spaces.active.region_3d.view_perspective for each in areas if each.type == "VIEW_3D"), "PERSP")


def _offset(context: bpy.types.Context) -> list[float]:
    """By which the window's first 3D view has moved what its camera sees."""
    areas = context.screen.areas if context.screen else ()
    views = (each.spaces.active.region_3d for each in areas if each.type == "VIEW_3D")
    return next((list(view.view_camera_offset) for view in views), [0.0, 0.0])


def _covered(context: bpy.types.Context, area: bpy.types.Area) -> tuple[int, int, int]:
    """The width of the area's view, and how much of it the toolbar and the sidebar cover, in pixels."""
    width = {region.type: region.width for region in area.regions}
    if not context.preferences.system.use_region_overlap:
        return width["WINDOW"], 0, 0
    space = area.spaces.active
    tools, sidebar = (
        width[kind] if shown else 0
        for kind, shown in (("TOOLS", space.show_region_toolbar), ("UI", space.show_region_ui))
    )
    return width["WINDOW"], tools, sidebar


def _look_through(context: bpy.types.Context) -> None:
    """Turns the window's 3D views, where there are any, to the scene's camera."""
    for area in context.screen.areas if context.screen else ():
        if area.type == "VIEW_3D":
            view = area.spaces.active.region_3d
            view.view_perspective = "CAMERA"
            view.view_camera_offset = overlay_view.free_offset(view.view_camera_zoom, *_covered(context, area)), 0.0


class MOTION324_OT_turntable(SteppedOperator, bpy.types.Operator, ExportHelper):
    """Render the active object from all sides while it moves"""

    bl_idname = "motion324.turntable"
    bl_label = "Render Turntable"
    doing = "Rendering the turntable"

    filename_ext = ".mp4"
    filter_glob: bpy.props.StringProperty(default="*.mp4", options={"HIDDEN"})
    preset: bpy.props.EnumProperty(name="Preset", description="What is rendered", items=PRESETS)
    # Not `files`: Blender's file browser takes a property of that name for its own list of chosen files, and crashes.
    file_format: bpy.props.EnumProperty(
        name="Files", description="What is written", items=FORMATS, options={"SKIP_SAVE"}
    )
    whole_animation: number_or_all.is_zero(
        "seconds", "Whole Animation", "Show each frame of the animation once", lambda: 4.0
    )
    at_scene_rate: number_or_all.is_zero(
        "fps", "Same as Scene", "As many frames per second as the scene has", number_or_all.rate_of_scene
    )
    all_selected: bpy.props.BoolProperty(name="All Selected", description="Show the other selected meshes as well")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_usable_mesh(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        propose_name(self, context.object, "_turntable" + self.filename_ext)
        return ExportHelper.invoke(self, context, event)

    def check(self, context: bpy.types.Context) -> bool:
        """Keeps format and background, and the name and the format, in step while the file browser is open."""
        before = self.file_format, self.filepath
        if _is_transparent(self):
            self.file_format = PNG
        self.filepath = _named_for(self.filepath, self.file_format)
        return before != (self.file_format, self.filepath)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.run(context)

    def steps(self, context: bpy.types.Context) -> Iterator[tuple[int, int]]:
        first, last = runner.frames_of(context.object)
        others = mesh_objects(context)[1:] if self.all_selected else ()
        path, settings = self.path(), self.settings()
        scene_inputs.check_targets(turntable.files(path, first, last, settings))
        yield from turntable.render_turntable(context.object, path, first, last, settings, others)

    def path(self) -> Path:
        """Where it is written: the name decides what, unless the format has been chosen. Raises what target_of does."""
        chosen = self.properties.is_property_set("file_format")
        return scene_inputs.target_of(_named_for(self.filepath, self.file_format) if chosen else self.filepath)

    def settings(self) -> turntable_settings.Turntable:
        if self.preset == "BENCHMARK":
            return dataclasses.replace(turntable_settings.BENCHMARK, engine=self.engine, samples=self.samples)
        return turntable_settings.Turntable.from_dict(option_properties.values_of(self, turntable_settings.Turntable))

    def finished(self, context: bpy.types.Context) -> None:
        files = turntable.written(self.path(), self.settings())
        told = ", ".join(f"'{path}'" for path in files)
        self.report({"INFO"}, phrase("Turntable: {files}", files=told))

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "preset")
        column = layout.column()
        column.enabled = not _is_transparent(self)
        column.prop(self, "file_format")
        layout.prop(self, "engine")
        row = layout.row()
        row.active = self.engine != "WORKBENCH"
        row.prop(self, "samples")
        column = layout.column()
        column.enabled = self.preset == "NONE"
        for name in ("look", "layout_kind", "size"):
            column.prop(self, name)
        draw_or_all(column, self, ("seconds", "Seconds"), "whole_animation", "Whole animation")
        for name in ("elevation", "azimuth"):
            column.prop(self, name)
        draw_or_all(column, self, ("fps", "Frame Rate"), "at_scene_rate", "Same as scene")
        row = column.row()
        row.active = self.layout_kind == turntable_settings.ORBIT
        row.prop(self, "turns")
        layout.prop(self, "all_selected")
        if _is_transparent(self):
            draw_lines(layout, context, "An MP4 cannot be transparent, so these are PNG pictures", "INFO")


MOTION324_OT_turntable.__annotations__.update(option_properties.properties_of(turntable_settings.Turntable))


def _is_transparent(chosen: MOTION324_OT_turntable) -> bool:
    return chosen.preset == "NONE" and chosen.look == turntable_settings.TRANSPARENT


def _named_for(filepath: str, file_format: str) -> str:
    """The path as such files are named: a video ends in .mp4, a folder of pictures does not."""
    path = Path(filepath)
    if not path.name:
        return filepath
    if file_format == MP4:
        return str(path.with_suffix(".mp4"))
    return str(path.with_suffix("")) if path.suffix.lower() == ".mp4" else filepath
