"""Marks the active object's pins of the shown frame in 3D views: a line from the vertex to the place it is to have.

A place in the picture is marked where one looks through the overlay's camera, which shows the picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader
from mathutils import Vector

from motion324.core.errors import Motion324Error

from ..job.motion_source import source_of
from ..scene.correcting import earlier, object_pins, picking

COLOUR = (1.0, 0.0, 0.55, 1.0)  # pink: rare in what is animated, and seen on light and dark
SIZE = 8.0  # pixels of a mark
_handle: object | None = None


def marks(context: bpy.types.Context) -> Iterator[tuple[Vector, Vector]]:
    """For each pin of a vertex at the shown frame: where the vertex is in the region, and where its place is."""
    obj = context.object
    source = source_of(obj) if obj is not None and obj.type == "MESH" and obj.motion324_pins else None
    if source is None:
        return
    try:
        now = int(source.frame_numbers[earlier.place_in(source.timing, context.scene.frame_current_final)])
    except Motion324Error:  # the scene shows no frame of it
        return
    region, view = context.region, context.region_data
    vertices = obj.evaluated_get(context.evaluated_depsgraph_get()).data.vertices
    for pin in obj.motion324_pins:
        if pin.frame != now or pin.kind not in (object_pins.POINT, object_pins.PLACE) or pin.vertex >= len(vertices):
            continue
        vertex = location_3d_to_region_2d(region, view, obj.matrix_world @ vertices[pin.vertex].co)
        if pin.kind == object_pins.PLACE:
            place = location_3d_to_region_2d(region, view, obj.matrix_world @ Vector(pin.place))
        else:
            place = _in_picture(context, pin.at)
        if vertex is not None and place is not None:
            yield vertex, place


def _in_picture(context: bpy.types.Context, at: tuple[float, float]) -> Vector | None:
    """Where a place of the video's picture is in the region; None where one does not look through its camera."""
    camera, view = context.scene.camera, context.region_data
    if view.view_perspective != "CAMERA" or not picking.is_overlay(camera):
        return None
    corners = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=context.scene)]
    seen = [location_3d_to_region_2d(context.region, view, corner) for corner in corners]
    if None in seen:
        return None
    right_top, _, left_bottom, _ = seen
    x = left_bottom.x + at[0] * (right_top.x - left_bottom.x)
    return Vector((x, right_top.y + at[1] * (left_bottom.y - right_top.y)))


def _draw() -> None:
    found = list(marks(bpy.context))
    if not found:
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.uniform_float("color", COLOUR)
    gpu.state.point_size_set(SIZE * bpy.context.preferences.system.ui_scale)
    gpu.state.line_width_set(2.0)
    batch_for_shader(shader, "LINES", {"pos": [point.to_3d() for pair in found for point in pair]}).draw(shader)
    batch_for_shader(shader, "POINTS", {"pos": [place.to_3d() for _, place in found]}).draw(shader)
    gpu.state.point_size_set(1.0)
    gpu.state.line_width_set(1.0)


def register() -> None:
    global _handle
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = None
