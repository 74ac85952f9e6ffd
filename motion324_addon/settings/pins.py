"""Holds the pins with which a person corrects an object's animation; they are kept with the object."""

from __future__ import annotations

import bpy
from bpy.props import CollectionProperty, EnumProperty, FloatVectorProperty, IntProperty, StringProperty

from ..scene.correcting import object_pins
from . import option_properties

KINDS = (
    (object_pins.POINT, "Point", "A vertex at a place in the picture"),
    (object_pins.PLACE, "Place", "A vertex at a place in space"),
    (object_pins.STILL, "Still", "A vertex group that stays where it is"),
    (object_pins.POSE, "Pose", "The whole mesh as it was dragged"),
)


@option_properties.steady
class Motion324Pin(bpy.types.PropertyGroup):
    """frame, last: of the video. at: parts of the picture from its top left corner. place: object space.

    attribute: of the mesh, that has the pose's positions.
    """

    kind: EnumProperty(name="Kind", description="What is pinned", items=KINDS)
    frame: IntProperty(name="Frame", description="Of the video, counted from 0", min=0)
    last: IntProperty(name="Last Frame", description="Of the video, for which it holds", min=0)
    vertex: IntProperty(name="Vertex", description="Its number in the mesh", min=0)
    at: FloatVectorProperty(
        name="Place in the Picture", description="Parts of its width and height", size=2, precision=4
    )
    place: FloatVectorProperty(
        name="Place", description="In the object's own space", size=3, precision=4, subtype="XYZ"
    )
    group: StringProperty(name="Vertex Group", description="Whose vertices stay where they are")
    attribute: StringProperty(name="Attribute", description="Of the mesh, that has the pose")


def register() -> None:
    bpy.utils.register_class(Motion324Pin)
    bpy.types.Object.motion324_pins = CollectionProperty(type=Motion324Pin)


def unregister() -> None:
    del bpy.types.Object.motion324_pins
    bpy.utils.unregister_class(Motion324Pin)
