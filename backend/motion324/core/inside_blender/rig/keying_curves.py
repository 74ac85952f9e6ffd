"""F-curves of a new action, in Blender 4.2 to 5.x."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LINEAR = 1  # the number of KeyframePoint.interpolation's value, for foreach_set


def new_action(bpy: Any, obj: Any, name: str) -> tuple[Any, Any]:
    """Gives the object a new action, and returns its F-curves and their groups: up to 4.3 its own, from 4.4 those
    of a slot."""
    animation = obj.animation_data or obj.animation_data_create()
    action = animation.action = bpy.data.actions.new(name)
    if not hasattr(action, "slots"):
        return action.fcurves, action.groups
    slot = animation.action_slot = action.slots.new(id_type="OBJECT", name=obj.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)
    return bag.fcurves, bag.groups


def add_curve(curves: Any, path: str, index: int, frames: Sequence[float] | np.ndarray, values: np.ndarray) -> Any:
    """The new curve. frames, values (M,): straight lines between keys."""
    curve = curves.new(path, index=index)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.column_stack([frames, values]).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), LINEAR, np.int32))
    curve.update()
    return curve
