"""Options that belong together: a frozen dataclass whose fields declare them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

from motion324.core.option_spec import SPEC, OptionSpec
from motion324.core.option_values import bad_option, read_value, told


class OptionGroup:
    """The base of frozen dataclasses whose every field is an `option_spec.option`."""

    @classmethod
    def specs(cls) -> Mapping[str, OptionSpec]:
        """The declarations, by the options' names, in their order."""
        return _specs(cls)  # type: ignore[arg-type]

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """From values as people and files give them; the others are the defaults.

        Raises Motion324Error("bad-option") that names an unknown option, or one whose value cannot be used.
        """
        return cls._read(values, cls.specs())

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """The same from plain JSON, such as a job file or another process gives it."""
        return cls._read(values, {name: spec for name, spec in cls.specs().items() if spec.on_wire})

    @classmethod
    def _read(cls, values: object, known: Mapping[str, OptionSpec]) -> Self:
        if not isinstance(values, Mapping):
            raise bad_option("list", f"is {told(values)}; it must be a JSON object of options and their values")
        for name in values:
            if name not in known:
                raise bad_option(told(name).strip("'"), f"is not known; known are {', '.join(sorted(known))}")
        group = cls(**{name: read_value(known[name], value) for name, value in values.items()})
        group.check_together()
        return group

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for from_dict."""
        return {name: getattr(self, name) for name, spec in self.specs().items() if spec.on_wire}

    def check(self) -> None:
        """Raises Motion324Error("bad-option") where a value is outside of what makes sense."""
        for name, spec in self.specs().items():
            value = getattr(self, name)
            if isinstance(value, str) and spec.kind is not str:
                raise bad_option(spec.told_name, f"is the text {told(value)}; it must be a value")
            read_value(spec, value)
        self.check_together()

    def check_together(self) -> None:
        """Raises Motion324Error("bad-option") where values do not go together."""

    def counts(self, name: str) -> bool:
        """Whether the option is looked at, beside the others as they are."""
        rule = self.specs()[name].counts_with
        return rule is None or getattr(self, rule[0]) in rule[1]

    def files(self) -> dict[str, Path]:
        """The user's files and folders among the options, by the options' names."""
        named = ((name, getattr(self, name), spec.is_file) for name, spec in self.specs().items())
        return {name: Path(text).expanduser() for name, text, is_file in named if is_file is not None and is_file(text)}

    def located(self, folder: Path, only: Container[str] | None = None) -> Self:
        """With relative paths among the options `only` (None: among all) as they are seen from the folder."""
        files = self.files().items()
        found = {name: str(folder / path) for name, path in files if only is None or name in only}
        return dataclasses.replace(self, **found)  # type: ignore[type-var]


@functools.cache
def _specs(cls: type[OptionGroup]) -> Mapping[str, OptionSpec]:
    hints = get_type_hints(cls)
    found = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        kind, optional = _kind_of(hints[field.name])
        spec = field.metadata[SPEC]
        found[field.name] = dataclasses.replace(
            spec, name=field.name, kind=kind, optional=optional, default=field.default
        )
    return found


def _kind_of(hint: Any) -> tuple[type, bool]:
    """float | None -> (float, True)."""
    if get_origin(hint) is tuple:
        return tuple, False
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    return (kinds[0], True) if kinds else (hint, False)
