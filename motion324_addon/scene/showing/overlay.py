"""Sets up the camera that a job found, with the video or a folder of pictures in its background, in step with
the animation.

Where the job has taken the camera's motion off the video, this one turns about its axis, zooms and shifts its picture
so that it sees the result where the video, which is shown as it is, shows the object.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.files.input_files import images_in
from motion324.core.motion.camera_path import moved_view, similarities
from motion324.core.reference_mesh import Normalisation
from motion324.core.view import View

from ..playing import fcurves
from ..playing.kept_note import Source
from ..reading.orientation import z_up

NAME = "Motion324 Overlay"
MARK = "motion324_overlay"  # a custom property of the camera that this made
SENSOR = 24.0  # millimetres; only the ratio of the focal length to it matters


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
    Raises what `load_background` raises; nothing is changed then.
    """
    image, (width, height) = load_background(source.video)
    camera = own_camera(scene, NAME, MARK)
    place_camera(camera, source.view, source.space, width / height, moved)
    move_camera(camera, source, width / height, moved)
    show_background(camera.data, image, source, opacity, in_front)
    scene.camera = camera
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    return camera


def place_camera(
    camera: bpy.types.Object, view: View, space: Normalisation, aspect: float, moved: Matrix | None = None
) -> None:
    """Gives the camera the view, exactly. space: to the world. aspect: the picture's width over its height."""
    _stand_still(camera)
    camera.parent = None
    camera.matrix_world = camera_matrix(view, space, moved)
    data = camera.data
    data.type, data.sensor_fit, data.sensor_height = "PERSP", "VERTICAL", SENSOR
    for name, value in _lens(view, aspect).items():
        setattr(data, name, value)
    distance = float(np.linalg.norm(view.position)) / space.scale
    data.clip_start, data.clip_end = distance * 1e-2, distance * 100
    data.display_size = distance * 0.1


def move_camera(camera: bpy.types.Object, source: Source, aspect: float, moved: Matrix | None = None) -> None:
    """Has a camera that was placed follow the motion that was taken off the video, frame by frame; see the module."""
    if source.camera_to_first is None:
        return
    frames, numbers = video_frames(source)
    grown, shift = (
        np.interp(numbers, source.frame_numbers, values) for values in similarities(source.camera_to_first, aspect)
    )
    views = [moved_view(source.view, *each, aspect) for each in zip(grown, shift, strict=True)]
    turns = [camera_matrix(view, source.space, moved).to_quaternion() for view in views]
    for before, after in itertools.pairwise(turns):
        after.make_compatible(before)
    camera.rotation_mode = "QUATERNION"
    curves = fcurves.editable_curves_of(camera)
    for index, values in enumerate(np.array(turns).T):
        fcurves.write_curve(curves, "rotation_quaternion", frames.tolist(), values, index=index)
    of_lens = fcurves.editable_curves_of(camera.data)
    settings = np.array([list(_lens(view, aspect).values()) for view in views]).T
    for name, values in zip(_lens(source.view, aspect), settings, strict=True):
        fcurves.write_curve(of_lens, name, frames.tolist(), values)


def _lens(view: View, aspect: float) -> dict[str, float]:
    """What makes a Blender camera see as far as the view, and its picture lie as the view's."""
    # Blender shifts by parts of the side that the sensor is fitted to, here the height; its y goes up.
    return {
        "lens": view.focal * SENSOR,
        "shift_x": (0.5 - view.centre[0]) * aspect,
        "shift_y": view.centre[1] - 0.5,
    }


def _stand_still(camera: bpy.types.Object) -> None:
    """Takes off what `move_camera` has given it."""
    for data, paths in ((camera, ("rotation_quaternion",)), (camera.data, ("lens", "shift_x", "shift_y"))):
        _remove_curves(data, paths)


def camera_matrix(view: View, space: Normalisation, moved: Matrix | None = None) -> Matrix:
    """Where a camera stands in the world that has the view; see `show_overlay` for `moved`."""
    right, down, ahead = z_up(view.rotation)
    eye = space.to_source(np.asarray(view.position)[None])[0]
    matrix = Matrix([[*row, 0.0] for row in np.stack([right, -down, -ahead], axis=1).tolist()] + [[0.0, 0.0, 0.0, 1.0]])
    matrix.translation = eye.tolist()
    if moved is None:
        return matrix
    location, rotation, _ = (moved @ matrix).decompose()
    return Matrix.LocRotScale(location, rotation, None)


def own_camera(scene: bpy.types.Scene, name: str, mark: str) -> bpy.types.Object:
    """The camera that was made in this scene before, or a new one. mark: the custom property that tells it."""
    for obj in scene.objects:
        if obj.type == "CAMERA" and obj.library is None and obj.get(mark):
            return obj
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera[mark] = True
    scene.collection.objects.link(camera)
    return camera


_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)


