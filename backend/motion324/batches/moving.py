"""Takes an item to a worker that does not see its files, and its outputs back.

What the worker sees is asked, not guessed: an input is the same file there where path, size and time are the same, and
an output's folder is the same one where the lock lies in it with which the batch holds it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motion324.batches.addresses import stood_in
from motion324.batches.job_task import JobTask
from motion324.core.files.exclusive_use import IN_USE
from motion324.core.files.input_files import file_state
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.jobs.job_item import ADDRESS, JobItem, parse_item, read_values, replaced
from motion324.mesh.files.companions import files_of_mesh

CHUNK = 32 << 20  # bytes that travel at once

Put = Callable[[bytes], Any]  # into the cluster's memory -> a reference
Get = Callable[[Any], bytes]


@dataclass(frozen=True)
class Needs:
    """inputs: the states of files and folders by their paths. locks: what those in the folders of outputs and log say,
    by their paths."""

    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """inputs: the paths of those that the worker does not see. outputs: whether it sees all folders of the outputs."""

    lacks: tuple[str, ...] = ()
    outputs: bool = True


@dataclass(frozen=True)
class Parcel:
    """Files on their way: by the paths that they have to have, relative to what `root` stands for, references to their
    bytes in order."""

    files: dict[str, list[Any]] = field(default_factory=dict)


def needs_of(task: JobTask, lock: Path) -> Needs:
    """lock: that of the record, beside which the log is written."""
    item, text = _item(task), read_values(task.text)
    own = [path.parent / IN_USE for name, path in item.outputs.items() if not ADDRESS.match(text["outputs"][name])]
    return Needs(
        {str(path): file_state(path) for path in _inputs(item)}, {str(file): _said(file) for file in (*own, lock)}
    )


def seen_here(needs: Needs) -> Seen:
    """Asked on the worker."""
    lacks = tuple(path for path, state in needs.inputs.items() if file_state(Path(path)) != state)
    return Seen(lacks, all(said and _said(Path(lock)) == said for lock, said in needs.locks.items()))


def packed(path: Path, put: Put) -> Parcel:
    """An input: a file with those that it names, or the files of a folder."""
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else files_of_mesh(path)
    root = path if path.is_dir() else path.parent
    return Parcel({str(file.relative_to(root)): list(_chunks(file, put)) for file in files})


def unpacked(parcel: Parcel, folder: Path, get: Get) -> None:
    """Raises Motion324Error("disk-full", "cannot-write")."""
    for name, chunks in parcel.files.items():
        path = folder / name
        with explained_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(path) as aside, aside.open("wb") as out:
            for chunk in chunks:
                out.write(get(chunk))


def moved(task: JobTask, inputs: dict[str, Path], outputs: Path | None) -> JobTask:
    """The same task with other places: `inputs` by the paths that they had; outputs and log below a folder, where they
    do not stay."""
    item = _item(task)
    values = read_values(task.text)
    by = {}
    for name in ("mesh", "video", "scene"):
        if values.get(name) and (place := inputs.get(str(item.path(values[name])))):
            by[values[name]] = str(place)
    options = dict(values.get("options", {}))
    for name, path in item.options.files().items():
        options[name] = str(inputs.get(str(path), path))
    values = {**replaced(values, by), **({"options": options} if options else {})}
    if outputs is None:
        return dataclasses.replace(task, text=json.dumps(values))
    values["outputs"] = {
        name: text if ADDRESS.match(text) else str(outputs / name / Path(text).name)
        for name, text in values.get("outputs", {}).items()
    }
    return dataclasses.replace(task, text=json.dumps(values), log=outputs / "log.txt")


def outputs_packed(task: JobTask, original: JobTask, put: Put) -> Parcel:
    """What the moved task has left, by the places where the original's belong."""
    files = {}
    here, there, text = _item(task), _item(original), read_values(task.text)
    for name, path in here.outputs.items():
        target = there.outputs[name]
        if ADDRESS.match(text["outputs"][name]):
            continue
        # What lies beside an output, such as a point cache or a texture, belongs to it.
        for file in sorted(each for each in path.parent.rglob("*") if each.is_file()):
            files[str(target.parent / file.relative_to(path.parent))] = list(_chunks(file, put))
    if task.log.is_file():
        files[str(original.log)] = list(_chunks(task.log, put))
    return Parcel(files)


def _item(task: JobTask) -> JobItem:
    return parse_item(stood_in(task.text), task.folder)


def _inputs(item: JobItem) -> Iterator[Path]:
    for each in item.inputs():
        if each.path.exists():
            yield each.path.absolute() if not each.path.is_absolute() else each.path


def _said(lock: Path) -> str:
    try:
        return lock.read_text("utf-8")
    except OSError:
        return ""


def _chunks(file: Path, put: Put) -> Iterator[Any]:
    with file.open("rb") as data:
        while chunk := data.read(CHUNK):
            yield put(chunk)
