"""Shows a number of which 0 stands for all, or for what is usual, as those words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ..scene.playing.timing import scene_fps

SPLIT = 0.4  # of a row with a property, as Blender splits it


def draw_or_all(
    layout: bpy.types.UILayout, settings: Any, number: tuple[str, str], is_all: str, text: str
) -> bpy.types.UILayout:
    """A row with the number, and a cross that takes all again; or, while it is 0, with that word.

    number: the property and what it is called. is_all: the property that is true while the number is 0.
    """
    row = layout.row(align=True)
    if not getattr(settings, is_all):
        row.prop(settings, number[0], text=number[1])
        row.prop(settings, is_all, text="", icon="X", toggle=True)
        return row
    split = row.split(factor=SPLIT)
    left = split.column()
    left.alignment = "RIGHT"
    left.label(text=number[1])
    right = split.column()
    right.use_property_split = False
    right.prop(settings, is_all, text=text, toggle=True)
    return row


def is_zero(number: str, name: str, description: str, otherwise: Callable[[], float]) -> Any:
    """The property that is true while that number is 0. otherwise() -> the number when it is switched off; Blender
    reads annotations so that a lambda in them knows no other names.
    """

    def switch(self: Any, is_on: bool) -> None:
        setattr(self, number, 0 if is_on else otherwise())

    return bpy.props.BoolProperty(
        name=name,
        description=description,
        get=lambda self: not getattr(self, number),
        set=switch,
        options={"SKIP_SAVE"},
    )


def rate_of_scene() -> float:
    """Frames per second."""
    return scene_fps(bpy.context.scene)
