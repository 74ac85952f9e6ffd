"""Where the add-on keeps files of its own."""

from __future__ import annotations

from pathlib import Path

import bpy


def log_path() -> Path:
    """The backend's log: in the extension's folder for user files, or Blender's where the code runs from a checkout."""
    if __package__.startswith("bl_ext."):
        folder = bpy.utils.extension_path_user(__package__, path="logs", create=True)
    else:
        folder = bpy.utils.user_resource("CONFIG", path="motion324", create=True)
    return Path(folder) / "backend.log"
