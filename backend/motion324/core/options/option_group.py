"""Groups options that belong together in a frozen dataclass whose fields declare them, and reads their values by these
declarations.

The reading is the one place where types, bounds, choices and lengths are checked, whether a value was typed, read from
a file, sent by another process, or chosen in Blender.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Container, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.option_spec import SPEC, OptionSpec

MAX_LETTERS = 4096  # of a text; the longest path that Linux takes
MAX_PART = 255  # bytes of one name in a path, on all common file systems
MAX_FRAME = 2**53  # beyond which JSON's readers in other languages round
_TOLD = 80  # letters of a wrong value that a sentence repeats


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


def read_value(spec: OptionSpec, value: object) -> Any:
    """The value, as the option has it: "1.5" of a smoothing is 1.5, and "0:60:2" of frames is (0, 60, 2).

    Raises Motion324Error("bad-option") that names the option and says what it may be.
    """
    if value is None and spec.optional:
        return None
    return _READERS[spec.kind](spec, value)


def bad_option(name: str, why: str) -> Motion324Error:
    return Motion324Error("bad-option", f"The option {name} {why}.", exit_code=EXIT_USAGE)


def told(value: object) -> str:
    """The value for a sentence about it, cut where it is long."""
    if isinstance(value, Integral) and abs(int(value)) >= 10**_TOLD:
        return f"a number of more than {_TOLD} digits"
    text = f"'{value}'" if isinstance(value, str | Path) else repr(value)
    return text if len(text) <= _TOLD else f"{text[:_TOLD]}..."


def _wrong(spec: OptionSpec, value: object, must: str) -> Motion324Error:
    return bad_option(spec.told_name, f"is {told(value)}; it must {must}")


def _text(spec: OptionSpec, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(spec, value, "be a text")
    if len(value) > MAX_LETTERS:
        raise bad_option(spec.told_name, f"has {len(value)} letters; it must have at most {MAX_LETTERS}")
    if "\0" in value:
        raise bad_option(spec.told_name, f"is {told(value.replace(chr(0), '?'))}; it must be a text without zero bytes")
    if not value and spec.default:
        raise bad_option(spec.told_name, "is empty; leave it out, or give it a value")
    if spec.is_file is not None and spec.is_file(value):
        _check_parts(spec, value)
    if not spec.choices or value in spec.values:
        return value
    if spec.also is None:
        raise _wrong(spec, value, f"be one of {', '.join(spec.values)}")
    try:
        spec.also(value)
    except ValueError as error:
        raise bad_option(spec.told_name, str(error)) from None
    return value


def _check_parts(spec: OptionSpec, path: str) -> None:
    """A longer name in a path is an error of the system, wherever it is looked at first."""
    for part in Path(path).parts:
        if len(part.encode("utf-8", "surrogatepass")) > MAX_PART:
            raise _wrong(spec, path, f"be a path whose names have at most {MAX_PART} bytes")


def _path(spec: OptionSpec, value: object) -> Path:
    text = _text(spec, str(value) if isinstance(value, Path) else value)
    _check_parts(spec, text)
    return Path(text)


def _flag(spec: OptionSpec, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(spec, value, "be true or false")
    return value


def _whole(spec: OptionSpec, value: object) -> int:
    number = _as_whole(value)
    if number is None:
        raise _wrong(spec, value, "be a whole number")
    return int(_within(spec, number))


def _number(spec: OptionSpec, value: object) -> float:
    whole = _as_whole(value)
    if whole is not None:
        return float(_within(spec, whole))  # looked at before it becomes a float, for which it may be too large
    try:
        number = float(value) if _is_real(value) or isinstance(value, str) else None  # type: ignore[arg-type]
    except ValueError:
        number = None
    if number is None:
        raise _wrong(spec, value, "be a number")
    return float(_within(spec, number))


def _within(spec: OptionSpec, number: float) -> float:
    """Raises for NaN and infinities, too."""
    low = -math.inf if spec.low is None else spec.low
    high = math.inf if spec.high is None else spec.high
    is_inside = (low < number if spec.above_low else low <= number) and number <= high
    if is_inside and -1e300 < number < 1e300:
        return number
    raise _wrong(spec, number, _bounds(spec) or "be a finite number")


def _bounds(spec: OptionSpec) -> str:
    """What a number must do; "" where it has no bounds."""
    if spec.low is not None and spec.high is not None and not spec.above_low:
        return f"lie between {spec.low} and {spec.high}"
    low = None if spec.low is None else f"{'above' if spec.above_low else 'at least'} {spec.low}"
    high = None if spec.high is None else f"at most {spec.high}"
    words = " and ".join(part for part in (low, high) if part)
    return f"be {words}" if words else ""


def _frames(spec: OptionSpec, value: object) -> tuple[int | None, int | None, int]:
    """A slice: (start, stop, step), or "A:B:STEP" with any part left out; the step must be 1 or more."""
    parts: Sequence[object] = ()
    if isinstance(value, str):
        parts = value.split(":") if value else ("", "")
        parts = [part or None for part in (*parts, "")[:3]] if 2 <= len(parts) <= 3 else ()
    elif isinstance(value, list | tuple):
        parts = value
    whole = [None if part is None else _as_whole(part) for part in parts]
    if len(whole) != 3 or any(part is not None and number is None for part, number in zip(parts, whole, strict=True)):
        raise _wrong(spec, value, "be A:B or A:B:STEP, as in 0:60:2 or 10:")
    if any(number is not None and abs(number) > MAX_FRAME for number in whole):
        raise _wrong(spec, value, f"be made of numbers up to {MAX_FRAME}")
    start, stop, step = whole
    if step is not None and step < 1:
        raise bad_option(spec.told_name, f"has the step {step}; it must be at least 1")
    return start, stop, 1 if step is None else step


def _as_whole(value: object) -> int | None:
    """None where it is no whole number."""
    try:
        if isinstance(value, str):
            return int(value)
        if _is_real(value) and (isinstance(value, Integral) or float(value).is_integer()):  # type: ignore[arg-type]
            return int(value)  # type: ignore[call-overload]
    except ValueError:
        pass
    return None


def _is_real(value: object) -> bool:
    """Also of numpy's types, but not True and False."""
    return isinstance(value, Real) and not isinstance(value, bool)


_READERS: dict[type, Callable[[OptionSpec, object], Any]] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _flag,
    Path: _path,
    tuple: _frames,
}
