"""Decides what happens to jobs when files are opened and saved, after undo, and when Blender ends."""

from __future__ import annotations

import atexit

import bpy
from bpy.app.handlers import persistent

from motion324.core.errors import Motion324Error

from ..scene.playing import point_cache, takes
from . import backend, tweaks
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
        name, waiting = runner.state.object_name, len(runner.queue)
        one = f"the animation of '{name}' was cancelled"
        lost.append(f"the animation of '{name}' and {waiting} more that waited were cancelled" if waiting else one)
    if len(runner.results) == 1:
        lost.append(f"the result of '{runner.results[0].object_name}' was forgotten")
    elif runner.results:
        lost.append(f"{len(runner.results)} results were forgotten")
    return f"Another file was opened: {', and '.join(lost)}." if lost else ""


@persistent
def _settle_previews(*_: object) -> None:
    """A loaded file or undo may bring a preview back that is none any more, and undo take one away that is."""
    point_cache.settle_previews(runner.previews())


_tokens: dict[int, str] = {}


@persistent
def _before_undo(*_: object) -> None:
    _tokens.clear()
    _tokens.update(runner.tokens_now())


@persistent
def _after_undo(*_: object) -> None:
    """Undo of Keep brings the result back that waited, and redo keeps it again."""
    runner.follow_undo(_tokens)
    tweaks.follow_undo()
    _settle_previews()


@persistent
def _hide_previews(*_: object) -> None:
    """The file that is written would name a temporary cache, which is gone when it is opened again."""
    point_cache.settle_previews(())


@persistent
def _bring_takes(*_: object) -> None:
    try:
        takes.bring_files()
    except (Motion324Error, OSError) as error:
        print(f"Motion324: the file of a take could not be brought beside the .blend: {error}")


HANDLERS = {
    "load_post": (_after_load, _settle_previews),
    "save_pre": (_hide_previews,),
    "save_post": (_settle_previews, _bring_takes),
    "save_post_fail": (_settle_previews,),
    "undo_pre": (_before_undo,),
    "redo_pre": (_before_undo,),
    "undo_post": (_after_undo,),
    "redo_post": (_after_undo,),
}


def _at_exit() -> None:
    runner.abandon()
    backend.stop()


def register() -> None:
    for name, handlers in HANDLERS.items():
        getattr(bpy.app.handlers, name).extend(handlers)
    atexit.register(_at_exit)


def unregister() -> None:
    runner.forget_all()
    for name, handlers in HANDLERS.items():
        for handler in handlers:
            getattr(bpy.app.handlers, name).remove(handler)
    atexit.unregister(_at_exit)
