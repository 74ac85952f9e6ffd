"""Has the two looks of the sidebar, at the mask and for the view, shows the picture of the mask, and tells which view
was found for an object.

A view was found by a look, by the job whose result waits, or by one that was kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import bpy
import numpy as np
from bpy.app.handlers import persistent
from mathutils import Matrix

from motion324.core.errors import Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.reference_mesh import Normalisation
from motion324.core.result import Examination
from motion324.core.view import View

from ..job.runner import runner
from ..scene.playing import kept_note
from ..scene.reading.joining import read_objects_in_steps
from ..settings import preferences, properties
from ..ui import choices, thumbnails
from .examiner import Examiner, Question

NAME = "Motion324 Mask Preview"
UPRIGHT = 0.1  # of how much a camera's horizontal may rise
TINT = np.array([0.65, 0.1, 0.1], np.float32)  # of what the mask leaves out
OUTLINE = np.array([1.0, 0.6, 0.15], np.float32)  # the colour of Blender's selections


def compose(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """frame (H, W, 3) uint8 sRGB, mask (H, W) in [0, 1] -> (H, W, 4) float32 in [0, 1], sRGB.

    The object keeps its colours, the rest is dim and reddish, and a line goes along where the mask is one half.
    """
    colours = frame.astype(np.float32) / 255
    grey = colours.mean(axis=2, keepdims=True)
    dim = 0.4 * grey + 0.6 * TINT * (0.3 + 0.7 * grey)
    share = mask.astype(np.float32)[..., None]
    picture = np.ones((*mask.shape, 4), np.float32)
    picture[..., :3] = share * colours + (1 - share) * dim
    picture[_outline(mask > 0.5, max(1, round(min(mask.shape) / 250))), :3] = OUTLINE
    return picture


def show_as_image(picture: np.ndarray) -> bpy.types.Image:
    """Puts a picture of `compose` into the file's image NAME, and into the Image Editors that show none or that one."""
    height, width = picture.shape[:2]
    image = bpy.data.images.get(NAME)
    if image is None:
        image = bpy.data.images.new(NAME, width, height, alpha=False)
    elif tuple(image.size) != (width, height):
        image.scale(width, height)
    image.pixels.foreach_set(np.ascontiguousarray(picture[::-1]).ravel())
    image.update()
    for space in image_editors():
        if space.image is None or space.image == image:
            space.image = image
    return image


def image_editors() -> list[bpy.types.SpaceImageEditor]:
    """Those of all windows."""
    areas = (area for window in bpy.context.window_manager.windows for area in window.screen.areas)
    return [area.spaces.active for area in areas if area.type == "IMAGE_EDITOR"]


def _outline(solid: np.ndarray, radius: int) -> np.ndarray:
    """The pixels outside of `solid` that lie within `radius` of it, along the axes."""
    grown = solid.copy()
    for _ in range(radius):
        wider = grown.copy()
        wider[1:] |= grown[:-1]
        wider[:-1] |= grown[1:]
        wider[:, 1:] |= grown[:, :-1]
        wider[:, :-1] |= grown[:, 1:]
        grown = wider
    return grown & ~solid


MASK_ICON = "mask"


def _show(found: Examination) -> None:
    picture = compose(found.frame, found.mask)
    show_as_image(picture)
    thumbnails.keep_pixels(MASK_ICON, picture)


mask_look = Examiner("mask", when_found=_show)
view_look = Examiner("view")


@persistent
def _before_load(*_: object) -> None:
    forget()


def mask_key(settings: properties.JobProperties) -> Hashable:
    """What the mask of the first frame depends on."""
    try:
        return settings.video, options_of_look(settings)
    except Motion324Error as error:  # masks that are not chosen yet
        return settings.video, error.code


