"""The armature whose bones move a mesh, or would where nothing binds it yet, and the modifier that binds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motion324.core.blender_rig.skin_reading import armature_modifier
from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

NAME = "Armature"


@dataclass(frozen=True)
class Binding:
    """What `bind` has added. modifier: its name. parent_type: the object's before."""

    modifier: str
    parent_type: str


def armature_of(obj: Any, named: Any = None) -> Any:
    """The armature object of the mesh's modifier; where it has none `named`, or a parent that deforms it.

    named: the armature object that is meant, where several move the mesh or none does. Nothing is changed.
    Raises Motion324Error: "no-armature", "rig-without-weights" and what armature_modifier raises.
    """
    if is_bound(obj):
        return armature_modifier(obj, named.name if named is not None else "").object
    armature = named if named is not None else obj.parent if obj.parent_type == "ARMATURE" else None
    if armature is None:
        raise Motion324Error(
            "no-armature",
            f"'{obj.name}' has no armature, so there are no bones to key.",
            "Choose the armature whose bones are called as its vertex groups, or keep the result as a rig of its own.",
            EXIT_BAD_MESH,
        )
    if armature.type != "ARMATURE":
        raise Motion324Error(
            "no-armature",
            f"'{armature.name}', whose bones '{obj.name}' shall hang on, is no armature.",
            "Choose an armature object.",
            EXIT_BAD_MESH,
        )
    bones = armature.data.bones
    if not any(group.name in bones and bones[group.name].use_deform for group in obj.vertex_groups):
        raise Motion324Error(
            "rig-without-weights",
            f"No vertex group of '{obj.name}' is called as a bone of '{armature.name}', so those do not move it.",
            "Parent the mesh to the armature with automatic weights, or name the groups as the bones.",
            EXIT_BAD_MESH,
        )
    return armature


def is_bound(obj: Any) -> bool:
    """Whether a modifier that is switched on binds it to an armature."""
    return any(each.type == "ARMATURE" and each.object and each.show_viewport for each in obj.modifiers)


def bind(obj: Any, armature: Any) -> Binding | None:
    """Adds the modifier, before all others, where the object has none. A parent that deformed it is then one that only
    carries it."""
    if is_bound(obj):
        return None
    modifier = obj.modifiers.new(NAME, "ARMATURE")
    modifier.object = armature
    obj.modifiers.move(len(obj.modifiers) - 1, 0)
    before = Binding(modifier.name, obj.parent_type)
    if obj.parent_type == "ARMATURE":
        obj.parent_type = "OBJECT"
    return before


def unbind(obj: Any, binding: Binding) -> None:
    """Takes off what `bind` has added."""
    modifier = obj.modifiers.get(binding.modifier)
    if modifier is not None and modifier.type == "ARMATURE":
        obj.modifiers.remove(modifier)
    if binding.parent_type == "ARMATURE" and obj.parent is not None and obj.parent.type == "ARMATURE":
        obj.parent_type = binding.parent_type
