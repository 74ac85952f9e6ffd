"""What the installation does when the add-on is switched on, and when it or Blender ends."""

from __future__ import annotations

import atexit

import bpy

from ..ui.window import is_background
from .runner import runner

FIRST_LOOK_SECONDS = 1.0  # after the start, when Blender's window stands


def _look() -> None:
    """Where something is to be installed, the panel wants to say how large that will be."""
    if not runner.look().ready:
        runner.look_at_machine()


def register() -> None:
    if not is_background():
        bpy.app.timers.register(_look, first_interval=FIRST_LOOK_SECONDS, persistent=True)  # other files may be opened
    atexit.register(runner.abandon)


def unregister() -> None:
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    runner.abandon()
    atexit.unregister(runner.abandon)
