"""Finds the F-curves of a data-block, and those to write to; motion324.core.inside_blender.fcurves writes them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import bpy

from motion324.core.inside_blender.fcurves import CONSTANT, channels_of, curves_of_action, with_inner, write_curve
from motion324.core.inside_blender.nla import leave_tweaking

__all__ = ["CONSTANT", "curves_of", "deciding", "editable_curves_of", "let_decide", "muted", "write_curve"]


def curves_of(data: bpy.types.ID) -> Any:
    """The F-curve collection of the data-block's action, or () where it has none."""
    channels = channels_of(bpy, data)
    return channels.fcurves if channels is not None else ()


def deciding(data: bpy.types.ID, paths: Collection[str]) -> list[Any]:
    """All that decides these properties instead of their own values: F-curves of the action and of strips in the NLA
    editor, and drivers, as far as they are not muted and belong to this file."""
    return [each for each in _may_decide(data, paths) if not each.mute]


def let_decide(data: bpy.types.ID, paths: Collection[str]) -> None:
    """Unmutes what decides these properties."""
    for each in _may_decide(data, paths):
        each.mute = False


def _may_decide(data: bpy.types.ID, paths: Collection[str]) -> list[Any]:
    animation = data.animation_data
    if animation is None:
        return []
    strips = [strip for track in animation.nla_tracks for strip in with_inner(track.strips)]
    actions = {each for each in (animation.action, *(strip.action for strip in strips)) if each is not None}
    curves = [curve for action in actions if action.library is None for curve in curves_of_action(action)]
    drivers = animation.drivers if data.library is None else ()
    return [each for each in (*curves, *drivers) if each.data_path in paths]


@contextlib.contextmanager
def muted(data: bpy.types.ID, paths: Collection[str]) -> Iterator[None]:
    """Nothing decides these properties for a while but their own values."""
    curves = deciding(data, paths)
    try:
        for curve in curves:
            curve.mute = True
        yield
    finally:
        for curve in curves:
            curve.mute = False


def editable_curves_of(data: bpy.types.ID) -> Any:
    """The F-curve collection to write to. Makes the action, its slot and layer where they are missing.

    An action that other data-blocks use as well is copied first, so that these stay as they are.
    """
    animation = data.animation_data or data.animation_data_create()
    leave_tweaking(data)
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
