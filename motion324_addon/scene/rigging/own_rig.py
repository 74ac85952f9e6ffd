"""What of the objects' own armature keyframes are fitted to, and whether that can be done at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.surface import positions_of
from motion324.core.inside_blender.rig import binding
from motion324.core.inside_blender.rig.armature_reading import ReadArmature, read_armature, warnings_of
from motion324.core.inside_blender.rig.scene_rig import joined
from motion324.core.inside_blender.rig.skin_reading import armature_modifier, read_skin
from motion324.core.rigs.rig import Skin

from ..playing import fcurves, keeping, point_cache
from ..playing.animation import Animation, Target
from ..reading import modifier_stack
from ..reading.joining import scene_at
from ..reading.mesh_reading import check_own, check_topology

SAME_PLACE = 1e-5  # of a matrix's entries: objects that move against their armature by less do not


@dataclass(frozen=True)
class OwnRig:
    """The armature of some animations' objects.

    skin and positions (T, N, 3) float32: those of all objects, one after the other, in armature space. to_armature
    (3, 3) of each: from its axes to the armature's.
    warnings: one sentence each.
    """

    target: Target
    read: ReadArmature
    skin: Skin
    positions: np.ndarray
    to_armature: tuple[np.ndarray, ...]
    warnings: tuple[str, ...]


def check_has_own_rig(obj: bpy.types.Object, named: str | None = None) -> None:
    """Raises what `read_own_rig` raises of an object that has not been animated yet: before a job takes its time."""
    check_own(obj)
    armature = armature_of(obj, named)
    _check_armature(armature)
    _check_shape_keys(obj)
    read_armature(armature, _evaluated(armature))


def armature_of(obj: bpy.types.Object, named: str | None = None) -> bpy.types.Object:
    """As binding.armature_of, by the armature's name."""
    meant = bpy.data.objects.get(named) if named else None
    if named and meant is None:
        raise _bad("no-armature", f"There is no object '{named}' whose bones could be keyed.", "Choose an armature.")
    return binding.armature_of(obj, meant)


def read_own_rig(animations: Sequence[Animation], named: str | None = None) -> OwnRig:
    """Reads at the frame at which the animations begin; nothing is changed. named: the armature that is meant, where
    several move the objects, or none does yet.

    Raises Motion324Error: what `armature_reading` and `skin_reading` raise, "object-gone", "topology-changed",
    "linked-object", "several-armatures", "rig-resting", "rig-shape-keys", "rig-moves-apart".
    """
    objects = [animation.target.get() for animation in animations]
    for obj, animation in zip(objects, animations, strict=True):
        check_own(obj)
        check_topology(obj, animation.topology)
        _check_shape_keys(obj)
    armatures = {each.name: each for each in (armature_of(obj, named) for obj in objects)}
    if len(armatures) > 1:
        names = ", ".join(f"'{name}'" for name in sorted(armatures))
        raise _bad(
            "several-armatures",
            f"The animated objects hang on {len(armatures)} armatures ({names}).",
            "Keep them one by one.",
        )
    (armature,) = armatures.values()
    _check_armature(armature)
    for obj in objects:
        _check_together(obj, armature, animations[0])
    start = animations[0].timing.start
    with scene_at(start), modifier_stack.switched_on([armature, *objects]), _bound(objects, armature):
        modifiers = [armature_modifier(obj, armature.name) for obj in objects]
        read = read_armature(armature, _evaluated(armature))
        skins, positions, axes, warnings = [], [], [], []
        for obj, modifier, animation in zip(objects, modifiers, animations, strict=True):
            matrix = _to_armature(obj, armature)
            found = read_skin(obj, modifier, read.armature, _before_armature(obj, modifier), matrix)
            skins.append(found.skin)
            axes.append(matrix[:3, :3])
            positions.append((animation.positions @ matrix[:3, :3].T.astype(np.float32)) + np.float32(matrix[:3, 3]))
            warnings += [*found.warnings, *_other_modifiers(obj, modifier)]
    warnings += warnings_of(armature, read)
    joint = np.concatenate(positions, axis=1)
    return OwnRig(Target.of(armature), read, joined(skins), joint, tuple(axes), tuple(warnings))


@contextlib.contextmanager
def _bound(objects: Sequence[bpy.types.Object], armature: bpy.types.Object) -> Iterator[None]:
    """With a modifier on those that have none, for as long as they are read."""
    added = [(obj, binding.bind(obj, armature)) for obj in objects]
    try:
        yield
    finally:
        for obj, bound in added:
            if bound is not None:
                binding.unbind(obj, bound)


