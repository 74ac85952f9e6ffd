"""Tells the angles from which a camera or the viewport sees an object, as a job's view takes them.

Azimuth 0 looks at the object's front from -Y and rises towards +X; elevation is above the horizon; both in degrees and
in the world's axes, since a job sees the object upright.
"""

from __future__ import annotations

import math

import bpy
from mathutils import Vector

from motion324.core.errors import EXIT_USAGE, Motion324Error

Angles = tuple[float, float]


def from_camera(context: bpy.types.Context) -> Angles:
    """Of the scene's active camera, seen from the active object. Raises Motion324Error("no-camera")."""
    camera = context.scene.camera
    if camera is None:
        raise Motion324Error(
            "no-camera", "The scene has no active camera.", "Add one, or choose another view.", EXIT_USAGE
        )
    matrix = camera.matrix_world
    backwards = matrix.to_3x3() @ Vector((0, 0, 1))
    is_parallel = camera.type == "CAMERA" and camera.data.type == "ORTHO"
    return angles_of(backwards if is_parallel else matrix.translation - centre_of(context), backwards)


def from_viewport(context: bpy.types.Context) -> Angles:
    """Of the 3D viewport that the context names, or else the window's largest, seen from the active object.

    Raises Motion324Error("no-viewport"), or "no-camera" where the viewport looks through a camera that is gone.
    """
    region = viewport_of(context)
    if region is None:
        raise Motion324Error("no-viewport", "There is no 3D viewport.", "Open one, or give the angles.", EXIT_USAGE)
    if region.view_perspective == "CAMERA":
        return from_camera(context)
    matrix = region.view_matrix.inverted()
    backwards = matrix.to_3x3() @ Vector((0, 0, 1))
    is_parallel = region.view_perspective == "ORTHO"
    return angles_of(backwards if is_parallel else matrix.translation - centre_of(context), backwards)


def viewport_of(context: bpy.types.Context) -> bpy.types.RegionView3D | None:
    """The context's own 3D viewport, or else the largest of its window."""
    if context.region_data is not None:
        return context.region_data
    area = viewport_area(context)
    return area.spaces.active.region_3d if area else None


def viewport_area(context: bpy.types.Context) -> bpy.types.Area | None:
    """The area of the context's 3D viewport, or else of the largest one of its window."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    areas = [area for area in (context.screen.areas if context.screen else ()) if area.type == "VIEW_3D"]
    return max(areas, key=lambda area: area.width * area.height, default=None)


def angles_of(towards: Vector, otherwise: Vector) -> Angles:
    """(azimuth, elevation) of the direction from the object to the eye; `otherwise` where the eye is in the object."""
    direction = towards if towards.length > 1e-9 else otherwise
    x, y, z = direction.normalized()
    elevation = math.degrees(math.asin(max(-1.0, min(1.0, z))))
    if math.hypot(x, y) < 1e-6:  # straight from above or below: the azimuth means nothing
        return 0.0, elevation
    return math.degrees(math.atan2(x, -y)), elevation


def centre_of(context: bpy.types.Context) -> Vector:
    """The centre of the active object's box, in the world; the origin without an object."""
    obj = context.object
    if obj is None:
        return Vector()
    corners = [Vector(corner) for corner in obj.bound_box]
    return obj.matrix_world @ (sum(corners, Vector()) / len(corners))
