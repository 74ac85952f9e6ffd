"""Has Blender write whole pictures or none: on a full disk it leaves a part of one, and often says nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, told_full
from motion324.core.inside_blender.operator_words import said_by_operator

_HEAD, _END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xae\x42\x60\x82"
_FULL = 1_000_000  # bytes: a disk with fewer may have had no room for a picture


@contextlib.contextmanager
def whole_picture(path: Path) -> Iterator[None]:
    """For a block that has Blender write a PNG.

    Raises Motion324Error("picture-broken", "disk-full" or "cannot-write") where there is no whole one after it.
    """
    said = "it does not say why"
    try:
        yield
    except RuntimeError as error:  # how operators report their errors
        said = said_by_operator(error)
    with explained_write_errors(path):
        content = path.read_bytes() if path.exists() else b""
        if content.startswith(_HEAD) and content.endswith(_END):
            return
    sentence = f"Blender could not write the picture '{path}': {said}."
    raise told_full(path, said, _FULL) or Motion324Error(
        "picture-broken", sentence, "See Blender's console for details.", EXIT_CANNOT_WRITE
    )
