"""Tells what the chosen video is, as far as Blender itself can tell: read once and remembered, never while drawing.

`facts_of` answers at once, with None while a timer still has to look. Opening a video for its header takes 10 to 30 ms.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.core.files.input_files import images_in

from ..runner_base.runner import is_background, redraw_sidebars
from ..ui.phrases import phrase

PICTURES_FPS = 24.0  # that the backend assumes for a folder of pictures
FRESH_SECONDS = 3.0  # after which the file is looked at again, since it may have been replaced


@dataclass(frozen=True)
class VideoFacts:
    """frames: that the file promises. size: width and height in pixels; (0, 0) for a folder, which is not opened.

    thumbnail: the file whose picture shows it. problem: why it cannot be used, "" if nothing is known against it.
    note: why frames and size are not known (0), though the backend may be able to use it.
    """

    frames: int = 0
    fps: float = 0.0
    size: tuple[int, int] = (0, 0)
    thumbnail: str = ""
    problem: str = ""
    note: str = ""


@dataclass
class _Entry:
    """What was found at a look at a file whose time stamp was `stamp`."""

    facts: VideoFacts
    stamp: int
    looked_at: float


_known: dict[str, _Entry] = {}
_asked: set[str] = set()


def facts_of(video: str) -> VideoFacts | None:
    """video: as the settings have it. None for no video, and while it is not known yet; then the sidebar is redrawn.

    In the background, where nobody waits for a window and no timers run, the file is looked at here and now.
    """
    if not video:
        return None
    if lies_beside_nothing(video):
        return VideoFacts(problem=phrase("'{path}' lies beside the .blend: save that first", path=video))
    path = bpy.path.abspath(video)
    entry = _known.get(path)
    if entry is None or time.monotonic() - entry.looked_at > FRESH_SECONDS:
        _asked.add(path)
        if is_background():
            _look()
            return _known[path].facts
        if not bpy.app.timers.is_registered(_look):
            bpy.app.timers.register(_look, first_interval=0.0)
    return entry.facts if entry else None


def lies_beside_nothing(path: str) -> bool:
    """Whether it is relative to the .blend (as //fox.mp4), which has not been saved and lies nowhere."""
    return path.startswith("//") and not bpy.data.filepath


def read_facts(path: Path) -> VideoFacts:
    """Looks at the file or folder now. Never raises: what is wrong is told by `problem`."""
    try:
        if path.is_dir():
            return _read_folder(path)
        if not path.is_file():
            return VideoFacts(problem=phrase("There is no file '{path}'", path=path.name))
    except OSError as error:
        return VideoFacts(problem=phrase("'{path}' cannot be read: {why}", path=path.name, why=error.strerror))
    return _read_movie(path)


def forget() -> None:
    """Drops what is known, and the timer that would look at more."""
    _known.clear()
    _asked.clear()
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)


def _look() -> None:
    changed = False
    while _asked:
        path = _asked.pop()
        stamp, before = _stamp(Path(path)), _known.get(path)
        if before is not None and before.stamp == stamp:
            before.looked_at = time.monotonic()
            continue
        _known[path] = _Entry(read_facts(Path(path)), stamp, time.monotonic())
        changed = True
    if changed:
        redraw_sidebars()


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _read_movie(path: Path) -> VideoFacts:
    try:
        clip = bpy.data.movieclips.load(str(path))
    except RuntimeError:
        return _unknown(path)
    try:
        if clip.source != "MOVIE" or not clip.frame_duration or not clip.size[0]:
            return _unknown(path)
        return VideoFacts(clip.frame_duration, clip.fps, tuple(clip.size), str(path))
    finally:
        bpy.data.movieclips.remove(clip)


def _unknown(path: Path) -> VideoFacts:
    return VideoFacts(note=phrase("Blender cannot read '{path}' as a video", path=path.name))


def _read_folder(path: Path) -> VideoFacts:
    pictures = images_in(path)
    if not pictures:
        return VideoFacts(problem=phrase("The folder '{path}' has no pictures", path=path.name))
    return VideoFacts(len(pictures), PICTURES_FPS, thumbnail=str(pictures[0]))
