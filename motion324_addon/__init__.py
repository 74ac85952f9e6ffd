"""Motion324 for Blender: animates a mesh after a video of the same thing moving."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import bpy


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's collector of garbage, which would look through all that Blender holds while this is imported:
    a quarter of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


with _uncollected():
    from . import operators, panels
    from .installation import runner as installation
    from .job import backend, doubt_view, file_handlers
    from .settings import pins, properties, rig_settings, tweak_settings
    from .settings.preferences import Motion324Preferences
    from .ui import guide, languages, menu, pin_marks, status_bar


def register() -> None:
    languages.register()
    bpy.utils.register_class(Motion324Preferences)
    properties.register()
    rig_settings.register()
    pins.register()
    tweak_settings.register()
    operators.register()
    panels.register()
    menu.register()
    status_bar.register()
    guide.register()
    pin_marks.register()
    file_handlers.register()
    doubt_view.register()
    installation.register()


def unregister() -> None:
    installation.unregister()
    doubt_view.unregister()
    file_handlers.unregister()
    backend.stop()
    pin_marks.unregister()
    guide.unregister()
    status_bar.unregister()
    menu.unregister()
    panels.unregister()
    operators.unregister()
    tweak_settings.unregister()
    pins.unregister()
    rig_settings.unregister()
    properties.unregister()
    bpy.utils.unregister_class(Motion324Preferences)
    languages.unregister()
