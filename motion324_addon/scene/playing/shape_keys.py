"""Makes an animation shape keys, one for each frame and shown alone at its frame, on a mesh that is the
object's own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

from ..reading import modifier_stack
from ..reading.mesh_reading import check_own
from . import fcurves
from .timing import Timing, split_frame

REMEDY = "Make it single-user (Motion324 > Make Single User, or single_user=True), or keep a point cache."


def reason_to_copy(obj: bpy.types.Object) -> str:
    """Why shape keys on the object's mesh are not this object's affair alone, to follow its name; "" where they are."""
    mesh = obj.data
    if mesh.library or mesh.override_library:
        return f"has a mesh that is linked from '{mesh.library.filepath if mesh.library else 'another file'}'"
    others = mesh.users - int(mesh.use_fake_user) - 1
    if others > 0:
        return f"shares its mesh with {others} other user{'s' if others > 1 else ''}"
    return ""


def can_copy(obj: bpy.types.Object) -> bool:
    """Whether `make_single_user` has something to do, and may: an object of another file must be made local first."""
    return bool(reason_to_copy(obj)) and obj.library is None and obj.override_library is None


def make_single_user(obj: bpy.types.Object) -> bool:
    """Gives the object a copy of its mesh, where others use that mesh too or it is linked; tells whether it did.

    Shape keys, materials and vertex groups come along. Raises Motion324Error("linked-object") where the object itself
    belongs to another file.
    """
    check_own(obj)
    if not reason_to_copy(obj):
        return False
    obj.data = obj.data.copy()
    return True


def check_single_user(obj: bpy.types.Object) -> None:
    """Raises Motion324Error("linked-object"), or ("mesh-shared") where shape keys would change other objects, too."""
    check_own(obj)
    why = reason_to_copy(obj)
    if why:
        sentence = f"The animation cannot be kept as shape keys: '{obj.name}' {why}."
        raise Motion324Error("mesh-shared", sentence, REMEDY, EXIT_BAD_MESH)


NAME = "Motion324"
_NAME_IN_PATH = re.compile(r'key_blocks\["(.*)"\]')


def bake(
    obj: bpy.types.Object, positions: np.ndarray, timing: Timing, replacing: Collection[str] = ()
) -> Iterator[tuple[int, int]]:
    """Bakes positions (T, N, 3), object space, so that frame `timing.frame(k)` shows exactly positions[k].

    Yields (done, total) after each key, so that the caller may give the interface back, or close the generator: then
    all that was added is removed again. Between two frames the shape moves linearly; before the first and after the
    last one it stays. Keys that were there stay, with their values and animation: what they add at a frame is taken
    off the frame's key. Modifiers that deform the mesh are part of the positions, so they are switched off.
    replacing: names of keys of an earlier bake, which count for nothing meanwhile and are gone at the end.
    Raises Motion324Error("mesh-shared" or "shape-keys-impossible") before anything is changed.
    """
    check(obj, positions)
    undo = _Undo(obj)
    obj.show_only_shape_key = False  # else the mesh shows its active key and nothing else
    undo.mute(replacing)
    try:
        yield from _add_keys(obj, positions, timing, undo)
    except BaseException:
        undo.carry_out()
        raise
    if replacing:
        remove_keys(obj, replacing)
        for index, key in enumerate(obj.data.shape_keys.key_blocks[-len(positions) :]):
            key.name = _name(index)  # which was taken; Blender renames in the key's curve as well
    moving = modifier_stack.moving_modifiers(obj, modifier_stack.leading_count(obj))
    for curve in fcurves.deciding(obj, modifier_stack.switches_of(moving)):
        curve.mute = True
    for modifier in moving:
        modifier.show_viewport = modifier.show_render = False
    obj.data.update()


def remove_keys(obj: bpy.types.Object, names: Collection[str]) -> None:
    """Removes the keys of these names, and their F-curves with an action that is left empty."""
    keys, names = obj.data.shape_keys, set(names)
    animation = keys.animation_data
    curves = fcurves.editable_curves_of(keys) if animation and animation.action else ()
    for curve in list(curves):
        found = _NAME_IN_PATH.match(curve.data_path)
        if found and bpy.utils.unescape_identifier(found[1]) in names:
            curves.remove(curve)
    for key in [each for each in keys.key_blocks if each.name in names]:
        obj.shape_key_remove(key)
    if animation and animation.action and not len(curves):
        action = animation.action
        animation.action = None
        if action.users == 0:
            bpy.data.actions.remove(action)


def clear_keys(obj: bpy.types.Object) -> None:
    """Removes all shape keys of the object's mesh, whose shape stays that of its vertices.

    Blender counts the keys of a mesh that `Mesh.copy` made once too often, so that `shape_key_clear` leaves them
    behind, without a mesh, and each later save reports an "invalid 'from' pointer".
    """
    keys = obj.data.shape_keys
    if keys is None:
        return
    name = keys.name
    obj.shape_key_clear()
    left = bpy.data.shape_keys.get(name)
    if left is not None:
        bpy.data.batch_remove([left])


def check(obj: bpy.types.Object, positions: np.ndarray) -> None:
    """Raises Motion324Error("linked-object", "mesh-shared" or "shape-keys-impossible") where it cannot carry keys."""
    mesh = obj.data
    check_single_user(obj)
    check_keys(obj)
    if positions.shape[1:] != (len(mesh.vertices), 3):
        found = f"has {len(mesh.vertices)} vertices, but the animation has {positions.shape[1]}"
        raise _impossible(obj, found, "Undo the change of the mesh, or animate it again.")


def check_keys(obj: bpy.types.Object) -> None:
    """Raises Motion324Error("linked-object" or "shape-keys-impossible") where no mesh like the object's could."""
    check_own(obj)
    keys = obj.data.shape_keys
    if keys and not keys.use_relative:
        raise _impossible(obj, "has absolute shape keys", "Switch on 'Relative' in its Shape Keys panel.")
    if obj.parent is not None and obj.parent_type == "ARMATURE":  # Blender then deforms without a modifier
        remedy = "Parent it as Object and give it an Armature or Lattice modifier instead, or keep a point cache."
        raise _impossible(
            obj, f"is deformed by its parent '{obj.parent.name}', which would deform the keys again", remedy
        )
    if obj.mode == "EDIT":
        raise _impossible(obj, "is in Edit Mode", "Leave Edit Mode, then try again.")


