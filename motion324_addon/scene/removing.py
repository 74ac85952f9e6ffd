"""Takes a kept animation off an object again, also when undo does not reach back any more."""

from __future__ import annotations

import re

import bpy

from . import fcurves, kept_note, point_cache, shape_keys
from .mesh_reading import check_own

_KEY = re.compile(rf"{shape_keys.NAME} \d{{4,}}(\.\d+)?")
_NAME_IN_PATH = re.compile(r'key_blocks\["(.*)"\]')


def is_kept(obj: bpy.types.Object) -> bool:
    """Whether an animation has been kept on the object."""
    return kept_note.FRAMES in obj


def is_own_key(key: bpy.types.ShapeKey) -> bool:
    """Whether a bake has made the shape key."""
    return _KEY.fullmatch(key.name) is not None


def remove_animation(obj: bpy.types.Object) -> tuple[str, ...]:
    """Removes the shape keys and caches of kept animations and switches the modifiers back on that they replaced.

    Other shape keys, their animation and all other modifiers stay as they are, and so do cache files. Returns the names
    of the modifiers that were switched on. Raises Motion324Error("linked-object").
    """
    check_own(obj)
    put_back = kept_note.read_put_back(obj)
    for modifier in [each for each in obj.modifiers if each.type == "MESH_CACHE"]:
        if modifier.name.partition(".")[0] == point_cache.KEPT:
            obj.modifiers.remove(modifier)
    _remove_keys(obj, with_basis=put_back.basis)
    restored = []
    for name, viewport, render in put_back.modifiers:
        switched_off = obj.modifiers.get(name)
        if switched_off is not None:
            switched_off.show_viewport, switched_off.show_render = viewport, render
            restored.append(name)
    kept_note.erase(obj)
    return tuple(restored)


def _remove_keys(obj: bpy.types.Object, with_basis: bool) -> None:
    keys = obj.data.shape_keys
    if keys is None:
        return
    animation = keys.animation_data
    curves = fcurves.editable_curves_of(keys) if animation and animation.action else ()
    for curve in list(curves):
        found = _NAME_IN_PATH.match(curve.data_path)
        if found and _KEY.fullmatch(found[1]):
            curves.remove(curve)
    for key in [each for each in keys.key_blocks if is_own_key(each)]:
        obj.shape_key_remove(key)
    if animation and animation.action and not len(curves):
        action = animation.action
        animation.action = None
        if action.users == 0:
            bpy.data.actions.remove(action)
    if with_basis and len(keys.key_blocks) == 1:
        obj.shape_key_clear()
