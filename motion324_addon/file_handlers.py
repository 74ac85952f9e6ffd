"""What happens to a job when another file is opened, after undo, and when Blender ends."""

from __future__ import annotations

import atexit

import bpy
from bpy.app.handlers import persistent

from .job import backend
from .job.runner import runner
from .scene import preview


@persistent
def _before_load(*_: object) -> None:
    if runner.state.busy:
        print(f"Motion324: the animation of '{runner.state.object_name}' was cancelled, since another file is opened.")
    runner.leave_file()


@persistent
def _after_change(*_: object) -> None:
    """A loaded file, or undo, may bring a preview back whose cache is gone."""
    preview.hide_stale()


CHANGES = ("load_post", "undo_post", "redo_post")


def _at_exit() -> None:
    runner.abandon()
    backend.stop()


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)
    for name in CHANGES:
        getattr(bpy.app.handlers, name).append(_after_change)
    atexit.register(_at_exit)


def unregister() -> None:
    runner.leave_file()
    bpy.app.handlers.load_pre.remove(_before_load)
    for name in CHANGES:
        getattr(bpy.app.handlers, name).remove(_after_change)
    atexit.unregister(_at_exit)
