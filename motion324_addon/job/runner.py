"""Carries out the effects of a job: starts its worker, brings its events to Blender's main thread, shows the preview.

In a window a timer drains the events; in `blender -b`, where timers do not run, `run_blocking` does.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.errors import EXIT_USAGE, Cancelled, Motion324Error
from motion324.options import AnimateOptions
from motion324.protocol import AnimateRequest

from .. import storage
from ..scene import mesh_reading, preview, timing
from ..scene.animation import Animation, Target
from ..scene.joining import JointReading, read_objects
from .state import (
    CancelAsked,
    Discarded,
    Effect,
    Event,
    Failed,
    JobState,
    Kept,
    Phase,
    Started,
)
from .transitions import advance
from .worker import Work, Worker, problem_of

log = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks at the events
BUDGET = 0.02  # seconds that a look may take


@dataclass(frozen=True)
class Order:
    """What the user asked for. start: the scene's frame of the first result frame; mode: see scene.timing.

    python: the Python of the backend's environment. when_done: called on the main thread with the animation.
    others: objects that are animated together with `obj`, as one.
    """

    obj: bpy.types.Object
    video: Path
    options: AnimateOptions
    python: Path
    start: float
    mode: str = timing.KEEP_FRAMES
    others: tuple[bpy.types.Object, ...] = ()
    when_done: Callable[[Animation], None] | None = None

    @property
    def objects(self) -> tuple[bpy.types.Object, ...]:
        return (self.obj, *self.others)

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.obj.name} and {len(self.others)} more" if self.others else self.obj.name


class Runner:
    """The one job of this Blender. Everything but the worker's `post` is called on the main thread."""

    def __init__(self) -> None:
        self.state = JobState()
        self.animations: tuple[Animation, ...] = ()  # one per object, once the job is done
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._order: Order | None = None
        self._reading: JointReading | None = None
        self._worker: Worker | None = None
        self._folder: Path | None = None
        self._timer = self._tick  # Blender knows a timer by its object, and `self._tick` is a new one each time

    @property
    def animation(self) -> Animation | None:
        """That of the first object, where a result waits."""
        return self.animations[0] if self.animations else None

    def start(self, order: Order) -> None:
        """Begins the job; `state` and `animation` tell how it goes. Raises Motion324Error where it cannot begin."""
        self._prepare(order)
        self._dispatch(self._started())
        if not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=TICK, persistent=True)

    def run_blocking(self, order: Order, watch: Callable[[JobState], None]) -> Animation:
        """Does the job and returns its animation. watch(state) is called after each event, and every half second.

        Raises the Motion324Error that ended the job; an exception of `watch`, or Ctrl-C, cancels it.
        """
        self._prepare(order)
        self._dispatch(self._started())
        try:
            while self.state.busy:
                with contextlib.suppress(queue.Empty):
                    self._dispatch(self._events.get(timeout=0.5))
                watch(self.state)
        except BaseException:
            self.cancel_and_wait()
            raise
        if self.state.problem is not None:
            raise self.state.problem.to_error()
        if self.animation is None:
            raise Cancelled()
        return self.animation

    def cancel(self) -> None:
        self._dispatch(CancelAsked())

    def cancel_and_wait(self, seconds: float = 5.0) -> None:
        """Cancels, and returns when the job has ended or the time is over."""
        self.cancel()
        deadline = time.monotonic() + seconds
        while self.state.busy and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                self._dispatch(self._events.get(timeout=0.1))

    def kept(self, animations: Iterable[Animation] | None = None) -> None:
        """To be called when these animations (None: all) have been made part of the .blend."""
        if not self._left_without(animations):
            self._dispatch(Kept())

    def discard(self, animations: Iterable[Animation] | None = None) -> None:
        """Takes these previews (None: all) away, or the message of a failure."""
        if not self._left_without(animations):
            self._dispatch(Discarded())
            return
        for animation in animations or ():
            _hide_preview(animation.target)
        redraw()

    def _left_without(self, animations: Iterable[Animation] | None) -> bool:
        """Forgets these (None: all) and tells whether others still wait."""
        gone = self.animations if animations is None else tuple(animations)
        left = tuple(waiting for waiting in self.animations if not any(waiting is each for each in gone))
        if left:
            self.animations = left
        return bool(left)

    def leave_file(self) -> None:
        """To be called before another file is opened: what runs is cancelled, what waits is forgotten."""
        if self.state.busy:
            self.cancel_and_wait()
        self.discard()

    def abandon(self) -> None:
        """To be called when Python ends: stops the worker, and touches no data of Blender's, which may be gone."""
        self._stop_timer()
        if self._worker is not None:
            self._worker.stop()
            self._worker.join()

    def _prepare(self, order: Order) -> None:
        if self.state.busy:
            sentence = f"'{self.state.object_name}' is being animated."
            raise Motion324Error("job-running", sentence, "Wait until it is done, or cancel it.", EXIT_USAGE)
        for obj in order.objects:
            mesh_reading.checked_object(obj)
        if self.state.phase is Phase.DONE:
            self.discard()  # before the mesh is read, since the preview would be part of its pose
        self._reading = read_objects(order.objects, order.start)
        self._order = order

    def _started(self) -> Started:
        return Started(self._order.name, self._order.video.name, time.monotonic(), warnings=self._reading.warnings)

    def _tick(self) -> float | None:
        deadline = time.monotonic() + BUDGET
        with contextlib.suppress(queue.Empty):
            while time.monotonic() < deadline:
                self._dispatch(self._events.get_nowait())
        if self.state.busy:
            redraw()  # the elapsed time goes on
            return TICK
        return None

    def _dispatch(self, event: Event) -> None:
        self.state, effects = advance(self.state, event)
        for effect in effects:
            try:
                self._carry_out(effect)
            except Exception as error:
                log.exception("the effect %s failed", effect)
                self._stop_work()
                self._dispatch(Failed(self.state.number, problem_of(error), time.monotonic()))
                return
        if not self.state.busy:
            self._stop_timer()

    def _stop_timer(self) -> None:
        """A timer that is left over keeps a process from ending that has Blender as a module."""
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)

    def _carry_out(self, effect: Effect) -> None:
        if effect is Effect.START_WORK:
            self._start_work()
        elif effect is Effect.STOP_WORK:
            self._stop_work()
        elif effect is Effect.SHOW_PREVIEW:
            fitted = self._fit(self.state.frames_ready, self._order.options.fps)
            self._show(self._worker.work.preview_paths, fitted)
        elif effect is Effect.REFRESH_PREVIEW:
            for member in self._reading.members:
                obj = member.target.find()
                if obj is not None:
                    preview.refresh(obj)
        elif effect is Effect.SHOW_RESULT:
            self._show_result()
        elif effect is Effect.HIDE_PREVIEW:
            for member in self._reading.members if self._reading else ():
                _hide_preview(member.target)
        elif effect is Effect.FORGET_RESULT:
            self._forget()
        elif effect is Effect.REDRAW:
            redraw()

    def _start_work(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="motion324-job-", dir=bpy.app.tempdir))
        request = AnimateRequest.of(self._reading.mesh, self._order.video, self._order.options)
        work = Work(
            number=self.state.number,
            request=request,
            shares=self._reading.shares,
            python=self._order.python,
            log_path=storage.log_path(),
            folder=self._folder,
            wants_preview=not is_background(),
        )
        self._worker = Worker(work, self._events.put)
        self._worker.start()

    def _stop_work(self) -> None:
        if self._worker is not None:
            self._worker.stop()

    def _show_result(self) -> None:
        result, reading = self._worker.result, self._reading
        fitted = self._fit(len(result.positions), result.fps)
        self.animations = tuple(
            Animation(
                target=member.target,
                topology=member.topology,
                positions=positions,
                timing=fitted,
                frame_numbers=result.frame_numbers,
                fps=result.fps,
                view=result.view,
                report=result.report,
                space=reading.space,
                video=self._order.video,
            )
            for member, positions in zip(reading.members, self._worker.positions, strict=True)
        )
        if self._worker.work.wants_preview:
            self._show(self._worker.work.result_paths, fitted)
        if self._order.when_done is not None:
            self._order.when_done(self.animations[0])

    def _fit(self, count: int, fps: float | None) -> timing.Timing:
        scene = bpy.context.scene
        return timing.fit(scene, self._order.start, count, fps or timing.scene_fps(scene), self._order.mode)

    def _show(self, paths: tuple[Path, ...], fitted: timing.Timing) -> None:
        for member, path in zip(self._reading.members, paths, strict=True):
            obj = member.target.find()
            if obj is not None:
                preview.show(obj, path, fitted)

    def _forget(self) -> None:
        self.animations, self._worker = (), None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _hide_preview(target: Target) -> None:
    obj = target.find()
    if obj is not None:
        preview.hide(obj)


def is_background() -> bool:
    """Whether nobody looks: then frames are not shown before the result."""
    return bpy.app.background


def redraw() -> None:
    """Has the sidebars of all 3D views drawn again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


runner = Runner()