def view_key(settings: properties.JobProperties, obj: bpy.types.Object | None) -> Hashable:
    """What the view depends on, as far as the settings tell."""
    angles = (settings.azimuth, settings.elevation) if settings.view == choices.VIEW_ANGLES else ()
    return mask_key(settings), settings.view, angles, obj.session_uid if obj else 0


def mask_question(settings: properties.JobProperties) -> Question:
    """Raises Motion324Error where something is missing."""
    return Question(
        mask_key(settings), properties.video_of(settings), options_of_look(settings), preferences.connection()
    )


def view_question(
    settings: properties.JobProperties, objects: Sequence[bpy.types.Object], context: bpy.types.Context
) -> Question:
    """objects: those that are animated together, the active one first. Raises Motion324Error."""
    options = dataclasses.replace(options_of_look(settings), view=properties.view_of(settings, context))
    return Question(
        view_key(settings, objects[0]),
        properties.video_of(settings),
        options,
        preferences.connection(),
        read_objects_in_steps(objects, settings.start_frame),
    )


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    forget()
    bpy.app.handlers.load_pre.remove(_before_load)


def forget() -> None:
    """Ends what runs, and drops what was found."""
    for look in (mask_look, view_look):
        look.stop()


def options_of_look(settings: properties.JobProperties | SimpleNamespace) -> AnimateOptions:
    """What a look depends on, but for the view. Raises Motion324Error("no-masks")."""
    return properties.options_of(settings, wanted=lambda spec: spec.in_looks and spec.name != "view")


def angles_found(settings: properties.JobProperties, obj: bpy.types.Object) -> str:
    """What a look has found for this object and these settings, as AnimateOptions.view has it, so that a job starts
    from there; "" where none has, or where the camera lies on its side, which angles do not tell.
    """
    found = view_look.look.answers(view_key(settings, obj))
    if found is None or found.view is None or abs(found.view.rotation[0][1]) > UPRIGHT:
        return ""
    return f"{found.view.azimuth:.2f},{found.view.elevation:.2f}"


@dataclass(frozen=True)
class FoundView:
    """view: the camera, in the normalised space that `space` relates to the world.

    overlap: intersection over union of the silhouettes of mesh and video, 0..1; None where not known any more.
    aspect: the picture's width over its height. moved: what the object's matrix has been multiplied with since.
    """

    view: View
    space: Normalisation
    overlap: float | None
    aspect: float
    moved: Matrix | None = None


def view_found_for(obj: bpy.types.Object | None, context: bpy.types.Context) -> FoundView | None:
    """The newest that is known; None where nothing is."""
    if obj is None or obj.type != "MESH":
        return None
    return _of_look(obj, context) or _of_result(obj) or _of_note(obj, context)


def _of_look(obj: bpy.types.Object, context: bpy.types.Context) -> FoundView | None:
    look = view_look.look
    found = look.answers(view_key(context.scene.motion324, obj))
    if found is None or found.view is None or look.space is None:
        return None
    height, width = found.mask.shape
    moved = kept_note.moved_since(obj, look.matrix)
    return FoundView(found.view, look.space, found.silhouette_overlap, width / height, moved)


def _of_result(obj: bpy.types.Object) -> FoundView | None:
    for animation in reversed(runner.animations):
        if animation.target.uid == obj.session_uid and animation.view is not None and animation.space is not None:
            width, height = animation.report.get("video", {}).get("size", (1, 1))
            overlap = animation.report.get("silhouette_overlap")
            moved = kept_note.moved_since(obj, animation.matrix)
            return FoundView(animation.view, animation.space, overlap, width / height, moved)
    return None


def _of_note(obj: bpy.types.Object, context: bpy.types.Context) -> FoundView | None:
    source = kept_note.read_source(obj)
    if source is None:
        return None
    render = context.scene.render
    aspect = source.aspect or render.resolution_x / render.resolution_y  # which earlier versions did not note
    return FoundView(source.view, source.space, source.match, aspect, kept_note.moved_since(obj, source.matrix))
