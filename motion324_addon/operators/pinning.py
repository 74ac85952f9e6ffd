"""Has the operators that pin points and vertex groups of a result."""

from __future__ import annotations

import bpy
import numpy as np
from bpy_extras import view3d_utils
from mathutils import Vector

from motion324.core.errors import EXIT_USAGE, Motion324Error

from ..job.motion_source import source_of
from ..scene.correcting import earlier, object_pins, picking
from ..scene.playing.kept_note import Source
from ..ui.phrases import phrase
from .reporting import has_mesh, report_error

CURRENT = -1  # a frame of the scene that is not given


def has_source(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    if not has_mesh(operator, context):
        return False
    if source_of(context.object) is None:
        operator.poll_message_set("The active object has not been animated after a video")
        return False
    return True


def place_now(source: Source, frame: int) -> tuple[int, int]:
    """The result's frame that the scene shows at `frame` (CURRENT: now), and the video's number of it."""
    shown = bpy.context.scene.frame_current_final if frame == CURRENT else float(frame)
    place = earlier.place_in(source.timing, shown)
    return place, int(source.frame_numbers[place])


def frames_meant(scene: bpy.types.Scene, source: Source) -> tuple[int, int]:
    """The result's first and last frame in the scene; of these what the preview range has, where it has some: it may be
    another object's, that was played before."""
    first, last = source.timing.whole_frames
    if scene.use_preview_range:
        low, high = max(first, scene.frame_preview_start), min(last, scene.frame_preview_end)
        return (low, high) if low <= high else (first, last)
    return first, last


class MOTION324_OT_pin_point(bpy.types.Operator):
    """Press on the mesh and drag to where that point is in the picture; looked at through the overlay's camera, else \
to where it is in space"""

    bl_idname = "motion324.pin_point"
    bl_label = "Pin Point"
    bl_options = {"UNDO"}

    vertex: bpy.props.IntProperty(name="Vertex", description="Its number in the mesh", min=0, options={"SKIP_SAVE"})
    at: bpy.props.FloatVectorProperty(
        name="Place in the Picture",
        description="Parts of the picture's width and height from its top left corner",
        size=2,
        options={"SKIP_SAVE"},
    )
    frame: bpy.props.IntProperty(
        name="Frame", description="Of the scene; -1 is the current one", default=CURRENT, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_source(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = context.object
        try:
            if self.vertex >= len(obj.data.vertices):
                sentence = f"'{obj.name}' has no vertex {self.vertex}."
                raise Motion324Error("bad-pins", sentence, f"It has {len(obj.data.vertices)}.", EXIT_USAGE)
            _, number = place_now(source_of(obj), self.frame)
            object_pins.add_point(obj, number, self.vertex, tuple(self.at))
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        area = context.area if context.area is not None and context.area.type == "VIEW_3D" else None
        if area is None:
            self.report({"ERROR"}, phrase("Pins are placed in a 3D viewport."))
            return {"CANCELLED"}
        try:
            self._source = source_of(context.object)
            self._place, self._number = place_now(self._source, CURRENT)
        except Motion324Error as error:
            return report_error(self, error)
        self._picked: int | None = None
        self._area = area
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set(phrase("Press on the mesh, drag to its place, release   |   Esc: stop"))
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type in {"ESC", "RIGHTMOUSE"}:
            return self._ended(context, {"CANCELLED"})
        region, view, mouse = self._under(event)
        if region is None or event.type not in {"LEFTMOUSE", "MOUSEMOVE"}:
            return {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._pick(context.object, region, view, mouse)
            return {"RUNNING_MODAL"}
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._picked is not None:
            try:
                self._pin(context, region, view, mouse)
            except Motion324Error as error:
                return self._ended(context, report_error(self, error))
            return self._ended(context, {"FINISHED"})
        return {"RUNNING_MODAL"} if self._picked is not None else {"PASS_THROUGH"}

    def _under(self, event: bpy.types.Event) -> tuple:
        """The viewport's drawing region, its view, and the mouse in it; None where the mouse is elsewhere."""
        for region in self._area.regions:
            x, y = event.mouse_x - region.x, event.mouse_y - region.y
            if region.type == "WINDOW" and 0 <= x < region.width and 0 <= y < region.height:
                return region, self._area.spaces.active.region_3d, (x, y)
        return None, None, None

    def _pick(self, obj: bpy.types.Object, region, view, mouse: tuple[int, int]) -> None:
        positions = picking.shown_positions(obj)
        matrix = view.perspective_matrix @ obj.matrix_world
        pixels, depth = picking.in_region(positions, matrix, (region.width, region.height))
        self._picked = picking.picked(pixels, depth, mouse)
        if self._picked is not None:
            self._from = obj.matrix_world @ Vector(positions[self._picked].tolist())

    def _pin(self, context: bpy.types.Context, region, view, mouse: tuple[int, int]) -> None:
        obj = context.object
        point = view3d_utils.region_2d_to_location_3d(region, view, mouse, self._from)
        camera = context.scene.camera
        if view.view_perspective == "CAMERA" and picking.is_overlay(camera):
            at = picking.place_in_picture(obj, self._source, np.array(point), self._place)
            object_pins.add_point(obj, self._number, self._picked, at)
        else:
            object_pins.add_place(obj, self._number, self._picked, obj.matrix_world.inverted() @ point)

    def _ended(self, context: bpy.types.Context, how: set[str]) -> set[str]:
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        self._area.tag_redraw()
        return how


class MOTION324_OT_pin_still(bpy.types.Operator):
    """Keep the vertices of the active vertex group where they are over a range of frames, as paws on the floor"""

    bl_idname = "motion324.pin_still"
    bl_label = "Keep Group Still"
    bl_options = {"UNDO"}

    group: bpy.props.StringProperty(name="Vertex Group", description="The active one if empty", options={"SKIP_SAVE"})
    first: bpy.props.IntProperty(name="First Frame", description="Of the scene", options={"SKIP_SAVE"})
    last: bpy.props.IntProperty(name="Last Frame", description="Of the scene", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not has_source(cls, context):
            return False
        if not context.object.vertex_groups:
            cls.poll_message_set("Assign what stays still to a vertex group first (Edit Mode, Ctrl G)")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.group = context.object.vertex_groups.active.name
        self.first, self.last = frames_meant(context.scene, source_of(context.object))
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop_search(self, "group", context.object, "vertex_groups")
        layout.prop(self, "first")
        layout.prop(self, "last")

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = context.object
        try:
            source = source_of(obj)
            if self.last < self.first:
                sentence = f"The last frame, {self.last}, lies before the first, {self.first}."
                raise Motion324Error("bad-pins", sentence, "Give the first one first.", EXIT_USAGE)
            (_, first), (_, last) = (place_now(source, frame) for frame in (self.first, self.last))
            object_pins.add_still(obj, first, last, self.group or obj.vertex_groups.active.name)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}


class MOTION324_OT_remove_pin(bpy.types.Operator):
    """Remove a pin, or all of them; what Refine has changed stays"""

    bl_idname = "motion324.remove_pin"
    bl_label = "Remove Pin"
    bl_options = {"UNDO"}

    index: bpy.props.IntProperty(
        name="Place", description="In the list; -1 removes all", default=-1, min=-1, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.object is None or not context.object.motion324_pins:
            cls.poll_message_set("The active object has no pins")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        obj = context.object
        chosen = range(len(obj.motion324_pins)) if self.index < 0 else [self.index]
        try:
            for index in reversed(chosen):
                object_pins.remove(obj, index)
        except Motion324Error as error:
            return report_error(self, error)
        return {"FINISHED"}
