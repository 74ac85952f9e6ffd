"""Knows the files that a job reads: they are never replaced by what it writes, and are known again while nobody changes
them.

Images of a folder come in natural order, frame_2 before frame_10; lists of jobs, one JSON object a line, may have been
written with all kinds of editors. Needs the standard library only.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.options.animate_options import AnimateOptions

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_OTHER_CODINGS = ((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


@dataclass(frozen=True)
class InputFile:
    """kind: how people know it, such as "video". path: of a file, or of a folder of images."""

    kind: str
    path: Path


def inputs_of_job(mesh: Path | None, video: Path, options: AnimateOptions) -> list[InputFile]:
    """What a job reads. mesh: None where it comes from no file."""
    inputs = [InputFile("video", video)]
    if mesh is not None:
        inputs.append(InputFile("mesh", mesh))
    kinds = {"mask": "masks"}
    return inputs + [InputFile(kinds.get(name, name), path) for name, path in options.files().items()]


def check_inputs_stay(targets: Iterable[Path], inputs: Iterable[InputFile]) -> None:
    """Raises Motion324Error("overwrites-input") where a file that is to be written is one of the inputs.

    Whether it is the same file is asked of the file system, which knows links, relative paths, and whether case counts.
    An image in a folder of images counts as well, also a new one, since it would become one of them.
    """
    known = list(inputs)
    for target in targets:
        for each in known:
            if _is_same(target, each.path) or _is_image_of(target, each.path):
                raise Motion324Error(
                    "overwrites-input",
                    f"'{target}' would overwrite the {each.kind} '{each.path}'.",
                    "Choose another name or folder.",
                    EXIT_CANNOT_WRITE,
                )


def _is_image_of(target: Path, folder: Path) -> bool:
    return target.suffix.lower() in IMAGE_SUFFIXES and folder.is_dir() and _is_same(target.parent, folder)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there, or is no path at all
        return False


def file_state(path: Path) -> dict[str, Any]:
    """Where a file lies, how large it is, and when it was changed; for a folder, of the files in it."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        states = [file.stat() for file in files]
    except OSError:
        return {"path": str(path.resolve())}
    return {
        "path": str(path.resolve()),
        "files": len(files),
        "bytes": sum(state.st_size for state in states),
        "changed": max((state.st_mtime_ns for state in states), default=0),
    }


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order; other files are left alone. Raises OSError."""
    return sorted((file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_order)


def natural_order(file: Path) -> list[tuple[int, int, str]]:
    """A sort key: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", file.name.lower())
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts if part]


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
