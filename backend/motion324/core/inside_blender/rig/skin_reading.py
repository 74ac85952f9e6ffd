"""How a Blender mesh hangs on an armature: the modifier, and weights as Blender counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.rigs.rig import Armature, Skin, named

LEAST_SUM = 1e-4  # of a vertex's weights: Blender moves it by bones only above (armature_deform.cc, "contrib")


@dataclass(frozen=True)
class ReadSkin:
    """warnings: what is not as keys suppose it, one sentence each."""

    skin: Skin
    warnings: tuple[str, ...]


def armature_modifier(obj: Any, armature: str = "") -> Any:
    """The modifier by which an armature moves the object. armature: the name of the one that is meant, of several.

    Raises Motion324Error("no-armature", "several-armatures", "rig-envelopes" or "rig-multi").
    """
    found = [each for each in obj.modifiers if each.type == "ARMATURE" and each.object and each.show_viewport]
    if not found:
        hint = "Give it an Armature modifier with its armature, or keep the result as a rig of its own."
        raise _bad("no-armature", f"'{obj.name}' has no armature, so there are no bones to key.", hint)
    found = [each for each in found if each.object.name == armature] or found
    if len(found) > 1:
        names = named([f"{each.object.name}" for each in found])
        raise _bad(
            "several-armatures",
            f"'{obj.name}' hangs on {len(found)} armatures ({names}), and keys of one cannot tell what is the others'.",
            "Name the armature that is meant, or switch off all Armature modifiers but one.",
        )
    modifier = found[0]
    if not modifier.use_vertex_groups or modifier.use_bone_envelopes:
        raise _bad(
            "rig-envelopes",
            f"'{modifier.name}' of '{obj.name}' binds by bone envelopes, whose weights change with the pose.",
            "Switch Bone Envelopes off and bind to vertex groups (Parent > With Automatic Weights).",
        )
    if modifier.use_multi_modifier:
        raise _bad(
            "rig-multi",
            f"'{modifier.name}' of '{obj.name}' is mixed with the modifier before it (Multi Modifier).",
            "Switch Multi Modifier off.",
        )
    return modifier


def read_skin(obj: Any, modifier: Any, armature: Armature, positions: np.ndarray, to_armature: np.ndarray) -> ReadSkin:
    """positions (N, 3): of the vertices before the modifier, object space. to_armature (4, 4): to armature space.

    Raises Motion324Error("rig-without-weights").
    """
    bones = modifier.object.data.bones
    joint = {name: j for j, name in enumerate(armature.names)}
    by_group = {group.index: joint[group.name] for group in obj.vertex_groups if _deforms(bones, group.name)}
    if not by_group:
        gone = [group.name for group in obj.vertex_groups]
        why = f"its vertex groups ({named(gone)}) have no bones" if gone else "it has no vertex groups"
        raise _bad(
            "rig-without-weights",
            f"No bone of '{modifier.object.name}' moves '{obj.name}': {why}.",
            "Parent the mesh with automatic weights, or name the groups as the bones.",
        )
    if any(bones[group.name].use_envelope_multiply for group in obj.vertex_groups if _deforms(bones, group.name)):
        raise _bad(
            "rig-envelopes",
            f"Bones of '{modifier.object.name}' multiply weights with their envelopes, which change with the pose.",
            "Switch 'Multiply' off (Bone Properties > Deform > Envelope).",
        )
    joints, weights = weights_of(obj, by_group)
    weights *= _mask(obj, modifier, len(positions))[:, None]
    placed = positions.astype(np.float64) @ to_armature[:3, :3].T + to_armature[:3, 3]
    return ReadSkin(
        Skin(placed.astype(np.float32), joints, weights.astype(np.float32)), _warnings(obj, modifier, bones)
    )


def _deforms(bones: Any, name: str) -> bool:
    bone = bones.get(name)
    return bone is not None and bone.use_deform


def weights_of(obj: Any, by_group: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) int32 and (N, K) float64: each vertex's bones, whose weights sum to 1, or to 0 where nothing moves it.

    by_group: the bone of a vertex group, by the group's index.
    """
    found = [
        [(by_group[each.group], each.weight) for each in vertex.groups if each.group in by_group and each.weight > 0]
        for vertex in obj.data.vertices
    ]
    width = max([len(each) for each in found], default=0) or 1
    joints, weights = np.zeros((len(found), width), np.int32), np.zeros((len(found), width))
    for vertex, each in enumerate(found):
        if each:
            joints[vertex, : len(each)], weights[vertex, : len(each)] = zip(*each, strict=True)
    total = weights.sum(axis=1, keepdims=True)
    return joints, np.where(total > LEAST_SUM, weights / np.maximum(total, LEAST_SUM), 0.0)


def _mask(obj: Any, modifier: Any, count: int) -> np.ndarray:
    """(N,): the share of each vertex that the modifier's own vertex group lets it move."""
    group = obj.vertex_groups.get(modifier.vertex_group) if modifier.vertex_group else None
    if group is None:
        return np.ones(count)
    share = np.zeros(count)
    for vertex in obj.data.vertices:
        for each in vertex.groups:
            if each.group == group.index:
                share[vertex.index] = each.weight
    return 1 - share if modifier.invert_vertex_group else share


def _warnings(obj: Any, modifier: Any, bones: Any) -> tuple[str, ...]:
    told = []
    gone = [group.name for group in obj.vertex_groups if group.name not in bones]
    gone = [name for name in gone if name != modifier.vertex_group]
    if gone:
        told.append(f"Vertex groups of '{obj.name}' without a bone of that name count for nothing: {named(gone)}.")
    if modifier.use_deform_preserve_volume:
        told.append(
            f"'{modifier.name}' of '{obj.name}' preserves volume, which the keys do not suppose: switch Preserve "
            "Volume off to see what they were fitted to."
        )
    return tuple(told)


def _bad(code: str, sentence: str, hint: str) -> Motion324Error:
    return Motion324Error(code, sentence, hint, EXIT_BAD_MESH)
