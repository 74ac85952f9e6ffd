"""Makes options flags of a command: argparse is told what motion324.core declares."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from motion324.core.options.option_group import OptionGroup
from motion324.core.options.option_spec import OptionSpec, Section

Group = TypeVar("Group", bound=OptionGroup)
Wanted = Callable[[OptionSpec], bool]

_METAVARS = {int: "N", float: "F", Path: "PATH"}  # where neither choices nor the declaration say one


def add_flags(parser: argparse._ActionsContainer, group: type[OptionGroup], wanted: Wanted = lambda spec: True) -> None:
    """Those of the group's options that are wanted and are flags at all; chosen_of reads them."""
    sections: dict[Section | None, Any] = {None: parser}
    for spec in _flags(group, wanted).values():
        assert spec.flag is not None
        section = spec.flag.section
        if section not in sections:
            assert section is not None
            sections[section] = parser.add_argument_group(section.title, section.description)
        sections[section].add_argument(spec.flag_name, help=_help(spec).replace("%", "%%"), **_how(spec))


def chosen_of(
    arguments: argparse.Namespace,
    group: type[Group],
    wanted: Wanted = lambda spec: True,
    more: Mapping[str, object] | None = None,
) -> Group:
    """What was given on the command line, and the defaults for the rest.

    more: values of options that are no flags. Raises Motion324Error("bad-option").
    """
    given = {name: getattr(arguments, _name_in(spec)) for name, spec in _flags(group, wanted).items()}
    return group.of({**{name: value for name, value in given.items() if value is not None}, **(more or {})})


def _flags(group: type[OptionGroup], wanted: Wanted) -> dict[str, OptionSpec]:
    return {name: spec for name, spec in group.specs().items() if spec.flag is not None and wanted(spec)}


def _name_in(spec: OptionSpec) -> str:
    """The attribute of argparse's namespace."""
    return spec.flag_name.removeprefix("--").replace("-", "_")


def _how(spec: OptionSpec) -> dict[str, Any]:
    """Values stay texts, which `OptionGroup.of` reads and refuses in the same words wherever they come from."""
    if spec.kind is bool:
        return {"action": "store_const", "const": not spec.default}
    return {"metavar": _metavar(spec)}


def _metavar(spec: OptionSpec) -> str:
    told = spec.flag.metavar if spec.flag else ""
    return told or "|".join(spec.values) or _METAVARS.get(spec.kind, "TEXT")


def _help(spec: OptionSpec) -> str:
    """With the choices, where the metavar does not name them, and the default."""
    one_of = ""
    if spec.choices and "|" not in _metavar(spec):
        one_of = f"; one of {', '.join(spec.values)}"
    default = (spec.flag.default if spec.flag else "") or _in_words(spec.default)
    return f"{spec.help}{one_of}" + (f"; default: {default}" if default else "")


def _in_words(default: object) -> str:
    if isinstance(default, bool) or default in (None, ""):
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)
