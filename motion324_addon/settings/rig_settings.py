"""The settings for keeping results on bones; kept with the scene."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, PointerProperty

from motion324.core.options.rig_settings import RigSettings

from . import option_properties

SOME_BONES = 12  # of which who wants another number than the fewest starts


class RigProperties:
    """What describes keys on bones: all of them are options that motion324.core.options.rig_settings declares."""


def _armatures(_: object, context: bpy.types.Context, typed: str) -> list[str]:
    return [obj.name for obj in context.scene.objects if obj.type == "ARMATURE" and typed.lower() in obj.name.lower()]


RigProperties.__annotations__ = {
    **option_properties.properties_of(RigSettings),
    "armature": option_properties.searched(RigSettings, "armature", _armatures),
}
option_properties.steady(RigProperties)


def _takes_fewest(self: Motion324Rig) -> bool:
    return not self.bones


def _take_fewest(self: Motion324Rig, takes_fewest: bool) -> None:
    self.bones = 0 if takes_fewest else SOME_BONES


class Motion324Rig(RigProperties, bpy.types.PropertyGroup):
    fewest_bones: BoolProperty(
        name="Automatic",
        description="As few bones as stay within the tolerance",
        get=_takes_fewest,
        set=_take_fewest,
        options={"SKIP_SAVE"},
    )


def chosen_of(operator: bpy.types.Operator, settings: Motion324Rig) -> RigSettings:
    """The operator's keyword arguments, and the scene's settings where there are none."""
    given = operator.properties.is_property_set
    values = {}
    for name, spec in RigSettings.specs().items():
        value = getattr(operator if given(name) else settings, name)
        values[name] = None if spec.optional and not value else value
    return RigSettings.from_dict(values)


def of_scene(scene: bpy.types.Scene) -> RigSettings:
    values = option_properties.values_of(scene.motion324_rig, RigSettings)
    return RigSettings.from_dict(values)


def register() -> None:
    bpy.utils.register_class(Motion324Rig)
    bpy.types.Scene.motion324_rig = PointerProperty(type=Motion324Rig)


def unregister() -> None:
    del bpy.types.Scene.motion324_rig
    bpy.utils.unregister_class(Motion324Rig)
