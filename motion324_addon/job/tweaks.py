"""Changes results that wait, and those that were kept once, without the engine: as soon as a setting of theirs moves.

The settings are the object's (settings/tweak_settings.py). What is computed is computed on a thread, and shown as the
preview of a result that waits; a kept one waits again for that, so that keeping it replaces what is there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.core.errors import Motion324Error
from motion324.core.files.point_cache import Pc2Writer, read_pc2
from motion324.core.files.write_aside import written_aside
from motion324.core.motion.tweak import Tweak

from ..runner_base.runner import is_background, redraw_sidebars
from ..runner_base.state import problem_of
from ..scene.playing import takes
from ..scene.playing.animation import Animation
from ..scene.playing.point_cache import Preview
from . import shown_tweak
from .runner import runner

log = logging.getLogger(__name__)

TICK = 0.05  # seconds between two looks at whether something is wanted or done
AT_ONCE = 16  # frames that are written at once


@dataclass(frozen=True)
class _Done:
    """The files of a tweaked result are written."""

    number: int
    animations: tuple[Animation, ...]
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _Reopened:
    """A kept take was read, changed and written. before: what had been changed of it when it was kept."""

    animation: Animation
    path: Path
    before: Tweak


_wanted: dict[int, Tweak] = {}  # by the session_uid of an object
_had: dict[int, list[Tweak]] = {}  # what the result of a job has been, which undo may bring back
_busy = False
_count = 0  # of files, so that each has a name of its own
_came: queue.SimpleQueue[_Done | _Reopened | Exception] = queue.SimpleQueue()
problem = ""  # why the last change could not be made, for people


def wish(obj: bpy.types.Object, tweak: Tweak) -> None:
    """Has the object's result, and those that were found together with it, changed like this, at once or soon."""
    if shown_tweak.is_quiet():
        return
    _wanted[obj.session_uid] = tweak
    if is_background():
        _tick()
        if problem:
            raise Motion324Error("tweak-impossible", problem)
    elif not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=TICK)


def reopen(obj: bpy.types.Object, identifier: str = "", shown: bool = True) -> int:
    """Has a take of the object wait again, the kept one without an identifier; returns its number as a job.

    shown: whether the object's settings show what was changed of it.
    Raises Motion324Error("take-gone") where there is none, or it cannot be read.
    """
    known = {take.identifier: take for take in takes.takes_of(obj)}
    take = known.get(identifier) if identifier else takes.shown_take(obj)
    if take is None:
        sentence = f"'{obj.name}' has no take that could be changed."
        raise Motion324Error("take-gone", sentence, "Animate it again.")
    animation = takes.read(obj, take)
    folder = Path(tempfile.mkdtemp(prefix="motion324-take-", dir=bpy.app.tempdir))
    mapped = _written(animation.changed(take.tweak), folder)
    previews = () if is_background() else (Preview(animation.target, mapped[1], mapped[0].timing),)
    number = runner.adopt([mapped[0]], previews, folder)
    if shown:
        shown_tweak.show(mapped[0])
    return number


def follow_undo() -> None:
    """To be called after undo and redo: a result that waits becomes what its object's settings are now, where it has
    been that before; else they were another result's, and show its own again.
    """
    for job in runner.results:
        for animation in runner.animations_of(job.number):
            obj = animation.target.find()
            if obj is None:
                continue
            asked, shown = shown_tweak.asked_of(obj), shown_tweak.in_full(animation)
            if shown_tweak.is_like(asked, shown):
                continue
            if any(shown_tweak.is_like(asked, each) for each in _had.get(job.number, ())):
                wish(obj, asked)
            else:
                shown_tweak.show(animation)


def _tick() -> float | None:
    global _busy, problem
    with contextlib.suppress(queue.Empty):
        done = _came.get_nowait()
        _busy = False
        if isinstance(done, Exception):
            problem = problem_of(done).sentence
            redraw_sidebars()
        elif isinstance(done, _Reopened):
            _adopt(done)
        else:
            _take(done)
    if not _busy and _wanted:
        uid, tweak = _wanted.popitem()
        try:
            _begin(uid, tweak)
        except Motion324Error as error:
            problem = str(error)
            redraw_sidebars()
    return TICK if _busy or _wanted else None