def _add_keys(obj: bpy.types.Object, positions: np.ndarray, timing: Timing, undo: _Undo) -> Iterator[tuple[int, int]]:
    count = len(positions)
    if obj.data.shape_keys is None:
        undo.added.append(obj.shape_key_add(name="Basis", from_mix=False))
    keys = obj.data.shape_keys
    basis = _coordinates(keys.reference_key)
    corrections = _Corrections(obj, timing)
    curves = None
    for index in range(count):
        # The mix at this frame differs from the basis by what other keys add; the new key takes that off again.
        key = obj.shape_key_add(name=_name(index), from_mix=False)
        undo.added.append(key)
        shape = positions[index] + (basis - corrections.mix(index)) if corrections.needed else positions[index]
        key.points.foreach_set("co", np.ascontiguousarray(shape, np.float32).ravel())
        if curves is None:
            curves = fcurves.editable_curves_of(keys)
        path = f'key_blocks["{bpy.utils.escape_identifier(key.name)}"].value'
        undo.curves.append(_write_curve(curves, path, timing, index, count))
        key.value = 1.0 if index == 0 else 0.0
        yield index + 1, count


def _name(index: int) -> str:
    return f"{NAME} {index + 1:04d}"


def _write_curve(
    curves: bpy.types.ActionFCurves, path: str, timing: Timing, index: int, count: int
) -> bpy.types.FCurve:
    """0 -> 1 -> 0 around the key's frame; the first key has no rise and the last no fall, so that they hold."""
    around = range(max(index - 1, 0), min(index + 2, count))
    return fcurves.write_curve(curves, path, [timing.frame(k) for k in around], [float(k == index) for k in around])


class _Corrections:
    """What the keys that were there show at the frames of the animation."""

    def __init__(self, obj: bpy.types.Object, timing: Timing) -> None:
        keys = obj.data.shape_keys
        others = [key for key in keys.key_blocks[1:] if not key.mute]
        animation = keys.animation_data
        moved = fcurves.curves_of(keys) or (animation and (len(animation.drivers) or len(animation.nla_tracks)))
        self.needed = bool(others) and (bool(moved) or any(key.value for key in others))
        if self.needed:
            self._mixes = _mixes(obj, timing) if moved else [_mix(obj)] * timing.count

    def mix(self, index: int) -> np.ndarray:
        """(N, 3) float32: the mesh without the new keys at result frame `index`."""
        return self._mixes[index]


def _mixes(obj: bpy.types.Object, timing: Timing) -> list[np.ndarray]:
    scene = bpy.context.scene
    before = split_frame(scene.frame_current_final)
    try:
        mixes = []
        for index in range(timing.count):
            frame, part = split_frame(timing.frame(index))
            scene.frame_set(frame, subframe=part)
            mixes.append(_mix(obj))
        return mixes
    finally:
        scene.frame_set(before[0], subframe=before[1])


def _mix(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3) float32: the sum of all keys at their present values, as Blender makes it."""
    key = obj.shape_key_add(name=NAME, from_mix=True)
    mix = _coordinates(key)
    obj.shape_key_remove(key)
    return mix


def _coordinates(key: bpy.types.ShapeKey) -> np.ndarray:
    coordinates = np.empty((len(key.points), 3), np.float32)
    key.points.foreach_get("co", coordinates.ravel())
    return coordinates


class _Undo:
    """Takes a bake back that did not come to its end."""

    def __init__(self, obj: bpy.types.Object) -> None:
        self.obj = obj
        self.active = obj.active_shape_key_index
        self.pinned = obj.show_only_shape_key
        self.added: list[bpy.types.ShapeKey] = []
        self.curves: list[bpy.types.FCurve] = []
        self.muted: list[str] = []

    def mute(self, names: Collection[str]) -> None:
        keys = self.obj.data.shape_keys
        for key in [each for each in keys.key_blocks if each.name in names and not each.mute] if keys else ():
            key.mute = True
            self.muted.append(key.name)

    def carry_out(self) -> None:
        keys = self.obj.data.shape_keys
        curves = fcurves.curves_of(keys) if keys else ()
        for curve in self.curves:
            curves.remove(curve)
        for key in reversed(self.added):
            self.obj.shape_key_remove(key)
        for name in self.muted:
            keys.key_blocks[name].mute = False
        self.obj.active_shape_key_index = self.active
        self.obj.show_only_shape_key = self.pinned


def _impossible(obj: bpy.types.Object, why: str, remedy: str) -> Motion324Error:
    sentence = f"The animation cannot be kept as shape keys: '{obj.name}' {why}."
    return Motion324Error("shape-keys-impossible", sentence, remedy, EXIT_BAD_MESH)
