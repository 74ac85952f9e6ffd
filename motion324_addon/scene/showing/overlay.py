"""The camera that a job found, with the video in its background, in step with the animation."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from motion324.core.normalisation import Normalisation
from motion324.core.view import View

from ..playing.kept_note import Source
from . import background_video

NAME = "Motion324 Overlay"
SENSOR = 24.0  # millimetres; only the ratio of the focal length to it matters
Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # turns normalised space's axes into Blender's


def show_overlay(
    scene: bpy.types.Scene,
    source: Source,
    *,
    opacity: float = 0.5,
    in_front: bool = True,
    moved: Matrix | None = None,
) -> bpy.types.Object:
    """Makes the camera, or sets up the one that it made before, as the scene's; pictures get the video's size.

    opacity: of the video. in_front: whether it is drawn over the mesh or behind it. moved: what the object's matrix has
    been multiplied with, from the left, since it was animated.
    Raises what `background_video.load` raises; nothing is changed then.
    """
    image, (width, height) = background_video.load(source.video)
    camera = _camera(scene)
    place_camera(camera, source.view, source.space, width / height, moved)
    background_video.show(camera.data, image, source, opacity, in_front)
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    return camera


def place_camera(
    camera: bpy.types.Object, view: View, space: Normalisation, aspect: float, moved: Matrix | None = None
) -> None:
    """Gives the camera the view, exactly. space: to the world. aspect: the picture's width over its height."""
    camera.parent = None
    camera.matrix_world = camera_matrix(view, space, moved)
    data = camera.data
    data.type, data.sensor_fit, data.sensor_height = "PERSP", "VERTICAL", SENSOR
    data.lens = view.focal * SENSOR
    # Blender shifts by parts of the side that the sensor is fitted to, here the height; its y goes up.
    data.shift_x = (0.5 - view.centre[0]) * aspect
    data.shift_y = view.centre[1] - 0.5
    distance = float(np.linalg.norm(view.position)) / space.scale
    data.clip_start, data.clip_end = distance * 1e-2, distance * 100
    data.display_size = distance * 0.1


def camera_matrix(view: View, space: Normalisation, moved: Matrix | None = None) -> Matrix:
    """Where a camera stands in the world that has the view; see `show_overlay` for `moved`."""
    right, down, ahead = view.rotation @ Z_UP.T
    eye = space.to_source(np.asarray(view.position)[None])[0]
    matrix = Matrix([[*row, 0.0] for row in np.stack([right, -down, -ahead], axis=1).tolist()] + [[0.0, 0.0, 0.0, 1.0]])
    matrix.translation = eye.tolist()
    if moved is None:
        return matrix
    location, rotation, _ = (moved @ matrix).decompose()
    return Matrix.LocRotScale(location, rotation, None)


def _camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """The one that was made in this scene before, or a new one."""
    for obj in scene.objects:
        if obj.type == "CAMERA" and obj.library is None and obj.get("motion324_overlay"):
            return obj
    camera = bpy.data.objects.new(NAME, bpy.data.cameras.new(NAME))
    camera["motion324_overlay"] = True
    scene.collection.objects.link(camera)
    return camera
