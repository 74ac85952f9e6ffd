"""Finds the F-curves of a data-block, and those to write to; motion324.core.inside_blender.fcurves writes them."""

from __future__ import annotations

from typing import Any

import bpy

from motion324.core.inside_blender.fcurves import CONSTANT, channels_of, write_curve

__all__ = ["CONSTANT", "curves_of", "editable_curves_of", "write_curve"]


def curves_of(data: bpy.types.ID) -> Any:
    """The F-curve collection of the data-block's action, or () where it has none."""
    channels = channels_of(bpy, data)
    return channels.fcurves if channels is not None else ()


def editable_curves_of(data: bpy.types.ID) -> Any:
    """The F-curve collection to write to. Makes the action, its slot and layer where they are missing.

    An action that other data-blocks use as well is copied first, so that these stay as they are.
    """
    animation = data.animation_data or data.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{data.name} Action")
    elif animation.action.users - int(animation.action.use_fake_user) > 1 or animation.action.library:
        _use_own_copy(animation)
    return channels_of(bpy, data, create=True).fcurves


def _use_own_copy(animation: bpy.types.AnimData) -> None:
    slot = animation.action_slot.identifier if bpy.app.version >= (4, 4, 0) and animation.action_slot else None
    animation.action = animation.action.copy()
    if slot is not None:
        animation.action_slot = animation.action.slots[slot]
