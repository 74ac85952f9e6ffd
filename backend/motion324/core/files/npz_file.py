"""Opens a NumPy archive (.npz) of a stranger: what it would unpack to is looked at before memory is taken."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

MOST_BYTES = 8 * 1024**3  # of all arrays together
_FREE = 64 * 1024**2  # bytes that any archive may unpack to
_MOST_RATIO = 100  # of larger ones: arrays of a motion are never so empty


class UnusableArchive(ValueError):
    """Its text says why in words for people."""


@contextlib.contextmanager
def opened_npz(path: Path) -> Iterator[NpzFile]:
    """Its arrays, never pickled ones.

    Raises OSError where it is missing, UnusableArchive where it is none, or would unpack to more than is ever used.
    What reading its arrays raises passes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise UnusableArchive("it is no archive of arrays, or it is damaged") from error
    size = sum(member.file_size for member in members)
    if size > MOST_BYTES or size > max(_FREE, _MOST_RATIO * path.stat().st_size):
        raise UnusableArchive(f"it would unpack to {size / 1e6:,.0f} MB, more than such a file ever holds")
    with np.load(path, allow_pickle=False) as arrays:
        yield arrays
