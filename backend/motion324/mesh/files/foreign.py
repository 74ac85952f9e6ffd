"""Decides how much of everything a mesh file from a stranger may ask for; core.files.foreign_names, which files it may
name.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from motion324.core.errors import Motion324Error
from motion324.core.progress import Progress
from motion324.mesh.checks import bad_mesh

MOST_MESH_BYTES = 2 * 1024**3  # of a mesh file, and of each buffer that a .gltf names
MOST_IMAGE_BYTES = 256 * 1024**2
MOST_MATERIAL_BYTES = 16 * 1024**2  # of an .mtl
MOST_HEADER_VALUES = 2**23  # of a glTF file's JSON; a node has some twenty
MOST_VERTICES = 2**24
MOST_TRIANGLES = 2**25
MOST_POLYGON_CORNERS = 10_000
MOST_NODES = 2**18  # of a glTF scene, instances among them
MOST_NUMBERS = 2**29  # that all accessors of a glTF file give together, those that are read twice twice

_BLOCK = 4 * 1024**2


class Damaged(ValueError):
    """Its text says in words for people what is wrong with a file, which libraries' errors do not."""


def read_regular(path: Path, most: int, progress: Progress) -> bytes:
    """A regular file's content, in pieces between which progress is called.

    Raises Motion324Error("mesh-not-a-file") for pipes, devices and folders, ("mesh-too-large") for more than `most`
    bytes; OSError where it is missing or cannot be read.
    """
    # Without O_NONBLOCK, opening a pipe waits for who writes into it.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    if not path.is_file() and path.exists():
        raise _not_a_file(path)
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _not_a_file(path)
        return _content(file, path, most, progress)


def _content(file: IO[bytes], path: Path, most: int, progress: Progress) -> bytes:
    content = bytearray()
    while block := file.read(min(_BLOCK, most + 1 - len(content))):
        content += block
        progress("read", 0, 1)
        if len(content) > most:
            raise bad_mesh(
                "mesh-too-large",
                f"The file '{path}' has more than {most / 1024**2:,.0f} MB, the most that is read of such a file.",
                "Reduce it in a modelling program and export it again.",
            )
    return bytes(content)


def _not_a_file(path: Path) -> Motion324Error:
    return bad_mesh(
        "mesh-not-a-file",
        f"'{path}' is no regular file but a pipe, a device or a folder, and is not read.",
        "Put a file with that name there, and try again.",
    )


def check_counts(path: Path, vertices: int = 0, triangles: int = 0) -> None:
    """Raises Motion324Error("mesh-too-large") where a file declares more than is ever used, before memory is taken."""
    for count, most, what in ((vertices, MOST_VERTICES, "vertices"), (triangles, MOST_TRIANGLES, "triangles")):
        if count > most:
            raise too_much(path, f"{count:,} {what}", f"{most:,}")


def too_much(path: Path, what: str, most: str) -> Motion324Error:
    """For the error of a file that asks for more of something than `most`."""
    return bad_mesh(
        "mesh-too-large",
        f"The mesh file '{path}' asks for {what}; at most {most} are read.",
        "Reduce it in a modelling program (in Blender: the modifier Decimate) and export it again.",
    )
