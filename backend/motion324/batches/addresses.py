"""Fetches inputs from, and writes outputs to, places that have addresses, such as s3://bucket/fox.glb, by fsspec."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.owned_folder import OwnedFolder, remove_abandoned
from motion324.core.files.write_aside import explained_write_errors
from motion324.core.jobs.job_item import ADDRESS, addresses_in, read_values, replaced

STAND_IN = Path(tempfile.gettempdir()) / "motion324-elsewhere"  # where nothing ever lies
_SCRATCH = "motion324-elsewhere-"
_PIECE = 8 << 20  # bytes that are sent at once
_TOLD = ("size", "mtime", "LastModified", "updated", "ETag", "etag", "created")  # by what a file's state is known


def stood_in(text: str, folder: Path = STAND_IN) -> str:
    """The line with paths below `folder` in place of its addresses; itself where it has none.

    Raises Motion324Error("bad-item").
    """
    values = read_values(text)
    found = addresses_in(values)
    if not found:
        return text
    return json.dumps(replaced(values, {address: str(_place(address, folder)) for address in found}))


def addresses_of(text: str) -> tuple[list[str], dict[str, str]]:
    """The addresses among a line's inputs, and those of its outputs by their names."""
    values = read_values(text)
    written = {name: path for name, path in (values.get("outputs") or {}).items() if ADDRESS.match(path)}
    return addresses_in({**values, "outputs": {}}), written


@contextlib.contextmanager
def fetched(text: str) -> Iterator[str]:
    """The line with local files in place of its addresses: inputs have been fetched, and outputs are written back when
    the block ends well. Raises Motion324Error("fsspec-missing", "address-unreadable", "cannot-write", "disk-full").
    """
    inputs, outputs = addresses_of(text)
    if not inputs and not outputs:
        yield text
        return
    temporary = Path(tempfile.gettempdir())
    remove_abandoned(_SCRATCH, temporary)  # of workers that were killed
    with explained_write_errors(temporary):
        scratch = OwnedFolder(_SCRATCH, temporary)
    try:
        for address in inputs:
            _fetch(address, _place(address, scratch.path))
        yield stood_in(text, scratch.path)
        for address in outputs.values():
            _write(_place(address, scratch.path), address)
    finally:
        scratch.remove()


def state_of(address: str) -> dict[str, Any]:
    """By what a file elsewhere is known again. Raises Motion324Error("fsspec-missing")."""
    try:
        files, path = _file_system(address)
        info = files.info(path)
    except Motion324Error:
        raise
    except Exception:  # each kind of place has its own
        return {"path": address}
    return {"path": address, **{name: str(info[name]) for name in _TOLD if info.get(name) is not None}}


def size_of(address: str) -> int | None:
    """Bytes; None where there is nothing."""
    size = state_of(address).get("size")
    return int(size) if size is not None else None


def _place(address: str, folder: Path) -> Path:
    return folder / hashlib.sha256(address.encode()).hexdigest()[:12] / PurePosixPath(address).name


def _file_system(address: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise Motion324Error(
            "fsspec-missing",
            f"'{address}' is elsewhere, and the package fsspec, which reads such addresses, is not installed.",
            "Install it: pip install 'motion324[cluster]', and for s3:// and gs:// also s3fs or gcsfs.",
            EXIT_USAGE,
        ) from error
    files, path = fsspec.core.url_to_fs(address)
    return files, path


def _fetch(address: str, place: Path) -> None:
    try:
        files, path = _file_system(address)
        place.parent.mkdir(parents=True, exist_ok=True)
        files.get(path, str(place), recursive=bool(files.isdir(path)))
    except Motion324Error:
        raise
    except Exception as error:
        sentence = f"'{address}' cannot be read: {type(error).__name__}: {error}."
        raise Motion324Error("address-unreadable", sentence, "Check it, and your access to it.", EXIT_USAGE) from error


def _write(place: Path, address: str) -> None:
    """What lies there already stays as it is until all has arrived, also where this process is killed meanwhile."""
    try:
        files, path = _file_system(address)
        with contextlib.suppress(Exception):  # places without folders have none to make
            files.makedirs(path.rpartition("/")[0], exist_ok=True)
        with files.transaction, files.open(path, "wb") as there, place.open("rb") as here:
            shutil.copyfileobj(here, there, _PIECE)
    except Motion324Error:
        raise
    except Exception as error:
        sentence = f"'{address}' cannot be written: {type(error).__name__}: {error}."
        raise Motion324Error("cannot-write", sentence, "Check your access to it.", EXIT_CANNOT_WRITE) from error
