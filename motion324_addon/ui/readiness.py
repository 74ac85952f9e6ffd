"""What a button would work on, and why it is grey, for the line below it; the button looks at everything again."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from motion324.core.errors import Motion324Error

from ..scene.playing import shape_keys
from ..scene.playing.animation import Animation
from ..scene.reading.mesh_reading import checked_object
from ..settings.source_video import facts_of
from . import choices
from .outcome import FEWEST_FRAMES, outcome_of


def reason_against(context: bpy.types.Context) -> str:
    """What is missing before the active object can be animated, as advice; "" if nothing is."""
    return reason_against_object(context) or reason_against_video(context) or _about_view(context)


def reason_against_object(context: bpy.types.Context) -> str:
    """Why the active object can be neither animated nor shown and exported; "" if it can."""
    obj = context.object
    if obj is None or obj.type != "MESH":
        return "Select a mesh object"
    if obj.mode == "EDIT":
        return "Leave Edit Mode"
    try:
        checked_object(obj)
    except Motion324Error as error:
        return str(error)
    return ""


def reason_against_video(context: bpy.types.Context) -> str:
    """What is missing before the video can be looked at, with its masks; "" if nothing is."""
    settings = context.scene.motion324
    if not settings.video:
        return "Choose a video"
    facts = facts_of(settings.video)
    if facts is not None and facts.problem:
        return facts.problem
    used = outcome_of(settings, facts, context.scene).frames if facts is not None and facts.frames else FEWEST_FRAMES
    if used < FEWEST_FRAMES:
        return f"{used or 'No'} frame{'' if used == 1 else 's'} in that range; at least {FEWEST_FRAMES} are needed"
    if settings.mask == choices.MASK_FILE and not settings.mask_path:
        return "Choose the masks"
    return ""


def reason_against_shape_keys(animations: Iterable[Animation]) -> str:
    """Why the first object that cannot carry these as shape keys cannot; "" if all can. Shared meshes do not count."""
    for animation in animations:
        obj = animation.target.find()
        try:
            if obj is not None:
                shape_keys.check_keys(obj)
        except Motion324Error as error:
            return str(error)
    return ""


def mesh_objects(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected mesh objects, and the active one whether selected or not; the active one is first."""
    active = [context.object] if context.object is not None and context.object.type == "MESH" else []
    return active + [obj for obj in context.selected_objects if obj.type == "MESH" and obj not in active]


def _about_view(context: bpy.types.Context) -> str:
    settings = context.scene.motion324
    if settings.view == choices.VIEW_CAMERA and context.scene.camera is None:
        return "The scene has no active camera to take the view from"
    return ""
