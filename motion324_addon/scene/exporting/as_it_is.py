"""Has Blender's own exporters of Alembic and USD write all that moves an object, and tells where they cannot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import bpy

from ..reading import modifier_stack
from .placing import (
    is_constrained,
    is_flat,
    is_sheared_below_parent,
    may_be_flat,
    may_shear,
    metres_per_unit,
    parents_of,
)

Objects = Sequence[bpy.types.Object]


def usd_takes(scene: bpy.types.Scene, objects: Objects, first: int, last: int) -> bool:
    """Whether Blender's USD exporter itself is right: it has no frames before 0, takes each unit for a metre, and what
    it writes of a size of 0 is turned when it is imported."""
    exporter_can = first >= 0 and metres_per_unit(scene) == 1.0 and _may_be_flagged(objects)
    suspects = [each for each in _with_parents(objects) if may_be_flat(each) or is_constrained(each)]
    return exporter_can and not _ever(is_flat, suspects, objects, first, last)


def alembic_takes(objects: Objects, first: int, last: int) -> bool:
    """Whether Blender's Alembic exporter itself is right: it writes a place, a turn and a size below each parent, and
    leaves out what shears there, as constraints and parents that were scaled unevenly do, and the turn of what a size
    of 0 makes flat."""
    suspects = [each for each in _with_parents(objects) if may_shear(each)]
    return _may_be_flagged(objects) and not _ever(is_sheared_below_parent, suspects, objects, first, last)


@contextlib.contextmanager
def flagged_as_moving(objects: Objects) -> Iterator[None]:
    """Has both exporters write where the objects and their parents are in every frame, for a while.

    They do so only for what has keys, drivers, strips or constraints itself, by which they miss what hangs on vertices
    that move, or on a bone that only constraints move. A constraint that is switched off counts for them.
    """
    added = [(each, each.constraints.new("LIMIT_LOCATION")) for each in _with_parents(objects)]
    try:
        for _, constraint in added:
            constraint.mute = True
        yield
    finally:
        for each, constraint in added:
            each.constraints.remove(constraint)


def _with_parents(objects: Objects) -> list[bpy.types.Object]:
    """Each once, in no particular order."""
    return list({each.name_full: each for obj in objects for each in (obj, *parents_of(obj))}.values())


def _may_be_flagged(objects: Objects) -> bool:
    """What belongs to another file cannot be given a constraint."""
    return all(each.library is None for each in _with_parents(objects))


def _ever(is_so: Callable[[bpy.types.Object], bool], suspects: Objects, shown: Objects, first: int, last: int) -> bool:
    """Whether it is so of one of the suspects in a frame, while the shown ones are. Puts the frame back."""
    if not suspects:
        return False
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    with modifier_stack.switched_on(shown):
        try:
            for frame in range(first, last + 1):
                scene.frame_set(frame)
                if any(is_so(each) for each in suspects):
                    return True
        finally:
            scene.frame_set(before[0], subframe=before[1])
    return False