def load_background(path: Path) -> tuple[bpy.types.Image, tuple[int, int]]:
    """The video as Blender's image, and its width and height in pixels.

    Raises Motion324Error: "video-missing", "overlay-video" where Blender cannot show it, or "overlay-pictures" where
    pictures are not numbered as Blender needs it.
    """
    if not path.exists():
        sentence = f"The video '{path}' is not there any more."
        raise Motion324Error("video-missing", sentence, "Put it back, or animate again.", EXIT_BAD_VIDEO)
    if path.is_dir():
        files = images_in(path)
        picture_numbers(path)
        return _image(files[0], "SEQUENCE" if len(files) > 1 else "FILE")
    return _image(path, "MOVIE")


def picture_numbers(folder: Path) -> list[int]:
    """The numbers in the names of the folder's pictures, in their order.

    Blender finds the pictures of a sequence by these: names may differ in their last number only. Raises
    Motion324Error("overlay-pictures").
    """
    names = [file.name for file in images_in(folder)]
    if len(names) == 1:
        return [1]
    found = [_LAST_NUMBER.fullmatch(name) for name in names]
    if not names or not all(found):
        raise _unnumbered(folder)
    parts = [match.groups() for match in found if match is not None]
    head, first, tail = parts[0]
    if any(
        name != f"{head}{int(number):0{len(first)}d}{tail}" for name, (_, number, _) in zip(names, parts, strict=True)
    ):
        raise _unnumbered(folder)
    return [int(number) for _, number, _ in parts]


def show_background(
    data: bpy.types.Camera, image: bpy.types.Image, source: Source, opacity: float, in_front: bool
) -> None:
    """Makes the image the camera's one background, at every whole frame with the picture that the animation follows."""
    clear_background(data)
    background = data.background_images.new()
    background.source, background.image = "IMAGE", image
    background.alpha, background.show_expanded = opacity, False
    background.display_depth = "FRONT" if in_front else "BACK"
    background.frame_method = "FIT"
    data.show_background_images = True
    if image.source == "FILE":
        return
    frames, offsets = frame_offsets(source)
    user = background.image_user
    user.use_auto_refresh, user.use_cyclic = True, False
    # Blender shows the picture number (scene's frame - start + 1) + offset; a movie's first has the number 1.
    user.frame_start, user.frame_duration = int(frames[0]), len(frames)
    user.frame_offset = int(offsets[0])
    if (offsets != offsets[0]).any():
        _step(data, frames, offsets)


def frame_offsets(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """The animation's whole frames in the scene (S,), and the offset (S,) that has Blender show the right picture."""
    frames, numbers = video_frames(source)
    if source.video.is_dir():
        known = np.array(picture_numbers(source.video))
        numbers = known[np.clip(numbers, 0, len(known) - 1)]
    else:
        numbers = numbers + 1
    return frames, numbers - (frames - frames[0] + 1)


def video_frames(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """The animation's whole frames in the scene (S,), and the video's frame (S,), from 0, that each shows best."""
    first, last = source.timing.whole_frames
    frames = np.arange(first, last + 1)
    places = (frames - source.timing.start) / source.timing.step
    numbers = np.interp(places, np.arange(len(source.frame_numbers)), source.frame_numbers)
    return frames, np.round(numbers).astype(int)


def _step(data: bpy.types.Camera, frames: np.ndarray, offsets: np.ndarray) -> None:
    """Keys for the offset: the video's step or rate is not the scene's, and a background has neither."""
    changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
    fcurves.write_curve(
        fcurves.editable_curves_of(data),
        "background_images[0].image_user.frame_offset",
        frames[changes].tolist(),
        offsets[changes].tolist(),
        interpolation=fcurves.CONSTANT,
    )


def clear_background(data: bpy.types.Camera) -> None:
    """Takes its images away, and what moved them; images that nothing else uses go with them."""
    _remove_curves(data, ("background_images",))
    images = [background.image for background in data.background_images if background.image]
    for background in data.background_images:
        background.image = None  # `clear` alone would leave it counted as used
    data.background_images.clear()
    for image in images:
        if image.users == 0:
            bpy.data.images.remove(image)


def _remove_curves(data: bpy.types.ID, paths: tuple[str, ...]) -> None:
    """paths: what theirs begin with."""
    curves = fcurves.editable_curves_of(data) if data.animation_data and data.animation_data.action else ()
    for curve in [each for each in curves if each.data_path.startswith(paths)]:
        curves.remove(curve)


def _image(path: Path, kind: str) -> tuple[bpy.types.Image, tuple[int, int]]:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise _unreadable(path) from error
    width, height = image.size  # before it is a sequence, whose size is that of a picture with the number 1
    if not (width and height):
        bpy.data.images.remove(image)
        raise _unreadable(path)
    image.source = kind
    return image, (width, height)


def _unreadable(path: Path) -> Motion324Error:
    return Motion324Error(
        "overlay-video",
        f"This Blender cannot show '{path}' in the background of a camera.",
        "Convert it to an MP4 with H.264, or to PNG pictures.",
        EXIT_BAD_VIDEO,
    )


def _unnumbered(folder: Path) -> Motion324Error:
    return Motion324Error(
        "overlay-pictures",
        f"The pictures in '{folder}' have names that Blender cannot take for one sequence.",
        "Name them alike but for a number, such as frame_0001.png, frame_0002.png.",
        EXIT_BAD_VIDEO,
    )
