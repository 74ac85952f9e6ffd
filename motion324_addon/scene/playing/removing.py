"""Takes a kept animation off an object again, also when undo does not reach back any more."""

from __future__ import annotations

import re

import bpy

from ..reading.mesh_reading import check_own
from . import kept_note, point_cache, shape_keys

_KEY = re.compile(rf"{shape_keys.NAME} \d{{4,}}(\.\d+)?")


def is_kept(obj: bpy.types.Object) -> bool:
    """Whether an animation has been kept on the object."""
    return kept_note.FRAMES in obj


def is_own_key(key: bpy.types.ShapeKey) -> bool:
    """Whether a bake has made the shape key."""
    return _KEY.fullmatch(key.name) is not None


def kept_keys(obj: bpy.types.Object) -> tuple[str, ...]:
    """The names of the shape keys of a kept animation."""
    keys = obj.data.shape_keys
    return tuple(key.name for key in keys.key_blocks if is_own_key(key)) if keys and is_kept(obj) else ()


def kept_caches(obj: bpy.types.Object) -> list[bpy.types.Modifier]:
    """The modifiers that play the cache of a kept animation."""
    caches = [each for each in obj.modifiers if each.type == "MESH_CACHE"]
    return [each for each in caches if each.name.partition(".")[0] == point_cache.KEPT] if is_kept(obj) else []


def remove_caches(obj: bpy.types.Object) -> None:
    """Removes what plays a kept animation; the files stay."""
    for modifier in kept_caches(obj):
        obj.modifiers.remove(modifier)


def remove_animation(obj: bpy.types.Object) -> tuple[str, ...]:
    """Removes the shape keys and caches of kept animations and switches the modifiers back on that they replaced.

    Other shape keys, their animation and all other modifiers stay as they are, and so do cache files. Returns the names
    of the modifiers that were switched on. Raises Motion324Error("linked-object").
    """
    check_own(obj)
    put_back = kept_note.read_put_back(obj)
    remove_caches(obj)
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
    shape_keys.remove_keys(obj, kept_keys(obj))
    if with_basis and len(keys.key_blocks) == 1:
        obj.shape_key_clear()
