"""Decides what happens to jobs when files are opened and saved, after undo, and when Blender ends."""

from __future__ import annotations

import atexit

import bpy
from bpy.app.handlers import persistent

from ..scene.playing import point_cache
from . import backend
from .runner import runner


@persistent
def _after_load(*_: object) -> None:
    """What animated the last file's objects has no place in this one. Not earlier: where none opens, the last stays."""
    notice = _notice()
    if notice:
        print(f"Motion324: {notice}")
    runner.leave_file(notice)


def _notice() -> str:
    """What is lost now that another file is open, in one sentence; "" for nothing."""
    lost = []
    if runner.state.busy:
        waiting = len(runner.queue)
        more = f" and {waiting} more that waited were" if waiting else " was"
        lost.append(f"the animation of '{runner.state.object_name}'{more} cancelled")
    if len(runner.results) == 1:
        lost.append(f"the result of '{runner.results[0].object_name}' was forgotten")
    elif runner.results:
        lost.append(f"{len(runner.results)} results were forgotten")
    return f"Another file was opened: {', and '.join(lost)}." if lost else ""


@persistent
def _settle_previews(*_: object) -> None:
    """A loaded file or undo may bring a preview back that is none any more, and undo take one away that is."""
    point_cache.settle_previews(runner.previews())


@persistent
def _hide_previews(*_: object) -> None:
    """The file that is written would name a temporary cache, which is gone when it is opened again."""
    point_cache.settle_previews(())


SETTLING = ("load_post", "undo_post", "redo_post", "save_post", "save_post_fail")


def _at_exit() -> None:
    runner.abandon()
    backend.stop()


def register() -> None:
    bpy.app.handlers.load_post.append(_after_load)
    bpy.app.handlers.save_pre.append(_hide_previews)
    for name in SETTLING:
        getattr(bpy.app.handlers, name).append(_settle_previews)
    atexit.register(_at_exit)


def unregister() -> None:
    runner.forget_all()
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_hide_previews)
    for name in SETTLING:
        getattr(bpy.app.handlers, name).remove(_settle_previews)
    atexit.unregister(_at_exit)
