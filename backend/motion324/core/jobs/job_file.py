"""Reads a job file: what its lines ask for, and what is wrong with them, is known before any work."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.input_files import check_inputs_stay, numbered_lines
from motion324.core.files.write_aside import write_error
from motion324.core.jobs.job_item import JobItem, parse_item


@dataclass(frozen=True)
class Line:
    """number: in the file, from 1. item: None where there is a problem, which is then told."""

    number: int
    text: str
    item: JobItem | None
    problem: Motion324Error | None = None


def numbered_jobs(jobs: Path) -> list[tuple[int, str]]:
    """Its lines and their numbers. Raises Motion324Error("bad-job-file") where the file itself is no use."""
    try:
        texts = numbered_lines(jobs)
    except ValueError as error:
        raise _bad_file(jobs, f"cannot be used: {error}", "Correct that, or check its path.") from error
    if not texts:
        raise _bad_file(jobs, "has no items", "Add some.")
    return texts


def read_lines(texts: Iterable[tuple[int, str]], folder: Path, opened: str = "") -> list[Line]:
    """texts: lines and their numbers. opened: the .blend that Blender has opened, or ""."""
    lines: list[Line] = []
    writers: dict[str, int] = {}  # the numbers of lines by the files that they write
    for number, text in texts:
        try:
            item = parse_item(text, folder)
            check_inputs_of(item, opened)
            check_places(item)
            check_alone(item, number, writers)
        except Motion324Error as error:
            lines.append(Line(number, text, None, error))
        else:
            lines.append(Line(number, text, item))
    return lines


def output_folders(items: Iterable[JobItem]) -> list[Path]:
    """Those that the items write into, each once, whatever links lead there."""
    return sorted({Path(os.path.realpath(path.parent)) for item in items for path in item.outputs.values()})


def check_inputs_of(item: JobItem, opened: str = "") -> None:
    """Raises Motion324Error("overwrites-input")."""
    check_inputs_stay([path for paths in item.targets().values() for path in paths], item.inputs(opened))


def check_places(item: JobItem) -> None:
    """Outputs whose names are too long, below a file, or a folder's already, could only fail after the work.

    Raises Motion324Error("cannot-write").
    """
    for name, paths in item.targets().items():
        for path in paths:
            try:
                is_folder = stat.S_ISDIR(path.stat().st_mode)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise write_error(path, error) from error
            if is_folder and name != "turntable":
                raise write_error(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))


def check_alone(item: JobItem, number: int, writers: dict[str, int]) -> None:
    """Two lines that write one file would leave the result of only one of them. Adds the item's to the writers.

    Raises Motion324Error("output-twice").
    """
    own: dict[str, Path] = {}
    for name, paths in item.targets().items():
        for path in paths:
            key = os.path.normcase(os.path.realpath(path))
            if key in writers or key in own:
                also = f"as line {writers[key]} does" if key in writers else "twice"
                raise Motion324Error(
                    "output-twice",
                    f"The output '{name}' of line {number} of the job file writes '{path}' {also}.",
                    "Give one of them another name.",
                    EXIT_USAGE,
                )
            own[key] = path
    writers.update(dict.fromkeys(own, number))


def _bad_file(jobs: Path, why: str, hint: str) -> Motion324Error:
    return Motion324Error("bad-job-file", f"The job file '{jobs}' {why}.", hint, EXIT_USAGE)
