"""Declares an option: what it may be, and how the command line and Blender show it.

Plain data. motion324.cli.option_flags makes flags of it, the extension's settings/option_properties.py makes Blender's
properties of it, and motion324.core.options.option_group reads and checks values by it, wherever they come from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SPEC = "option"  # the key of a field's metadata


@dataclass(frozen=True)
class Choice:
    """value: as the option has it. label, description: in Blender's menu, which leaves out what has no label.

    A .blend keeps a choice by its place in the menu: new ones go to the end.
    """

    value: str
    label: str = ""
    description: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a command's help."""

    title: str
    description: str | None = None


@dataclass(frozen=True)
class Flag:
    """An option on the command line.

    name: with its dashes; "" is made of the option's name. A flag that is on by default is called --no-SOMETHING.
    metavar: "" is the list of choices, or a letter that suits the type.
    default: in words, where the value itself says little.
    """

    name: str = ""
    metavar: str = ""
    default: str = ""
    section: Section | None = None


@dataclass(frozen=True)
class Shown:
    """An option as a property in Blender: a setting of the scene, and a keyword of the operators.

    label: the property's name. description: its tooltip; "" is the option's help.
    panel: whose title is shown; short: what the panel has for the label, where that is too long.
    name: of the property, "" is the option's. placeholder: what an empty field shows.
    low, soft_low, soft_high, precision, step, subtype, unit: as in bpy.props; low where it is not the option's own.
    only_with: as OptionSpec.counts_with, where the panel shows it in fewer cases.
    composed: the property is one of several that make up the option's value, in the extension's own code.
    """

    label: str
    description: str = ""
    panel: str = ""
    short: str = ""
    name: str = ""
    placeholder: str = ""
    low: float | None = None
    soft_low: float | None = None
    soft_high: float | None = None
    precision: int | None = None
    step: int | None = None
    subtype: str = "NONE"
    unit: str = "NONE"
    only_with: tuple[str, tuple[str, ...]] | None = None
    composed: bool = False


@dataclass(frozen=True)
class OptionSpec:
    """One option. A field of an option_group.OptionGroup gives name, type and default, the rest is told to `option`.

    help: what it is, beginning with a small letter and without a full stop.
    kind: str, int, float, bool, Path, or tuple for a slice (start, stop, step); optional: or None.
    low, high: the smallest and the largest number; above_low: where `low` itself is too small.
    choices: the texts that are allowed; further ones are where `also` reads them, which raises ValueError with the
        end of a sentence that begins with the option's name.
    is_file: whether a text is the path of a file or folder of the user's.
    counts_with: the name of another option, and those of its values with which this one is looked at; None: always.
    in_looks: whether a quick look before the job depends on it, too.
    on_wire: whether it may come from another process or from a job file.
    flag, shown: None where the command line, or Blender, does not have it by itself.
    """

    help: str
    name: str = ""
    kind: type = str
    optional: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    choices: tuple[Choice, ...] = ()
    also: Callable[[str], object] | None = None
    is_file: Callable[[str], bool] | None = None
    counts_with: tuple[str, tuple[str, ...]] | None = None
    in_looks: bool = False
    on_wire: bool = True
    flag: Flag | None = Flag()
    shown: Shown | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """Of the choices."""
        return tuple(choice.value for choice in self.choices)

    @property
    def flag_name(self) -> str:
        """With its dashes, also where the command line does not have it: sentences name the option so."""
        return (self.flag.name if self.flag else "") or f"--{self.name.replace('_', '-')}"

    @property
    def told_name(self) -> str:
        """What sentences call it."""
        return self.flag_name.removeprefix("--no-" if self.kind is bool and self.default else "--")

    @property
    def property_name(self) -> str:
        """Blender's."""
        return (self.shown.name if self.shown else "") or self.name


def option(default: Any, help: str, **more: Any) -> Any:
    """A field of an OptionGroup; more: what OptionSpec has besides."""
    return dataclasses.field(default=default, metadata={SPEC: OptionSpec(help, **more)})


def same_option(spec: OptionSpec, **changes: Any) -> Any:
    """A field of another OptionGroup that is declared as `spec`, but for the changes."""
    return dataclasses.field(default=spec.default, metadata={SPEC: dataclasses.replace(spec, **changes)})
