"""What happens to a job when another file is opened, and when Blender ends."""

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
def _after_load(*_: object) -> None:
    preview.hide_stale()


def _at_exit() -> None:
    runner.abandon()
    backend.stop()


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.load_post.append(_after_load)
    atexit.register(_at_exit)


def unregister() -> None:
    runner.leave_file()
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.app.handlers.load_post.remove(_after_load)
    atexit.unregister(_at_exit)
