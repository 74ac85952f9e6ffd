"""The two looks of the sidebar: at the mask, and for the view."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from types import SimpleNamespace

import bpy
from bpy.app.handlers import persistent

from motion324.core.options import AnimateOptions
from motion324.core.result import Examination

from ..scene.reading.joining import read_objects_in_steps
from ..settings import preferences, properties
from ..ui import choices, thumbnails
from . import mask_picture
from .examiner import Examiner, Question

MASK_ICON = "mask"


def _show(found: Examination) -> None:
    picture = mask_picture.compose(found.frame, found.mask)
    mask_picture.show_as_image(picture)
    thumbnails.keep_pixels(MASK_ICON, picture)


mask_look = Examiner(when_found=_show)
view_look = Examiner()


@persistent
def _before_load(*_: object) -> None:
    forget()


def mask_key(settings: properties.JobProperties) -> Hashable:
    """What the mask of the first frame depends on."""
    masks = settings.mask_path if settings.mask == choices.MASK_FILE else ""
    return settings.video, properties.frames_of(settings), settings.video_fps, settings.mask, masks


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
    """What a look depends on. Raises Motion324Error("no-masks")."""
    return AnimateOptions(
        frames=properties.frames_of(settings),
        video_fps=settings.video_fps or None,
        mask=properties.mask_of(settings),
        seed=settings.seed,
    )
