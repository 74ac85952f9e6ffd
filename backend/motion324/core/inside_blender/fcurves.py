"""Writes F-curves in one way in Blender 4.2 to 5.x.

Up to 4.3 an action holds its curves itself. From 4.4 they lie in action > layer > strip > channelbag of a slot, and 5.0
dropped the old way (Blender's release notes of 4.4, "Slotted Actions", and of 5.0, "Removed deprecated API").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from motion324.core.inside_blender.nla import leave_tweaking

CONSTANT, LINEAR = 0, 1  # the numbers of KeyframePoint.interpolation's values, for foreach_set


def channels_of(bpy: Any, data: Any, create: bool = False) -> Any:
    """What holds `fcurves` and `groups` of the data-block's action, or None where there is nothing of it.

    create: makes the slot, layer and strip that the action lacks; it is not for data-blocks without an action.
    """
    animation = data.animation_data
    action = animation.action if animation is not None else None
    if action is None or bpy.app.version < (4, 4, 0):
        return action
    if animation.action_slot is None and create:
        animation.action_slot = action.slots.new(id_type=data.id_type, name=data.name)
    if animation.action_slot is None or not (create or (len(action.layers) and len(action.layers[0].strips))):
        return None
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(animation.action_slot, ensure=create)


def all_curves(bpy: Any) -> list[Any]:
    """Every F-curve of the file, of whichever action, slot and layer."""
    return [curve for action in bpy.data.actions for curve in curves_of_action(action)]


def curves_of_action(action: Any) -> list[Any]:
    """Its F-curves, of whichever slot and layer."""
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def with_inner(strips: Iterable[Any]) -> Iterator[Any]:
    """The NLA editor's strips, with those in strips of strips."""
    for strip in strips:
        yield strip
        yield from with_inner(strip.strips)


def new_channels(bpy: Any, data: Any, name: str) -> Any:
    """Gives the data-block a new action of that name, and returns what holds its `fcurves` and `groups`."""
    animation = data.animation_data or data.animation_data_create()
    leave_tweaking(data)
    animation.action = bpy.data.actions.new(name)
    return channels_of(bpy, data, create=True)


def write_curve(
    curves: Any,
    path: str,
    frames: Sequence[float] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    interpolation: int = LINEAR,
    index: int = 0,
) -> Any:
    """Adds a curve, and returns it.

    frames, values (M,): its keys, of which the frames must rise. interpolation: CONSTANT or LINEAR. index: of a
    vector's component.
    """
    curve = curves.new(path, index=index)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.column_stack([frames, values]).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), interpolation, np.int32))
    curve.update()
    return curve
