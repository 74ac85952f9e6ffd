"""Makes Blender's properties of options: bpy.props is told what motion324.core declares, and gives values back.

Where an option may be None, its property is 0 for that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from motion324.core.options.option_group import OptionGroup
from motion324.core.options.option_spec import OptionSpec

from ..ui import choices

Wanted = Callable[[OptionSpec], bool]
MOST = 2**31 - 1  # that Blender's whole numbers can be


def properties_of(group: type[OptionGroup]) -> dict[str, Any]:
    """What bpy.props makes of the options that Blender shows, by the properties' names, for a class's annotations."""
    return {spec.property_name: _property(spec) for spec in _shown(group) if spec.choices or not spec.shown.composed}


def steady(settings: type) -> type:
    """Marks all properties of a class as such that take no keyframes: a job has one value of each. A decorator, before
    the class is registered."""
    own = vars(sys.modules[settings.__module__])
    for name, declared in settings.__annotations__.items():
        if isinstance(declared, str):  # as Blender reads it when the class is registered
            declared = eval(declared, own)
        declared.keywords["options"] = declared.keywords.get("options", set()) - {"ANIMATABLE"}
        settings.__annotations__[name] = declared
    return settings


def searched(group: type[OptionGroup], name: str, found: Callable[[Any, Any, str], list[str]]) -> Any:
    """The property of an option that is a text, with what is proposed for it."""
    shown = group.specs()[name].shown
    return StringProperty(name=shown.label, description=shown.description, search=found)


def values_of(settings: Any, group: type[OptionGroup], wanted: Wanted = lambda spec: True) -> dict[str, Any]:
    """The options' values, for OptionGroup.from_dict, without those that several properties make up."""
    values = {}
    for spec in _shown(group):
        if wanted(spec) and not spec.shown.composed:
            value = getattr(settings, spec.property_name)
            values[spec.name] = None if spec.optional and not value else value
    return values


def drawn(settings: Any, group: type[OptionGroup], panel: str) -> Iterator[OptionSpec]:
    """What the panel shows as things stand, in its order."""
    for spec in _shown(group):
        if spec.shown.panel == panel and not is_hidden(settings, spec, group):
            yield spec


def rule_of(spec: OptionSpec) -> tuple[str, tuple[str, ...]] | None:
    """The option, and its values, with which this one is shown; None: always."""
    return spec.shown.only_with or spec.counts_with


def is_hidden(settings: Any, spec: OptionSpec, group: type[OptionGroup]) -> bool:
    rule = rule_of(spec)
    return rule is not None and getattr(settings, group.specs()[rule[0]].property_name) not in rule[1]


def hidden_of(settings: Any, group: type[OptionGroup]) -> dict[str, Any]:
    """The properties that the panels hide as things stand, with their options' defaults."""
    return {spec.property_name: spec.default for spec in _shown(group) if is_hidden(settings, spec, group)}


def _shown(group: type[OptionGroup]) -> list[OptionSpec]:
    return [spec for spec in group.specs().values() if spec.shown is not None]


def _property(spec: OptionSpec) -> Any:
    told = {
        "name": spec.shown.label,
        "description": spec.shown.description or spec.help[:1].upper() + spec.help[1:],
    }
    if spec.choices:
        return EnumProperty(items=choices.menu_of(spec), default=spec.default, **told)
    if spec.kind is bool:
        return BoolProperty(default=spec.default, **told)
    if spec.kind is int:
        return IntProperty(default=spec.default or 0, **told, **_bounds(spec, int), **_given(spec, "step", "subtype"))
    if spec.kind is float:
        look = _given(spec, "precision", "step", "subtype", "unit")
        return FloatProperty(default=spec.default or 0.0, **told, **_bounds(spec, float), **look)
    subtype = "FILE_PATH" if spec.kind is Path else spec.shown.subtype
    return StringProperty(default=str(spec.default or ""), subtype=subtype, **told)


def _bounds(spec: OptionSpec, kind: type) -> dict[str, Any]:
    low = spec.low if spec.shown.low is None else spec.shown.low
    bounds = {
        "min": 0 if spec.optional else low,
        "max": spec.high,
        "soft_min": spec.shown.soft_low,
        "soft_max": spec.shown.soft_high,
    }
    return {name: kind(max(-MOST, min(MOST, value))) for name, value in bounds.items() if value is not None}


def _given(spec: OptionSpec, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(spec.shown, name)) is not None}
