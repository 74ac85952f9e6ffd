"""What happens to jobs when files are opened and saved, after undo, and when Blender ends."""

from __future__ import annotations

import atexit

import bpy
from bpy.app.handlers import persistent

from .job import backend
from .job.runner import runner
from .scene import preview


@persistent
def _before_load(*_: object) -> None:
    """What animates this file's objects has no place in the next one."""
    notice = ""
    if runner.state.busy:
        notice = f"The animation of '{runner.state.object_name}' was cancelled, since another file was opened"
        waiting = len(runner.queue)
        notice += f", and {waiting} more that waited." if waiting else "."
        print(f"Motion324: {notice}")
    runner.leave_file(notice)


@persistent
def _settle_previews(*_: object) -> None:
    """A loaded file or undo may bring a preview back that is none any more, and undo take one away that is."""
    preview.settle(runner.previews())


@persistent
def _hide_previews(*_: object) -> None:
    """The file that is written would name a temporary cache, which is gone when it is opened again."""
    preview.settle(())


SETTLING = ("load_post", "undo_post", "redo_post", "save_post", "save_post_fail")


def _at_exit() -> None:
    runner.abandon()
    backend.stop()


def register() -> None:
    bpy.app.handlers.load_pre.append(_before_load)
    bpy.app.handlers.save_pre.append(_hide_previews)
    for name in SETTLING:
        getattr(bpy.app.handlers, name).append(_settle_previews)
    atexit.register(_at_exit)


def unregister() -> None:
    runner.forget_all()
    bpy.app.handlers.load_pre.remove(_before_load)
    bpy.app.handlers.save_pre.remove(_hide_previews)
    for name in SETTLING:
        getattr(bpy.app.handlers, name).remove(_settle_previews)
    atexit.unregister(_at_exit)
