"""Decides which other files a mesh file from a stranger may name."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

# Names that Windows gives to devices in every folder, with any suffix.
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"} | {
    port + digit for port in ("com", "lpt") for digit in "0123456789\u00b9\u00b2\u00b3"
}


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
    return Motion324Error(
        "mesh-names-outside",
        f"The file '{owner}' names the file '{short(name)}', which {why}; only files beside or below itself are read.",
        "Put the file beside it and name it without a path, or export a .glb, which holds everything.",
        EXIT_BAD_MESH,
    )


def short(text: str, most: int = 80) -> str:
    """A name from a file for a message: printable, and not longer than `most` letters."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[: most + 1])
    return shown if len(text) <= most else shown[: most - 3] + "..."
