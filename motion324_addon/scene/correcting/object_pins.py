"""Adds pins to an object, and reads them as a job takes them."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.motion.pins import Pins, PointPin, PosePin, StillPin

from ..reading.orientation import Share

POINT, PLACE, STILL, POSE = "POINT", "PLACE", "STILL", "POSE"
ATTRIBUTE = "motion324_pose"


def add_point(obj: bpy.types.Object, frame: int, vertex: int, at: tuple[float, float]) -> None:
    """In place of an earlier pin of this vertex at this frame. at: parts of the picture."""
    pin = _for_vertex(obj, frame, vertex)
    pin.kind, pin.at = POINT, at


def add_place(obj: bpy.types.Object, frame: int, vertex: int, place: Sequence[float]) -> None:
    """The same, for a place (3,) in object space."""
    pin = _for_vertex(obj, frame, vertex)
    pin.kind, pin.place = PLACE, place


def add_still(obj: bpy.types.Object, first: int, last: int, group: str) -> None:
    """Raises Motion324Error("no-vertex-group") where no vertex belongs to the group."""
    vertices_of(obj, group)
    pin = obj.motion324_pins.add()
    pin.kind, pin.frame, pin.last, pin.group = STILL, first, last, group


def add_pose(obj: bpy.types.Object, frame: int, positions: np.ndarray) -> None:
    """In place of an earlier pose at this frame. positions (N, 3): object space; an attribute of the mesh keeps them,
    so that they are saved and undone with it."""
    for index, pin in reversed(list(enumerate(obj.motion324_pins))):
        if pin.kind == POSE and pin.frame == frame:
            remove(obj, index)
    attribute = obj.data.attributes.new(f"{ATTRIBUTE}_{frame}", "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", np.ascontiguousarray(positions, np.float32).ravel())
    pin = obj.motion324_pins.add()
    pin.kind, pin.frame, pin.attribute = POSE, frame, attribute.name


def remove(obj: bpy.types.Object, index: int) -> None:
    """Raises Motion324Error("no-pin") where there is none at that place."""
    if not 0 <= index < len(obj.motion324_pins):
        sentence = f"'{obj.name}' has no pin {index}."
        raise Motion324Error("no-pin", sentence, f"It has {len(obj.motion324_pins)}.", EXIT_USAGE)
    pin = obj.motion324_pins[index]
    attribute = obj.data.attributes.get(pin.attribute) if pin.kind == POSE else None
    if attribute is not None:
        obj.data.attributes.remove(attribute)
    obj.motion324_pins.remove(index)


def pins_of(objects: Sequence[bpy.types.Object], shares: Sequence[Share]) -> Pins:
    """Those of all objects that a job animates, as it counts vertices and in its space.

    Raises Motion324Error("no-vertex-group" or "pins-changed") where the mesh no longer has what is pinned.
    """
    points: list[PointPin] = []
    stills: list[StillPin] = []
    poses: list[PosePin] = []
    for obj, share in zip(objects, shares, strict=True):
        for pin in obj.motion324_pins:
            if pin.kind in (POINT, PLACE) and pin.vertex >= share.count:
                raise _changed(obj, f"vertex {pin.vertex} is pinned, which it no longer has")
            if pin.kind == POINT:
                points.append(PointPin(pin.frame, share.first + pin.vertex, (pin.at[0], pin.at[1])))
            elif pin.kind == PLACE:
                place = share.joint(np.array([pin.place], np.float32)).astype(np.float64)
                poses.append(PosePin(pin.frame, place, np.array([share.first + pin.vertex])))
            elif pin.kind == STILL:
                stills.append(StillPin(pin.frame, pin.last, share.first + vertices_of(obj, pin.group)))
            else:
                posed = share.joint(_pose_of(obj, pin)).astype(np.float64)
                poses.append(PosePin(pin.frame, posed, share.first + np.arange(share.count)))
    return Pins(tuple(points), tuple(stills), tuple(poses))


def vertices_of(obj: bpy.types.Object, group: str) -> np.ndarray:
    """(V,) int64 of those that belong to the vertex group by half or more. Raises Motion324Error("no-vertex-group")."""
    found = obj.vertex_groups.get(group)
    chosen = [] if found is None else [v.index for v in obj.data.vertices if _weight(v, found.index) >= 0.5]
    if not chosen:
        what = f"has no vertex group '{group}'" if found is None else f"has no vertex in the group '{group}'"
        raise Motion324Error(
            "no-vertex-group", f"'{obj.name}' {what}.", "Assign what is to stay still to a vertex group.", EXIT_USAGE
        )
    return np.array(chosen, np.int64)


def _for_vertex(obj: bpy.types.Object, frame: int, vertex: int) -> bpy.types.PropertyGroup:
    same = (p for p in obj.motion324_pins if p.kind in (POINT, PLACE) and (p.frame, p.vertex) == (frame, vertex))
    pin = next(same, None) or obj.motion324_pins.add()
    pin.frame, pin.vertex = frame, vertex
    return pin


def _weight(vertex: bpy.types.MeshVertex, group: int) -> float:
    return next((each.weight for each in vertex.groups if each.group == group), 0.0)


def _pose_of(obj: bpy.types.Object, pin: bpy.types.PropertyGroup) -> np.ndarray:
    attribute = obj.data.attributes.get(pin.attribute)
    if attribute is None or len(attribute.data) != len(obj.data.vertices):
        raise _changed(obj, f"its pose at frame {pin.frame} of the video is gone")
    positions = np.empty((len(attribute.data), 3), np.float32)
    attribute.data.foreach_get("vector", positions.ravel())
    return positions


def _changed(obj: bpy.types.Object, what: str) -> Motion324Error:
    sentence = f"The mesh of '{obj.name}' was changed since it was pinned: {what}."
    return Motion324Error("pins-changed", sentence, "Undo that change, or remove the pin.", EXIT_USAGE)
