"""Takes off an object what keeping its animation on bones has left: keys, what binds it to them, a rig of its own."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from motion324.core.inside_blender.rig import binding, keying

from . import kept_note
from .kept_note import PutBack

DISTANCE = "motion324_distance"  # a vertex attribute: the largest distance of bones' keys to the result


def remove(obj: bpy.types.Object, put_back: PutBack) -> None:
    """put_back: what is noted of the object. The notes of all that moved by these bones go."""
    _remove_keys(obj, put_back.armature)
    _unbind(obj, put_back)
    _remove_made_rig(put_back.made_armature)


def leave(objects: Sequence[bpy.types.Object]) -> None:
    """Takes the bones off objects that carry their motion otherwise by now, and keep their notes. Bones by which
    another object still moves stay."""
    for obj in objects:
        put_back = kept_note.read_put_back(obj)
        name = put_back.armature or put_back.made_armature
        sharing = [each for each in bpy.data.objects if name and each.library is None and _is_on(each, name)]
        if not sharing or any(each not in objects for each in sharing):
            continue
        notes = [kept_note.taken(each) for each in sharing]
        remove(obj, put_back)
        for each, note in zip(sharing, notes, strict=True):
            kept_note.put_without_bones(each, note)


def _is_on(obj: bpy.types.Object, armature: str) -> bool:
    noted = kept_note.read_put_back(obj)
    return armature in (noted.armature, noted.made_armature)


def _remove_keys(obj: bpy.types.Object, armature: str) -> None:
    """Those on the armature, also for other objects that it moves."""
    attribute = obj.data.attributes.get(DISTANCE)
    if attribute is not None:
        obj.data.attributes.remove(attribute)
    keyed = bpy.data.objects.get(armature) if armature else None
    if keyed is None or not keying.is_keyed(keyed):
        return
    keying.take_off(bpy, keyed)
    for other in bpy.data.objects:
        if other != obj and other.library is None and kept_note.read_put_back(other).armature == armature:
            _unbind(other, kept_note.read_put_back(other))
            kept_note.erase(other)


def _unbind(obj: bpy.types.Object, put_back: PutBack) -> None:
    if put_back.bound is not None:
        binding.unbind(obj, put_back.bound)


def _remove_made_rig(name: str) -> None:
    """The armature that was made, its action, and what binds objects to it."""
    armature = bpy.data.objects.get(name) if name else None
    if armature is None or armature.type != "ARMATURE":
        return
    bones = {bone.name for bone in armature.data.bones}
    for obj in bpy.data.objects:
        if obj.library is not None or kept_note.read_put_back(obj).made_armature != name:
            continue
        for modifier in [each for each in obj.modifiers if each.type == "ARMATURE" and each.object == armature]:
            obj.modifiers.remove(modifier)
        for group in [each for each in obj.vertex_groups if each.name in bones]:
            obj.vertex_groups.remove(group)
        if obj.parent == armature:
            place = obj.matrix_world.copy()
            obj.parent = None
            obj.matrix_world = place
        kept_note.erase(obj)
    keying.take_off(bpy, armature)
    data = armature.data
    bpy.data.objects.remove(armature)
    if data.users == 0:
        bpy.data.armatures.remove(data)
