"""Knows what Blender calls the add-on, and where it keeps files of its own."""

from __future__ import annotations

from pathlib import Path

import bpy

ADDON = __package__.rpartition(".")[0]  # as Blender knows the add-on


def user_folder(name: str = "") -> Path:
    """A folder of the extension's own for user files, made where it is missing: it survives updates of the extension.

    In Blender's configuration where the code runs from a checkout.
    """
    if ADDON.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ADDON, path=name, create=True))
    return Path(bpy.utils.user_resource("CONFIG", path=str(Path("motion324") / name), create=True))


def log_path() -> Path:
    """The backend's log."""
    return user_folder("logs") / "backend.log"
