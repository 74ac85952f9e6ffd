"""Reads lists of jobs, one JSON object a line, from files that people write with all kinds of editors."""

from __future__ import annotations

import codecs
from pathlib import Path

_OTHER_CODINGS = ((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines that say something, and their numbers from 1; not empty ones, nor those that begin with #.

    A byte order mark before UTF-8 is passed over. Only line feeds end a line: JSON's texts may hold the other
    characters that Python takes for ends of lines.
    Raises ValueError, which says why the file cannot be read and what helps.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror or error}") from error
    for mark, name in _OTHER_CODINGS:
        if data.startswith(mark):
            raise ValueError(f"it is written in {name}; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise ValueError(f"line {number} is not UTF-8; save it as UTF-8") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]
