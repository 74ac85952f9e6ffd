"""Saves the .blend that is open; where that fails, the one that was there before is there again."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors, told_full
from motion324.core.inside_blender.operator_words import said_by_operator

from . import export_size, proof

BLEND = 2_000_000  # bytes of a .blend's own that nobody estimates
# What is left of a full disk in Blender's sentence, by the time that it says why it did not save.
_NO_REASONS = ("Success", "No such file or directory", "Inappropriate ioctl", "Unknown error", "what was written")


def save(path: Path, backup: bool = True) -> None:
    """backup: whether a file that is there becomes a .blend1, as Blender does it.

    Raises Motion324Error("disk-full" or "cannot-write"); what was there before is there then.
    """
    settings = bpy.context.preferences.filepaths
    versions = settings.save_version
    proof.reserve(path, path.with_name(f".{path.name}.{os.getpid()}.reserved"), export_size.of_blend())
    try:
        with given_back(path):
            if not backup:
                settings.save_version = 0
            bpy.ops.wm.save_as_mainfile(filepath=str(path), check_existing=False)
            proof.check_whole(path)
    except (RuntimeError, proof.Broken, OSError) as error:
        why = said_by_operator(error) if isinstance(error, RuntimeError) else str(error)
        if isinstance(error, proof.Broken):
            why = f"what was written {why}"
        raise unsaved(path, why, export_size.of_blend()) from error
    finally:
        settings.save_version = versions


@contextlib.contextmanager
def given_back(path: Path) -> Iterator[None]:
    """For a writer that takes no other name: where the block fails, the file that was there before is there again."""
    before = path.with_name(f".{path.name}.{secrets.token_hex(4)}.before")
    there = path.is_file()
    try:
        if there:
            with explained_write_errors(path):
                try:
                    os.link(path, before)  # takes no room; Blender's own saving puts a new file in the place
                except OSError:
                    shutil.copyfile(path, before)
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                if there:
                    before.replace(path)
                else:
                    path.unlink()
            raise
    finally:
        with contextlib.suppress(OSError):
            before.unlink()


def unsaved(path: Path, why: str, size: int) -> Motion324Error:
    """The error for a .blend that Blender has not saved. why: what it says. size: bytes that it has at least."""
    if why.startswith(_NO_REASONS):
        if full := told_full(path, why, round(proof.MARGIN * size) + BLEND):
            return full
        why = "Blender gives no reason, which often is a full disk"
    return Motion324Error(
        "cannot-write", f"'{path}' could not be saved: {why}.", "Choose another folder.", EXIT_CANNOT_WRITE
    )
