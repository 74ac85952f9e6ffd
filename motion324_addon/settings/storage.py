"""Where the add-on keeps files of its own."""

from __future__ import annotations

from pathlib import Path

import bpy


def user_folder(name: str = "") -> Path:
    """A folder of the extension's own for user files, made where it is missing: it survives updates of the extension.

    In Blender's configuration where the code runs from a checkout.
    """
    if __package__.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(__package__, path=name, create=True))
    return Path(bpy.utils.user_resource("CONFIG", path=str(Path("motion324") / name), create=True))


def log_path() -> Path:
    """The backend's log."""
    return user_folder("logs") / "backend.log"
