"""Reads the container of PLY (Greg Turk's format of 1994): its header, and its elements as numpy arrays."""

from __future__ import annotations

import re
import struct
import warnings
from array import array
from dataclasses import dataclass, field

import numpy as np

from motion324.core.files.foreign_names import short
from motion324.core.progress import Progress
from motion324.mesh.files.foreign import Damaged

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "float": "f4",
    "double": "f8",
    "float32": "f4",
    "float64": "f8",
}
_CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f4": "f", "f8": "d"}
_HEADER_BYTES = 2**20
_END = re.compile(
    rb"[\r\n][ \t]*end_header[ \t]*(\r\n|\r|\n|$)"
)  # on a line of its own: comments may have the word too
_ROWS_BETWEEN_LOOKS = 50_000
_BLOCK = 2**20
_LONGEST_LIST = 2**22


@dataclass
class Lists:
    """A list property: `values` of all rows, one after the other; row k has values[starts[k]:starts[k + 1]]."""

    values: np.ndarray
    starts: np.ndarray


@dataclass
class Element:
    """What a PLY calls an element: `count` rows, of which the numbers and lists are named."""

    count: int
    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, Lists] = field(default_factory=dict)


@dataclass
class _Property:
    name: str
    kind: str
    count_kind: str = ""  # of a list


@dataclass
class _Header:
    order: str = "<"
    ascii: bool = False
    comments: list[str] = field(default_factory=list)
    elements: list[tuple[str, int, list[_Property]]] = field(default_factory=list)


def read_elements(data: bytes, progress: Progress) -> tuple[dict[str, Element], list[str]]:
    """A PLY file's elements and its comments. Raises ValueError and KeyError for damaged files."""
    header, start = _header(data)
    order = header.order
    if header.ascii:
        # As if it were a binary file all of whose numbers are doubles.
        data, start, order = _numbers(data[start:], progress).tobytes(), 0, "="
        for _, _, properties in header.elements:
            for declared in properties:
                declared.kind, declared.count_kind = "f8", declared.count_kind and "f8"
    elements: dict[str, Element] = {}
    for name, count, properties in header.elements:
        element, start = _element(data, start, order, name, count, properties, progress)
        elements.setdefault(name, element)
    return elements, header.comments


def _header(data: bytes) -> tuple[_Header, int]:
    """The header, and where the body begins."""
    end = _END.search(data, 0, _HEADER_BYTES)
    if not data.startswith(b"ply") or end is None:
        raise Damaged("it has no header of a PLY file")
    header, formatted = _Header(), False
    for line in data[: end.start()].decode("latin-1").splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        if words[0] == "format":
            order = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
            header.order, header.ascii, formatted = order, words[1] == "ascii", True
        elif words[0] in ("comment", "obj_info"):
            header.comments.append(line.strip().encode("latin-1").decode("utf-8", errors="replace"))
        elif words[0] == "element":
            count = int(words[2])
            if count < 0:
                raise Damaged(f"its element '{words[1]}' has {count} rows")
            header.elements.append((words[1], count, []))
        elif words[0] == "property" and words[1] == "list":
            header.elements[-1][2].append(_Property(words[4], _type(words[3]), _type(words[2])))
        elif words[0] == "property":
            header.elements[-1][2].append(_Property(words[2], _type(words[1])))
    if not formatted:
        raise Damaged("its header names no format")
    return header, end.end()


def _type(name: str) -> str:
    if name not in _TYPES:
        raise Damaged(f"its header names the type '{short(name, 20)}', which PLY does not have")
    return _TYPES[name]


def _numbers(text: bytes, progress: Progress) -> np.ndarray:
    """(K,) float64: all numbers of a text, whatever stands between them."""
    found: list[np.ndarray] = [np.zeros(0)]
    start = 0
    while start < len(text):
        cut = start + _BLOCK
        while cut < len(text) and text[cut] not in b" \t\r\n":
            cut += 1
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # numpy's word for text that is no number
            try:
                found.append(np.fromstring(text[start:cut].decode("ascii", errors="replace"), np.float64, sep=" "))
            except DeprecationWarning as error:
                raise Damaged("its text holds something that is no number") from error
        start = cut
        progress("read", 0, 1)
    return np.concatenate(found)


