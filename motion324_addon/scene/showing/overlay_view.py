"""Shows and hides the video over the mesh: what that changes of the scene is put back when it is hidden.

The note lies on the overlay's own camera, so that it is saved and undone with it.
"""

from __future__ import annotations

import json
from typing import Any

import bpy

from . import overlay

BEFORE = "motion324_before"  # a custom property of the camera: JSON, what the scene had before
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
    overlay.remove_camera(camera)
    if not was_shown:
        return
    for name in _RENDER:
        if name in noted:
            setattr(scene.render, name, noted[name])
    scene.camera = scene.objects.get(noted.get("camera", ""))


def set_opacity(scene: bpy.types.Scene, opacity: float) -> None:
    """Of the video of the overlay that is shown, if one is."""
    camera = overlay_camera(scene)
    for background in camera.data.background_images if camera is not None else ():
        background.alpha = opacity
