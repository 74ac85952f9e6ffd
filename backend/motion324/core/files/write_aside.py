"""Writes files that appear whole or not at all: beside their place under another name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator, Set
from pathlib import Path

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.files.owned_folder import UNFINISHED

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TOLD = 120  # letters of a path
_ASIDE = re.compile(r"\.(?P<stem>.+)\.\d+\.unfinished(?P<suffix>(\.[^.]*)?)")
_LONGEST_NAME = 255  # bytes, on most file systems
_LONGEST_LETTER = 4  # bytes
_OF_A_PATH = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EIO)


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Gives the name to write to; when the block ends well, that file takes the place of `path` in one step.

    The other name lies in the same folder and keeps the suffix, since writers choose their format by it.
    When the block fails, the unfinished file is removed and `path` stays as it was.
    Raises Motion324Error("disk-full" or "cannot-write") instead of the system's own errors.
    """
    aside = path.with_name(_aside_name(path))
    try:
        with explained_write_errors(path):
            yield aside
            aside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _aside_name(path: Path) -> str:
    """No longer than a name may be, however long that of the file is."""
    rest = f".{os.getpid()}.unfinished{path.suffix}"
    stem = path.stem
    while stem and len(os.fsencode(f".{stem}{rest}")) > _LONGEST_NAME:
        stem = stem[:-1]
    return f".{stem}{rest}"


def remove_unfinished(folder: Path, paths: Set[Path]) -> None:
    """Takes away what processes that were killed while they wrote `paths`, files in `folder`, have left there. For whom
    nobody else writes these."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            found = _ASIDE.fullmatch(entry.name)
            if found and (folder / f"{found['stem']}{found['suffix']}" in paths or _is_cut(entry.name, found, paths)):
                with contextlib.suppress(OSError):
                    entry.unlink()


def _is_cut(name: str, found: re.Match[str], paths: Set[Path]) -> bool:
    """Whether that is the aside name of one of the paths, whose own name was too long for it."""
    if len(os.fsencode(name)) <= _LONGEST_NAME - _LONGEST_LETTER:
        return False
    return any(path.suffix == found["suffix"] and path.stem.startswith(found["stem"]) for path in paths)


@contextlib.contextmanager
def explained_write_errors(path: Path) -> Iterator[None]:
    """Turns an OSError of the block into a Motion324Error that names `path` and says what to do."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> Motion324Error:
    """The error for people behind a system error that happened while `path`, or a file aside of it, was written."""
    if found := _ASIDE.fullmatch(path.name):
        path = path.with_name(f"{found['stem']}{found['suffix']}")
    path = Path(*(part for part in path.parts if not part.startswith(UNFINISHED)))
    if is_out_of_space(error):
        return _full(f"The disk has no room for '{path}'.")
    reason = error.strerror or str(error)
    return Motion324Error(
        "cannot-write",
        f"'{path}' could not be written: {reason[:1].lower()}{reason[1:]}.",
        "Choose a folder that you may write to.",
        EXIT_CANNOT_WRITE,
    )


def system_error(error: BaseException) -> Motion324Error | None:
    """The error for people behind a system error that nobody caught where it happened; None where it says nothing about
    a path or a disk, and is a defect."""
    if not isinstance(error, OSError):
        return None
    path = str(error.filename or "")
    if is_out_of_space(error):  # where a library writes, such as numba's cache
        return write_error(Path(path), error) if path else _full("A disk has no room left for what is written.")
    if not path or error.errno not in _OF_A_PATH:
        return None
    told = path if len(path) <= _TOLD else f"{path[:_TOLD]}..."
    reason = error.strerror or str(error)
    return Motion324Error(
        "cannot-open", f"'{told}' cannot be used: {reason[:1].lower()}{reason[1:]}.", "Check that path.", EXIT_USAGE
    )


def _full(sentence: str) -> Motion324Error:
    hint = "Free some space, or choose a folder on another disk."
    return Motion324Error("disk-full", sentence, hint, EXIT_CANNOT_WRITE)


def told_full(path: Path, why: str, needed: int = 100_000) -> Motion324Error | None:
    """Where another program has not written `path` and says why: the error for people, if that was a full disk.

    needed: bytes; a disk with less room than that is full, whatever the program says.
    """
    full = write_error(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    if any(f"[Errno {number}]" in why or os.strerror(number) in why for number in _FULL):
        return full
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < needed:
            return full
    return None


def is_out_of_space(error: OSError) -> bool:
    """The disk is full, a quota is used up, or the file system has no larger files."""
    return error.errno in _FULL