def _element(
    data: bytes, start: int, order: str, name: str, count: int, properties: list[_Property], progress: Progress
) -> tuple[Element, int]:
    element = Element(count)
    smallest = sum(np.dtype(declared.count_kind or declared.kind).itemsize for declared in properties)
    if count * smallest > len(data) - start:
        raise Damaged(f"it ends within its element '{name}'; it is damaged or cut short")
    if not count or not properties:
        return element, start
    if not any(declared.count_kind for declared in properties):
        rows = np.frombuffer(data, _row(order, properties, [0] * len(properties)), count, start)
        element.numbers = {declared.name: rows[f"f{k}"] for k, declared in enumerate(properties)}
        return element, start + count * rows.dtype.itemsize
    return _rows_with_lists(data, start, order, name, element, properties, progress)


def _row(order: str, properties: list[_Property], lengths: list[int]) -> np.dtype:
    """One row whose lists have these lengths; the field "f3" is property 3, "n3" its length where it is a list."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    for k, declared in enumerate(properties):
        if declared.count_kind:
            fields += [(f"n{k}", order + declared.count_kind), (f"f{k}", order + declared.kind, (lengths[k],))]
        else:
            fields.append((f"f{k}", order + declared.kind))
    return np.dtype(fields)


def _rows_with_lists(
    data: bytes, start: int, order: str, name: str, element: Element, properties: list[_Property], progress: Progress
) -> tuple[Element, int]:
    """Rows of the same lengths are read together; which those are is found row by row."""
    kinds, firsts, shapes, end = _walk(data, start, order, name, element.count, properties, progress)
    lengths = np.array(shapes)[kinds]  # (rows, properties)
    starts = {k: np.concatenate([[0], np.cumsum(lengths[:, k])]) for k, one in enumerate(properties) if one.count_kind}
    for k, one in enumerate(properties):
        if one.count_kind:
            element.lists[one.name] = Lists(np.empty(starts[k][-1], np.dtype(one.kind)), starts[k])
        else:
            element.numbers[one.name] = np.empty(element.count, np.dtype(one.kind))
    for kind, shape in enumerate(shapes):
        progress("read", 0, 1)
        here = np.flatnonzero(kinds == kind)
        row = _row(order, properties, list(shape))
        for some in np.array_split(here, 1 + len(here) * row.itemsize // (16 * _BLOCK)):
            gathered = np.frombuffer(data, np.uint8)[firsts[some][:, None] + np.arange(row.itemsize)]
            rows = gathered.reshape(-1).view(row)
            for k, one in enumerate(properties):
                if not one.count_kind:
                    element.numbers[one.name][some] = rows[f"f{k}"]
                elif shape[k]:
                    element.lists[one.name].values[starts[k][some][:, None] + np.arange(shape[k])] = rows[f"f{k}"]
    return element, end


def _walk(
    data: bytes, start: int, order: str, name: str, count: int, properties: list[_Property], progress: Progress
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, ...]], int]:
    """For each row which of the shapes it has and at which byte it begins; the shapes: the lengths of its lists, 0 for
    numbers; and where the element ends."""
    steps = [
        (struct.Struct(order + _CODES[one.count_kind]) if one.count_kind else None, np.dtype(one.kind).itemsize)
        for one in properties
    ]
    known: dict[tuple[int, ...], int] = {}
    kinds, firsts = array("q"), array("q")
    place = start
    for number in range(count):
        if number % _ROWS_BETWEEN_LOOKS == 0:
            progress("read", 0, 1)
        firsts.append(place)
        shape = []
        for counted, size in steps:
            if counted is None:
                place += size
                shape.append(0)
                continue
            if place + counted.size > len(data):
                raise Damaged(f"it ends within its element '{name}'; it is damaged or cut short")
            (length,) = counted.unpack_from(data, place)
            if not 0 <= length <= _LONGEST_LIST or length != int(length):
                raise Damaged(f"a list of its element '{name}' has {length} entries")
            place += counted.size + size * int(length)
            shape.append(int(length))
        kinds.append(known.setdefault(tuple(shape), len(known)))
    if place > len(data):
        raise Damaged(f"it ends within its element '{name}'; it is damaged or cut short")
    return np.array(kinds), np.array(firsts), list(known), place
