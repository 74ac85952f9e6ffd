"""The add-on's preferences: where the backend lives."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from motion324.errors import EXIT_BACKEND, Motion324Error

VARIABLE = "MOTION324_BACKEND_PYTHON"


class Motion324Preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    backend_python: bpy.props.StringProperty(
        name="Backend Python",
        description="The Python of the environment in which the motion324 backend is installed, "
        "such as .venv/bin/python of a checkout",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "backend_python")
        if not self.backend_python:
            chosen = os.environ.get(VARIABLE)
            text = f"From {VARIABLE}: {chosen}" if chosen else "Choose the Python in which the backend is installed"
            layout.label(text=text, icon="INFO" if chosen else "ERROR")


def backend_python() -> Path:
    """The Python that the user chose, or the environment's. Raises Motion324Error("backend-not-chosen")."""
    path = _chosen_path()
    if path:
        return Path(path)
    raise Motion324Error(
        "backend-not-chosen",
        "The add-on does not know where the motion324 backend is installed.",
        f"Choose its Python in Preferences > Add-ons > Motion324, or set {VARIABLE}.",
        EXIT_BACKEND,
    )


def is_backend_chosen() -> bool:
    return bool(_chosen_path())


def _chosen_path() -> str:
    addon = bpy.context.preferences.addons.get(__package__)
    chosen = addon.preferences.backend_python if addon and addon.preferences else ""
    return bpy.path.abspath(chosen) if chosen else os.environ.get(VARIABLE, "")
