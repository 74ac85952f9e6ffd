"""Shows the picture of the frame that a job begins with in the sidebar: a short-lived program of the backend's makes
it.

Blender's own previews of videos show whichever frame it likes, but the mesh has to have the pose of the first used one.
Decoding takes long for large videos, so it happens in another process. Where none can be started, as with a backend on
another machine, there is no picture, and the caller shows Blender's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import Motion324Error

from ..job.backend import Local
from ..runner_base.runner import is_background, redraw_sidebars
from ..settings import preferences
from . import thumbnails

log = logging.getLogger(__name__)

NAME = "first frame"  # of the picture among the thumbnails
TICK = 0.1  # seconds between two looks at whether it has come
LIMIT = 20.0  # seconds that it may take


@dataclass(frozen=True)
class _Wish:
    """Frame `number` of a video file, as it was when its time stamp was `stamp`."""

    video: str
    stamp: int
    number: int


_shown: _Wish | None = None  # what the picture shows
_failed: _Wish | None = None  # what cannot be shown
_wanted: _Wish | None = None  # what was asked for last
_busy: _Wish | None = None
_came: queue.SimpleQueue[tuple[_Wish, np.ndarray | None]] = queue.SimpleQueue()


def icon_of(video: str, number: int) -> int:
    """The icon of frame `number` of the video at this absolute path, or meanwhile of another frame of it; 0 where there
    is none. Answers at once; the sidebars are drawn again when the picture comes.
    """
    global _wanted
    try:
        wish = _Wish(video, Path(video).stat().st_mtime_ns, number)
    except OSError:
        return 0
    if wish not in (_shown, _failed):
        _wanted = wish
        if not is_background() and not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=0.0)
    fits = _shown is not None and (_shown.video, _shown.stamp) == (wish.video, wish.stamp)
    return thumbnails.icon_of(NAME) if fits and wish != _failed else 0


def forget() -> None:
    """Drops what is known, and the timer that waits for more."""
    global _shown, _failed, _wanted
    _shown = _failed = _wanted = None
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    """Takes what has come, and begins what was asked for last: one at a time, whatever was asked for in between."""
    global _shown, _failed, _wanted, _busy
    with contextlib.suppress(queue.Empty):
        wish, pixels = _came.get_nowait()
        _busy = None
        if pixels is None:
            _failed = wish
        else:
            thumbnails.keep_pixels(NAME, pixels)
            _shown = wish
        redraw_sidebars()
    if _wanted in (_shown, _failed):
        _wanted = None
    if _busy is None and _wanted is not None:
        wish, _wanted = _wanted, None
        command = _command(wish)
        if command is not None:
            _busy = wish
            threading.Thread(target=_work, args=(wish, command), name="motion324 first frame", daemon=True).start()
    return TICK if _busy is not None else None


def _command(wish: _Wish) -> list[str] | None:
    with contextlib.suppress(Motion324Error):
        where = preferences.connection()
        if isinstance(where, Local):
            return [str(where.python), "-s", "-P", "-m", "motion324.video.thumbnail", wish.video, str(wish.number)]
    return None


def _work(wish: _Wish, command: list[str]) -> None:
    """On a thread of its own, which MUST NOT TOUCH BPY."""
    pixels = None
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            env={**os.environ, "PYTHONUTF8": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        if done.returncode == 0:
            pixels = _pixels(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log.info("no picture of frame %d of '%s': %s", wish.number, wish.video, error)
    _came.put((wish, pixels))


def _pixels(told: bytes) -> np.ndarray:
    """See motion324.video.thumbnail -> (H, W, 4) float32 in [0, 1], row 0 on top. Raises ValueError."""
    size, _, colours = told.partition(b"\n")
    width, height = map(int, size.split())
    return np.frombuffer(colours, np.uint8).reshape(height, width, 4).astype(np.float32) / 255