def _begin(uid: int, tweak: Tweak) -> None:
    global _busy, problem
    obj = next((each for each in bpy.data.objects if each.session_uid == uid), None)
    if obj is None:
        return
    problem = ""
    job = runner.result_of(obj)
    if job is None and not is_background():
        _begin_kept(obj, tweak)
        return
    if job is None and takes.shown_take(obj) is None:
        return
    number = job.number if job else reopen(obj, shown=False)
    animations = runner.animations_of(number)
    folder = runner.folder_of(number)
    if folder is None or all(shown_tweak.is_like(shown_tweak.in_full(each), tweak) for each in animations):
        return
    _had.setdefault(number, [shown_tweak.in_full(animations[0])]).append(tweak)
    if is_background():
        _work(number, animations, tweak, folder)
        done = _came.get_nowait()
        if isinstance(done, Exception):
            raise done
        _take(done)
        return
    _busy = True
    arguments = (number, animations, tweak, folder)
    threading.Thread(target=_work, args=arguments, name="motion324 tweak", daemon=True).start()


def _begin_kept(obj: bpy.types.Object, tweak: Tweak) -> None:
    """A long take is not read on Blender's main thread."""
    global _busy
    take = takes.shown_take(obj)
    if take is None:
        return
    _busy = True
    folder = Path(tempfile.mkdtemp(prefix="motion324-take-", dir=bpy.app.tempdir))
    arguments = (takes.reader(obj, take), take.tweak, tweak, folder)
    threading.Thread(target=_work_on_kept, args=arguments, name="motion324 tweak", daemon=True).start()


def _work_on_kept(read: Callable[[], Animation], before: Tweak, tweak: Tweak, folder: Path) -> None:
    """On a thread of its own, which MUST NOT TOUCH BPY."""
    try:
        found = read()
        was = shown_tweak.in_full(dataclasses.replace(found, tweak=before))
        _came.put(_Reopened(*_written(found.changed(tweak), folder), was))
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        _tell(error)


def _tell(error: Exception) -> None:
    if not isinstance(error, Motion324Error):
        log.exception("a result could not be changed", exc_info=error)
    _came.put(error)


def _adopt(done: _Reopened) -> None:
    """Has it wait, unless its object is gone, or something else waits on that by now."""
    animation, folder = done.animation, done.path.parent
    obj = animation.target.find()
    shown = takes.shown_take(obj)
    if obj is None or runner.result_of(obj) is not None or shown is None or shown.identifier != animation.take:
        shutil.rmtree(folder, ignore_errors=True)
        return
    number = runner.adopt([animation], [Preview(animation.target, done.path, animation.timing)], folder)
    _had[number] = [done.before, animation.tweak]
    if animation.target.uid not in _wanted:
        shown_tweak.show(animation)


def _work(number: int, animations: Sequence[Animation], tweak: Tweak, folder: Path) -> None:
    """On a thread of its own, which MUST NOT TOUCH BPY."""
    try:
        changed = [_written(each.changed(tweak), folder) for each in animations]
        _came.put(_Done(number, tuple(each for each, _ in changed), tuple(path for _, path in changed)))
    except Exception as error:
        _tell(error)


def _written(animation: Animation, folder: Path) -> tuple[Animation, Path]:
    """The animation with its positions in a file, from which they are mapped, and that file."""
    global _count
    _count += 1
    path = folder / f"tweak{_count}.pc2"
    positions = animation.positions
    with written_aside(path) as aside, Pc2Writer(aside, positions.shape[1]) as writer:
        for first in range(0, len(positions), AT_ONCE):
            writer.append(positions[first : first + AT_ONCE])
    return dataclasses.replace(animation, positions=read_pc2(path).positions), path


def _take(done: _Done) -> None:
    previews = [
        Preview(animation.target, path, animation.timing)
        for animation, path in zip(done.animations, done.paths, strict=True)
        if not is_background()
    ]
    runner.replace(done.number, done.animations, previews)
    for animation in done.animations:
        if animation.target.uid not in _wanted:
            shown_tweak.show(animation)


def forget() -> None:
    """Drops what is wanted, and the timer; to be called when the add-on goes."""
    _wanted.clear()
    _had.clear()
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
