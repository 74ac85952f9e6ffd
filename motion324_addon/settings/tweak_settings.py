"""Holds what is changed of an object's result after it was found; the settings are the object's, and saved with it."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty

from ..job import shown_tweak, tweaks

MOST_SMOOTH = 20.0  # frames
MOST_STRENGTH = 1.5


def _changed(self: Motion324Tweak, context: bpy.types.Context) -> None:
    tweaks.wish(self.id_data, shown_tweak.asked_of(self.id_data))


def _percent(self: Motion324Tweak) -> float:
    return 100.0 * self.strength


def _enter_percent(self: Motion324Tweak, value: float) -> None:
    self.strength = value / 100.0


class Motion324Tweak(bpy.types.PropertyGroup):
    """As motion324.core.motion.tweak.Tweak has them."""

    smoothing: FloatProperty(
        name="Smoothing",
        description="Evens out jitter over so many frames of the video",
        min=0.0,
        max=MOST_SMOOTH,
        soft_max=5.0,
        default=0.0,
        options=set(),
        update=_changed,
    )
    strength: FloatProperty(
        name="Strength",
        description="How much of the motion is shown, away from the mesh's own shape",
        min=0.0,
        max=MOST_STRENGTH,
        default=1.0,
        subtype="FACTOR",
        options=set(),
        update=_changed,
    )
    strength_percent: FloatProperty(
        name="Strength",
        description="How much of the motion is shown, away from the mesh's own shape",
        min=0.0,
        max=100 * MOST_STRENGTH,
        default=100.0,
        subtype="PERCENTAGE",
        precision=0,
        get=_percent,
        set=_enter_percent,
        options={"SKIP_SAVE"},  # `strength`, as the panel shows it
    )
    speed: FloatProperty(
        name="Speed",
        description="2 plays it in half the time",
        min=0.05,
        max=20.0,
        soft_min=0.25,
        soft_max=4.0,
        default=1.0,
        options=set(),
        update=_changed,
    )
    start: FloatProperty(
        name="Start",
        description="The scene's frame of the first one",
        default=1.0,
        step=100,
        precision=1,
        options=set(),
        update=_changed,
    )
    trim_start: IntProperty(
        name="Trim Start", description="Frames that are left out", min=0, options=set(), update=_changed
    )
    trim_end: IntProperty(
        name="End", description="Frames that are left out at the end", min=0, options=set(), update=_changed
    )
    loop: BoolProperty(
        name="Loop",
        description="Take the longest part whose end meets its beginning well, and close it",
        options=set(),
        update=_changed,
    )
    still: FloatProperty(
        name="Keep Still",
        description="What never moves farther than so many percent of the mesh's longest side stays where it is",
        min=0.0,
        max=20.0,
        soft_max=5.0,
        subtype="PERCENTAGE",
        precision=1,
        options=set(),
        update=_changed,
    )


def register() -> None:
    bpy.utils.register_class(Motion324Tweak)
    bpy.types.Object.motion324_tweak = PointerProperty(type=Motion324Tweak)


def unregister() -> None:
    tweaks.forget()
    del bpy.types.Object.motion324_tweak
    bpy.utils.unregister_class(Motion324Tweak)
