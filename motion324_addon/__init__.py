"""Motion324 for Blender: animates a mesh after a video of the same thing moving."""

from __future__ import annotations

import bpy

from . import operators, panels
from .installation import lifetime
from .job import backend, file_handlers
from .settings import properties
from .settings.preferences import Motion324Preferences
from .ui import menu


def register() -> None:
    bpy.utils.register_class(Motion324Preferences)
    properties.register()
    operators.register()
    panels.register()
    menu.register()
    file_handlers.register()
    lifetime.register()


def unregister() -> None:
    lifetime.unregister()
    file_handlers.unregister()
    backend.stop()
    menu.unregister()
    panels.unregister()
    operators.unregister()
    properties.unregister()
    bpy.utils.unregister_class(Motion324Preferences)
