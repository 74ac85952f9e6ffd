"""Shows and hides the video over the mesh: what that changes of the scene is put back when it is hidden.

The note lies on the overlay's own camera, so that it is saved and undone with it.
"""

from __future__ import annotations

import json
import math
from typing import Any

import bpy

from ..playing import fcurves
from . import overlay

BEFORE = "motion324_before"  # a custom property of the camera: JSON, what the scene had before
BESIDE = (0.25, 0.0)  # of a background image, in widths of the picture
_RENDER = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")


def overlay_camera(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera through which the overlay is seen; None where none is shown."""
    return next((obj for obj in scene.objects if obj.type == "CAMERA" and obj.get(overlay.MARK)), None)


def is_shown(scene: bpy.types.Scene) -> bool:
    camera = overlay_camera(scene)
    return camera is not None and scene.camera == camera


def is_beside(scene: bpy.types.Scene) -> bool:
    """Whether the video is shown beside the mesh."""
    camera = overlay_camera(scene)
    backgrounds = camera.data.background_images if camera is not None else ()
    return any(background.offset[0] != 0 for background in backgrounds)


def note_before(scene: bpy.types.Scene) -> dict[str, Any]:
    """What showing an overlay is going to change; of one that is shown already, what it has changed."""
    camera = overlay_camera(scene)
    if camera is not None and scene.camera == camera and BEFORE in camera:
        return json.loads(camera[BEFORE])
    noted: dict[str, Any] = {name: getattr(scene.render, name) for name in _RENDER}
    noted["camera"] = scene.camera.name if scene.camera and scene.camera != camera else ""
    return noted


def keep_note(camera: bpy.types.Object, noted: dict[str, Any]) -> None:
    camera[BEFORE] = json.dumps(noted)


def hide(scene: bpy.types.Scene) -> None:
    """Removes the camera and its picture, and gives the scene its camera and its resolution back."""
    camera = overlay_camera(scene)
    if camera is None:
        return
    was_shown = scene.camera == camera
    try:
        noted = json.loads(camera[BEFORE])
    except (KeyError, TypeError, ValueError):
        noted = {}
    _remove(camera)
    if not was_shown:
        return
    for name in _RENDER:
        if name in noted:
            setattr(scene.render, name, noted[name])
    scene.camera = scene.objects.get(noted.get("camera", ""))


def put_beside(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Puts the mesh into the left half of a picture twice as wide, and the video into the right one."""
    render, data = scene.render, camera.data
    half = render.resolution_x / render.resolution_y / 2
    data.background_images[0].offset = BESIDE
    data.shift_x += half
    for curve in fcurves.curves_of(data):
        if curve.data_path == "shift_x":
            for point in curve.keyframe_points:
                point.co.y += half
            curve.update()
    render.resolution_x *= 2


def free_offset(zoom: float, width: int, left: int, right: int) -> float:
    """The horizontal RegionView3D.view_camera_offset that puts the camera's picture into the middle of what is free.

    zoom: its view_camera_zoom. width: of the view in pixels, of which `left` and `right` are covered at its sides.
    """
    factor = (math.sqrt(2) + zoom / 50) ** 2 / 4  # Blender's BKE_screen_view3d_zoom_to_fac
    return (right - left) / 2 / max(width, 1) / (2 * factor)


def _remove(camera: bpy.types.Object) -> None:
    """With its data, their animation, and the pictures that nothing else uses."""
    data = camera.data
    overlay.clear_background(data)
    actions = {each.animation_data.action for each in (camera, data) if each.animation_data}
    bpy.data.objects.remove(camera)
    if data.users == 0:
        bpy.data.cameras.remove(data)
    for action in actions - {None}:
        if action.users == 0:
            bpy.data.actions.remove(action)


def set_opacity(scene: bpy.types.Scene, opacity: float) -> None:
    """Of the video of the overlay that is shown, if one is."""
    camera = overlay_camera(scene)
    for background in camera.data.background_images if camera is not None else ():
        background.alpha = opacity
