"""Reads keys of a configuration, from TOML and the command line, into frozen dataclasses, and checks and prints them.

A section of the file is a dataclass, nested sections are dataclasses in it. Every field has a default, whose type is
the key's type: bool, int, float, str, a tuple of numbers, or another section.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from motion324.core.errors import EXIT_USAGE, Motion324Error

Section = TypeVar("Section")


def key(
    default: Any, says: str, *, choices: tuple[str, ...] = (), least: float | None = None, without: Sequence[str] = ()
) -> Any:
    """A field of a section. says: what it means, in a line. choices: the only values. least: the smallest number.

    without: names of the fields of a nested section that are no keys, since something else decides them.
    """
    return field(
        default=default, metadata={"says": says, "choices": choices, "least": least, "without": tuple(without)}
    )


@dataclass(frozen=True)
class _Key:
    name: str
    value: Any
    says: str
    choices: tuple[str, ...]
    least: float | None


def read_config(default: Section, path: Path | None, overrides: Sequence[str]) -> Section:
    """`default` with the values of a TOML file, and those of overrides such as "optimiser.rate=1e-4".

    Raises Motion324Error("config-unreadable", "config-key", "config-value") with a sentence that names the key.
    """
    config = default
    if path is not None:
        config = with_values(config, _toml(path), path.name)
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise _refused("config-key", f"'{text}' is no key=value.", "Write it as in optimiser.rate=1e-4.")
        config = with_values(config, _nested(name.strip().split("."), _parsed(value.strip())), "the command line")
    return config


def with_values(config: Section, values: Mapping[str, Any], source: str) -> Section:
    """`config` with the values of nested tables. Raises Motion324Error("config-key", "config-value")."""
    flat = dict(_flattened(config, values, ""))
    known = {one.name: one for one in keys_of(config)}
    for name, value in flat.items():
        if name not in known:
            raise _unknown(name, known, source)
        config = _set(config, name.split("."), _checked(known[name], value, source))
    return config


def as_tables(config: Any) -> dict[str, Any]:
    """The configuration as nested tables of plain values: what `with_values` reads."""
    tables: dict[str, Any] = {}
    for one in keys_of(config):
        *sections, last = one.name.split(".")
        table = tables
        for section in sections:
            table = table.setdefault(section, {})
        table[last] = list(one.value) if isinstance(one.value, tuple) else one.value
    return tables


def as_toml(config: Any) -> str:
    """All keys with their values and meanings, as a file that `read_config` reads."""
    lines: list[str] = []
    section = ""
    for one in keys_of(config):
        name, _, last = one.name.rpartition(".")
        if name != section:
            lines += ["", f"[{name}]"]
            section = name
        choices = f" ({', '.join(one.choices)})" if one.choices else ""
        comment = f"  # {one.says}{choices}" if one.says else ""
        lines.append(f"{last} = {_literal(one.value)}{comment}")
    return "\n".join(lines) + "\n"


def keys_of(config: Any, prefix: str = "", without: Sequence[str] = ()) -> Iterator[_Key]:
    """All keys, those of a section before those of the sections in it."""
    own = [one for one in fields(config) if one.name not in without]
    for one in own:
        value = getattr(config, one.name)
        if not is_dataclass(value):
            about: Mapping[str, Any] = one.metadata
            yield _Key(
                prefix + one.name, value, about.get("says", ""), about.get("choices", ()), about.get("least", None)
            )
    for one in own:
        value = getattr(config, one.name)
        if is_dataclass(value):
            yield from keys_of(value, f"{prefix}{one.name}.", _without(one))


def _without(one: Field[Any]) -> tuple[str, ...]:
    names: tuple[str, ...] = one.metadata.get("without", ())
    return names


def _flattened(config: Any, values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        inner = getattr(config, name, None)
        if isinstance(value, Mapping) and (is_dataclass(inner) or inner is None):
            yield from _flattened(inner, value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _set(config: Section, path: list[str], value: Any) -> Section:
    name, *rest = path
    return replace(config, **{name: _set(getattr(config, name), rest, value) if rest else value})  # type: ignore[type-var]


def _nested(path: list[str], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    nested: dict[str, Any] = value
    return nested


def _parsed(text: str) -> Any:
    """A value of the command line: as in TOML, and a string also without quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(
            "config-unreadable", f"The configuration '{path}' cannot be read: {error}.", "Give a TOML file."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise _refused(
            "config-unreadable",
            f"The configuration '{path}' is no TOML: {str(error).rstrip('.')}.",
            "`motion324 train --print-config` prints one with all keys.",
        ) from error


def _checked(one: _Key, value: Any, source: str) -> Any:
    value = _converted(one, value, source)
    if not all(math.isfinite(part) for part in (value if isinstance(value, tuple) else (value,)) if _is_number(part)):
        raise _wrong(one, value, source, "finite")
    if one.choices and value not in one.choices:
        raise _wrong(one, value, source, f"one of {', '.join(one.choices)}")
    if one.least is not None and not isinstance(value, tuple) and value < one.least:
        raise _wrong(one, value, source, f"at least {one.least:g}")
    return value


def _converted(one: _Key, value: Any, source: str) -> Any:
    kind = type(one.value)
    if kind is tuple:
        item = float if any(isinstance(part, float) for part in one.value) else int
        fits = isinstance(value, list | tuple) and all(_is_number(part, item) for part in value) and len(value) > 0
        if not fits:
            raise _wrong(one, value, source, f"a list of {'numbers' if item is float else 'whole numbers'}")
        return tuple(item(part) for part in value)
    if kind is float and _is_number(value, float):
        return float(value)
    if type(value) is not kind:
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise _wrong(one, value, source, names[kind])
    return value


def _is_number(value: Any, kind: type = float) -> bool:
    return type(value) is int or (kind is float and type(value) is float)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(part) for part in value)}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)


def _unknown(name: str, known: Mapping[str, _Key], source: str) -> Motion324Error:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    same = [other for other in known if other.rpartition(".")[2] == name.rpartition(".")[2]]
    guess = (same or near or [""])[0]
    return _refused(
        "config-key",
        f"There is no key '{name}' ({source}){f'; did you mean {guess}?' if guess else '.'}",
        "`motion324 train --print-config` prints all keys.",
    )


def _wrong(one: _Key, value: Any, source: str, wanted: str) -> Motion324Error:
    return _refused("config-value", f"The key '{one.name}' is {value!r} ({source}); it must be {wanted}.", "")


def _refused(code: str, sentence: str, hint: str) -> Motion324Error:
    return Motion324Error(code, sentence, hint, EXIT_USAGE)