def _check_armature(armature: bpy.types.Object) -> None:
    check_own(armature)
    if armature.data.library is not None or armature.data.override_library is not None:
        raise _bad(
            "linked-object",
            f"The bones of '{armature.name}' are linked from another file.",
            "Make them local (Object > Relations > Make Local > All).",
        )
    if armature.data.pose_position == "REST":
        raise _bad(
            "rig-resting",
            f"'{armature.name}' is shown in its rest position, in which keys of bones do nothing.",
            "Set it to Pose Position (Object Data Properties > Skeleton).",
        )
    if armature.mode == "EDIT":
        raise _bad("edit-mode", f"'{armature.name}' is in Edit Mode.", "Leave Edit Mode, then try again.")
    stretch = np.linalg.svd(np.array(armature.matrix_world)[:3, :3], compute_uv=False)
    if stretch[2] < 1e-6 * max(stretch[0], 1e-30):
        raise _bad("object-flat", f"'{armature.name}' is scaled to zero along an axis.", "Reset its scale.")


def _check_shape_keys(obj: bpy.types.Object) -> None:
    """Those that move would be added to what the bones do, and the result has everything in it already."""
    keys = obj.data.shape_keys
    if keys is None:
        return
    own = set(keeping.kept_keys(obj))
    animation = keys.animation_data
    if animation is None or not any(key.name not in own and not key.mute for key in keys.key_blocks[1:]):
        return
    paths = [each.data_path for each in (*fcurves.curves_of(keys), *animation.drivers) if not each.mute]
    moved = [key.name for key in keys.key_blocks[1:] if key.name not in own and not key.mute]
    moved = [name for name in moved if f'key_blocks["{bpy.utils.escape_identifier(name)}"].value' in paths]
    if moved or len(animation.nla_tracks):
        raise _bad(
            "rig-shape-keys",
            f"Shape keys of '{obj.name}' are animated or driven ({', '.join(moved[:3]) or 'in the NLA'}), and would be "
            "added to what the bones do.",
            "Mute these shape keys, or keep the result as shape keys.",
        )


def _check_together(obj: bpy.types.Object, armature: bpy.types.Object, animation: Animation) -> None:
    """Raises Motion324Error("rig-moves-apart") where the object moves against its armature meanwhile."""
    first, last = animation.timing.whole_frames
    matrices = []
    for frame in sorted({first, (first + last) // 2, last}):
        with scene_at(float(frame)):
            matrices.append(_to_armature(obj, armature))
    apart = max(np.abs(each - matrices[0]).max() for each in matrices)
    if apart > SAME_PLACE * max(np.abs(matrices[0]).max(), 1.0):
        raise _bad(
            "rig-moves-apart",
            f"'{obj.name}' and its armature '{armature.name}' move against each other as objects.",
            "Parent the mesh to the armature, or remove that animation.",
        )


def _to_armature(obj: bpy.types.Object, armature: bpy.types.Object) -> np.ndarray:
    """(4, 4): object to armature space, now."""
    bpy.context.view_layer.update()
    return np.array(armature.matrix_world.inverted() @ obj.matrix_world, np.float64)


def _before_armature(obj: bpy.types.Object, modifier: bpy.types.Modifier) -> np.ndarray:
    """(N, 3): the vertices as they come to the modifier, without shape keys of an earlier result."""
    place = list(obj.modifiers).index(modifier)
    keys = obj.data.shape_keys
    own = [keys.key_blocks[name] for name in keeping.kept_keys(obj)] if keys else []
    sounding = [key for key in own if not key.mute]
    for key in sounding:
        key.mute = True
    try:
        with modifier_stack.only_leading(obj, place), modifier_stack.evaluated_mesh(obj) as mesh:
            if len(mesh.vertices) != len(obj.data.vertices):
                raise _bad(
                    "modifier-changes-topology",
                    f"A modifier of '{obj.name}' before '{modifier.name}' changes its vertices.",
                    "Apply it, or move it below the Armature modifier.",
                )
            return positions_of(mesh)
    finally:
        for key in sounding:
            key.mute = False


def _other_modifiers(obj: bpy.types.Object, modifier: bpy.types.Modifier) -> list[str]:
    leading = modifier_stack.moving_modifiers(obj, modifier_stack.leading_count(obj))
    ours = {each.name for each in keeping.kept_caches(obj)}
    others = [each.name for each in leading if each != modifier and not each.name.startswith(point_cache.PREVIEW)]
    others = [name for name in others if name not in ours]
    if not others:
        return []
    names = ", ".join(f"'{name}'" for name in others)
    return [
        f"{names} of '{obj.name}' deforms the mesh besides the bones, and goes on doing so; the keys do not know it."
    ]


def _evaluated(armature: bpy.types.Object) -> bpy.types.Object:
    bpy.context.view_layer.update()
    return armature.evaluated_get(bpy.context.evaluated_depsgraph_get())


def _bad(code: str, sentence: str, hint: str) -> Motion324Error:
    return Motion324Error(code, sentence, hint, EXIT_BAD_MESH)
