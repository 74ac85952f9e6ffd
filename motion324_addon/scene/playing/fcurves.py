"""Writes F-curves in one way in Blender 4.2 to 5.0.

Up to 4.3 an action holds its curves itself. From 4.4 they lie in action > layer > strip > channelbag of a slot, and 5.0
dropped the old way (Blender's release notes of 4.4, "Slotted Actions", and of 5.0, "Removed deprecated API").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np

CONSTANT, LINEAR = 0, 1  # the numbers of KeyframePoint.interpolation's values, for foreach_set


def curves_of(data: bpy.types.ID) -> Any:
    """The F-curve collection of the data-block's action, or () where it has none."""
    animation = data.animation_data
    if animation is None or animation.action is None:
        return ()
    if bpy.app.version < (4, 4, 0):
        return animation.action.fcurves
    bag = _channelbag(animation, create=False)
    return bag.fcurves if bag is not None else ()


def editable_curves_of(data: bpy.types.ID) -> Any:
    """The F-curve collection to write to. Makes the action, its slot and layer where they are missing.

    An action that other data-blocks use as well is copied first, so that these stay as they are.
    """
    animation = data.animation_data or data.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{data.name} Action")
    elif animation.action.users - int(animation.action.use_fake_user) > 1 or animation.action.library:
        _use_own_copy(animation)
    if bpy.app.version < (4, 4, 0):
        return animation.action.fcurves
    if animation.action_slot is None:
        animation.action_slot = animation.action.slots.new(id_type=data.id_type, name=data.name)
    return _channelbag(animation, create=True).fcurves


def write_curve(
    curves: Any,
    data_path: str,
    frames: Sequence[float],
    values: Sequence[float] | np.ndarray,
    interpolation: int = LINEAR,
    index: int = 0,
) -> bpy.types.FCurve:
    """Adds a curve; frames must rise. interpolation: CONSTANT or LINEAR. index: of a vector's component."""
    curve = curves.new(data_path, index=index)
    points = curve.keyframe_points
    points.add(len(frames))
    points.foreach_set("co", np.column_stack([frames, values]).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(frames), interpolation, np.int32))
    curve.update()
    return curve


def _use_own_copy(animation: bpy.types.AnimData) -> None:
    slot = animation.action_slot.identifier if bpy.app.version >= (4, 4, 0) and animation.action_slot else None
    animation.action = animation.action.copy()
    if slot is not None:
        animation.action_slot = animation.action.slots[slot]


def _channelbag(animation: bpy.types.AnimData, create: bool) -> Any:
    action, slot = animation.action, animation.action_slot
    if slot is None:
        return None
    if not create and not (len(action.layers) and len(action.layers[0].strips)):
        return None
    layer = action.layers[0] if len(action.layers) else action.layers.new("Layer")
    strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=create)
