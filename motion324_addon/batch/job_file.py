"""Reads a job file: what its lines ask for, and what is wrong with them, is known before any work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.input_files import InputFile, check_inputs_stay, inputs_of_job, numbered_lines
from motion324.core.vertex_textures import files_of

from ..scene.showing import turntable
from .batch_item import BatchItem, parse_item


@dataclass(frozen=True)
class Line:
    """number: in the file, from 1. item: None where there is a problem, which is then told."""

    number: int
    text: str
    item: BatchItem | None
    problem: Motion324Error | None = None


def read_job_file(jobs: Path, source: str) -> list[Line]:
    """source: the .blend that Blender has opened, or "".

    Raises Motion324Error("bad-job-file") where the file itself is no use.
    """
    try:
        texts = numbered_lines(jobs)
    except ValueError as error:
        raise _bad_file(jobs, f"cannot be used: {error}", "Correct that, or check its path.") from error
    if not texts:
        raise _bad_file(jobs, "has no items", "Add some.")
    lines: list[Line] = []
    writers: dict[str, int] = {}  # the numbers of lines by the files that they write
    for number, text in texts:
        try:
            item = parse_item(text, jobs.parent)
            check_inputs_of_item(item, source)
            _check_alone(item, number, writers)
        except Motion324Error as error:
            lines.append(Line(number, text, None, error))
        else:
            lines.append(Line(number, text, item))
    return lines


def output_folders(lines: list[Line]) -> list[Path]:
    """Those that the lines write into, each once, whatever links lead there."""
    items = [line.item for line in lines if line.item]
    return sorted({Path(os.path.realpath(path.parent)) for item in items for path in item.outputs.values()})


def check_inputs_of_item(item: BatchItem, source: str) -> None:
    """Raises Motion324Error("overwrites-input")."""
    inputs = inputs_of_job(item.path(item.mesh), item.path(item.video), item.options)
    if source:
        inputs.append(InputFile(".blend with the mesh", Path(source)))
    check_inputs_stay([path for paths in targets_of(item).values() for path in paths], inputs)


def targets_of(item: BatchItem) -> dict[str, list[Path]]:
    """What the item writes, by the names of its outputs."""
    targets = {name: [path] for name, path in item.outputs.items()}
    if "turntable" in targets:
        targets["turntable"] = turntable.files(item.outputs["turntable"], item.start, item.start, item.turntable)
    if "vat" in targets:
        targets["vat"] = list(files_of(item.outputs["vat"], item.vat))
    return targets


def _check_alone(item: BatchItem, number: int, writers: dict[str, int]) -> None:
    """Two lines that write one file would leave the result of only one of them."""
    own: dict[str, Path] = {}
    for name, paths in targets_of(item).items():
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
