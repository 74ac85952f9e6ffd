"""Decides what a mesh file from a stranger may do: which other files it may name, and how much of everything it may ask
for.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
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
# Names that Windows gives to devices in every folder, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"} | {
    port + digit for port in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"
}


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


def file_beside(owner: Path, name: str) -> Path:
    """The file that `owner` calls `name`: one beside or below itself, whether it exists or not.

    The name is taken as it stands: who reads a URI unquotes it first. Backslashes separate folders, as on Windows.
    Raises Motion324Error("mesh-names-outside") for absolute names, drives, addresses, "..", Windows' devices, and
    links that lead elsewhere.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    why = ""
    if not parts:
        why = "names no file"
    elif parts[0].startswith("/"):
        why = "is an absolute path"
    elif ".." in parts:
        why = "leads out of its folder"
    elif any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        why = "is no name that a file can have"
    elif ":" in name:
        why = "is an address, a drive or a stream"
    elif any(part.split(".")[0].strip().lower() in _DEVICES for part in parts):
        why = "is the name of a device"
    if why:
        raise _outside(owner, name, why)
    folder = owner.parent
    path = folder.joinpath(*parts)
    try:
        leads_out = not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself, or a name that is too long
        leads_out = True
    if leads_out:
        raise _outside(owner, name, "is a link that leads out of its folder")
    return path


def _outside(owner: Path, name: str, why: str) -> Motion324Error:
    return bad_mesh(
        "mesh-names-outside",
        f"The file '{owner}' names the file '{short(name)}', which {why}; only files beside or below itself are read.",
        "Put the file beside it and name it without a path, or export a .glb, which holds everything.",
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


def short(text: str, most: int = 80) -> str:
    """A name from a file for a message: printable, and not longer than `most` letters."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return shown if len(text) <= most else shown[: most - 3] + "..."
