"""Carries out the effects of the jobs: starts workers, brings their events to Blender's main thread, shows previews.

In a window a timer drains the events; in `blender -b`, where timers do not run, `run_blocking` does. Nothing here takes
long: reading goes in steps, and whatever needs no bpy is the worker's.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import bpy

from motion324.errors import EXIT_USAGE, Cancelled, Motion324Error

from .. import storage
from ..scene import mesh_reading, preview, timing
from ..scene.animation import Animation
from ..scene.joining import read_objects_in_steps
from . import estimate
from .job_files import remove_when_ended
from .order import Job, Order
from .state import (
    CancelAsked,
    Discarded,
    Do,
    Effect,
    Event,
    Expected,
    Failed,
    FileLeft,
    FramesCame,
    FromWorker,
    Jobs,
    JobState,
    Kept,
    Ordered,
    Restarted,
    Unqueued,
)
from .transitions import advance
from .worker import Work, Worker, problem_of

log = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks at the events
READING_TICK = 0.01  # between two steps of reading
BUDGET = 0.01  # seconds after which a look takes up nothing more


class Runner:
    """The jobs of this Blender: one runs, others wait, results wait to be kept.

    Everything but the workers' `post` is called on the main thread.
    """

    def __init__(self) -> None:
        self.jobs = Jobs()
        self._held: dict[int, Job] = {}
        self._events: queue.SimpleQueue[tuple[Work, FromWorker]] = queue.SimpleQueue()
        self._timer = self._tick  # Blender knows a timer by its object, and `self._tick` is a new one each time

    @property
    def state(self) -> JobState:
        """The job to show: the one that runs, or else the one that ended last."""
        return self.jobs.shown

    @property
    def queue(self) -> tuple[JobState, ...]:
        """The jobs that wait for the one that runs, the next one first."""
        return self.jobs.queue

    @property
    def results(self) -> tuple[JobState, ...]:
        """The jobs whose results wait to be kept or discarded; `animations_of` has them."""
        return self.jobs.results

    @property
    def failures(self) -> tuple[JobState, ...]:
        """The jobs that failed or lost their backend; `restart` does one again, `dismiss` closes its message."""
        return self.jobs.failures

    @property
    def animations(self) -> tuple[Animation, ...]:
        """All that wait to be kept, the newest job's last; a job of several objects has one for each."""
        return tuple(animation for job in self.results for animation in self.animations_of(job.number))

    @property
    def animation(self) -> Animation | None:
        """That of the active object, or else the newest job's first; None where none waits."""
        active = bpy.context.view_layer.objects.active if bpy.context.view_layer else None
        newest = self.animations_of(self.results[-1].number) if self.results else ()
        own = (each for each in self.animations if active is not None and each.target.uid == active.session_uid)
        return next(own, newest[0] if newest else None)

    def animations_of(self, number: int) -> tuple[Animation, ...]:
        job = self._held.get(number)
        return job.animations if job else ()

    def result_of(self, obj: bpy.types.Object | None) -> JobState | None:
        """The job whose result waits on this object."""
        return next((job for job in self.results if obj is not None and obj.session_uid in job.objects), None)

    def waiting(self, name: str = "", number: int = 0) -> tuple[Animation, ...]:
        """The animations that wait to be kept: the one of the object of that name; or all of the job of that number; or
        all of the job that the active object belongs to, or else of the newest.

        Raises Motion324Error("no-result").
        """
        if name:
            found = tuple(each for each in self.animations if name in (each.target.name, _name_now(each)))
        else:
            found = self.animations_of(number) if number else self._with(self.animation)
        if not found:
            sentence = f"No result waits for '{name}'." if name else "There is no result to keep."
            raise Motion324Error("no-result", sentence, "Animate it first.", EXIT_USAGE)
        return found

    def start(self, order: Order) -> int:
        """Begins the job, or puts it behind those that run and wait; returns its number.

        Raises Motion324Error where it cannot be done: "already-animating", or what reading the mesh raises.
        """
        number = self._accept(order)
        if not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=READING_TICK, persistent=True)
        return number

    def run_blocking(self, order: Order, watch: Callable[[JobState], None]) -> Animation:
        """Does the job and returns its (first object's) animation. watch(state) is called after each event, and every
        half second.

        Raises the Motion324Error that ended the job; an exception of `watch`, or Ctrl-C, cancels it.
        """
        if self.jobs.busy:
            sentence = f"'{self.state.object_name}' is being animated."
            raise Motion324Error("job-running", sentence, "Wait until it is done, or cancel it.", EXIT_USAGE)
        number = self._accept(order)
        try:
            self._held[number].read_all()
            self._start_ready()
            while self.jobs.busy:
                with contextlib.suppress(queue.Empty):
                    self._take(*self._events.get(timeout=0.5))
                watch(self.state)
        except BaseException:
            self.cancel()
            raise
        ended = self.jobs.get(number)
        if ended is not None and ended.problem is not None:
            raise ended.problem.to_error()
        if not self.animations_of(number):
            raise Cancelled()
        return self.animations_of(number)[0]

    def cancel(self) -> None:
        """Ends the job that runs, at once; the next one that waits starts."""
        self._dispatch(CancelAsked(time.monotonic()))

    def unqueue(self, index: int) -> None:
        """Takes a job out of `queue`. Raises Motion324Error("not-queued") where there is none at that place."""
        if not 0 <= index < len(self.queue):
            raise Motion324Error("not-queued", f"No job waits at place {index}.", exit_code=EXIT_USAGE)
        self._dispatch(Unqueued(self.queue[index].number))

    def restart(self, number: int) -> None:
        """Does a job again that failed: the same mesh in the same pose, the same video, the same options."""
        self._dispatch(Restarted(number, time.monotonic()))
        if not bpy.app.background and not bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.register(self._timer, first_interval=READING_TICK, persistent=True)

    def kept(self, animations: Iterable[Animation] | None = None) -> None:
        """To be called when these animations (None: those of `waiting()`) have been made part of the .blend."""
        for number, objects in self._owners(animations):
            self._dispatch(Kept(number, objects))

    def discard(self, animations: Iterable[Animation] | None = None) -> None:
        """Takes these previews away. None: those of `waiting()`, and the message of `state`."""
        for number, objects in self._owners(animations):
            self._dispatch(Discarded(number, objects))
        if animations is None and not self.state.busy:
            self.dismiss(self.state.number)

    def dismiss(self, number: int) -> None:
        """Forgets a job that has ended, with its result or its message."""
        self._dispatch(Discarded(number))

    def forget_all(self) -> None:
        """Cancels what runs, forgets what waits, and takes all previews away."""
        self.leave_file()
        self.dismiss(self.state.number)

    def leave_file(self, notice: str = "") -> None:
        """To be called before another file is opened: all is cancelled or forgotten; notice tells it, for `state`."""
        self._dispatch(FileLeft(time.monotonic(), notice))

    def previews(self) -> list[preview.Preview]:
        """What is shown on objects now."""
        return [shown for job in self._held.values() for shown in job.previews]

    def abandon(self) -> None:
        """To be called when Python ends: stops the workers, and touches no data of Blender's, which may be gone."""
        for job in self._held.values():
            if job.worker is not None:
                job.worker.stop()
                remove_when_ended(job.worker, job.folder, wait=True)

    def _accept(self, order: Order) -> int:
        """What can be wrong with the objects is noticed here, before anything has changed."""
        for obj in order.objects:
            mesh_reading.checked_object(obj)
        objects = tuple(obj.session_uid for obj in order.objects)
        other = self.jobs.occupied(objects)
        if other is not None:
            doing = "is being animated" if other.busy else "already waits to be animated"
            sentence = f"'{other.object_name}' {doing}."
            raise Motion324Error("already-animating", sentence, "Wait until it is done, or cancel it.", EXIT_USAGE)
        for animation in self.animations:  # before the mesh is read: the preview would be part of its pose
            if animation.target.uid in objects:
                self.discard([animation])
        job = Job(order, read_objects_in_steps(order.objects, order.start))
        job.read_on()
        number = self.jobs.newest + 1
        self._held[number] = job
        self._dispatch(Ordered(order.name, order.video.name, objects, time.monotonic()))
        return number

    def _tick(self) -> float | None:
        if bpy.app.is_job_running("RENDER"):
            return TICK  # the renderer reads what events would change
        deadline = time.monotonic() + BUDGET
        with contextlib.suppress(queue.Empty):
            while time.monotonic() < deadline:
                self._take(*self._events.get_nowait())
        self._refresh_previews()
        reading = self._read_on(deadline)
        if not self.jobs.busy and not reading:
            return None
        redraw()  # the elapsed time goes on
        return READING_TICK if reading else TICK

    def _read_on(self, deadline: float) -> bool:
        """Goes on with the first reading that is not done; returns whether any is left."""
        for number, job in list(self._held.items()):
            try:
                while job.steps is not None and time.monotonic() < deadline:
                    job.read_on()
            except Exception as error:
                job.steps = None
                self._fail(number, error)
        self._start_ready()
        return any(job.steps is not None for job in self._held.values())

    def _take(self, work: Work, event: FromWorker) -> None:
        """Events of a worker that was stopped, and may post one more, are dropped."""
        job = self._held.get(work.number)
        if job is None or job.worker is None or job.worker.work is not work:
            return
        if isinstance(event, FramesCame):
            job.changed_from = event.first if job.changed_from is None else min(job.changed_from, event.first)
        self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        self.jobs, effects = advance(self.jobs, event)
        for do in effects:
            try:
                self._carry_out(do)
            except Exception as error:
                self._fail(do.number, error)
        if any(do.effect in (Effect.HIDE_PREVIEW, Effect.FORGET) for do in effects):
            preview.settle(self.previews())  # copies of the objects have the modifier, too
        if not self.jobs.busy and not any(job.steps is not None for job in self._held.values()):
            self._stop_timer()

    def _fail(self, number: int, error: Exception) -> None:
        log.error("job %d failed", number, exc_info=error)
        self._dispatch(Failed(number, problem_of(error), time.monotonic()))

    def _stop_timer(self) -> None:
        """A timer that is left over keeps a process from ending that has Blender as a module."""
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)

    def _carry_out(self, do: Do) -> None:
        job = self._held.get(do.number)
        if do.effect is Effect.REDRAW:
            redraw()
        elif job is None:
            return
        elif do.effect is Effect.START_WORK:
            job.wants_start = True
            self._start_ready()
        elif do.effect is Effect.STOP_WORK:
            _stop_work(job)
        elif do.effect is Effect.SHOW_PREVIEW:
            frames = self.jobs.get(do.number).frames_ready
            self._show(job, job.worker.work.preview_paths, _fit(job.order, frames, job.order.options.fps))
        elif do.effect is Effect.SHOW_RESULT:
            self._show_result(do.number, job)
        elif do.effect is Effect.HIDE_PREVIEW:
            _hide_previews(job, do.objects)
        elif do.effect is Effect.FORGET:
            self._forget(do.number, job, do.objects)

    def _start_ready(self) -> None:
        for number, job in list(self._held.items()):
            if job.wants_start and job.reading is not None:
                job.wants_start = False
                self._start_work(number, job)

    def _start_work(self, number: int, job: Job) -> None:
        order = job.order
        job.folder = Path(tempfile.mkdtemp(prefix="motion324-job-", dir=bpy.app.tempdir))
        work = Work(
            number=number,
            reading=job.reading,
            video=order.video,
            options=order.options,
            where=order.where,
            log_path=storage.log_path(),
            folder=job.folder,
            wants_preview=not is_background(),
        )
        job.worker = Worker(work, functools.partial(self._post, work))
        job.worker.start()
        size = estimate.JobSize(len(job.reading.mesh.positions), order.frames or 0, order.pixels or 0)
        self._dispatch(Expected(number, estimate.expected_stages(size, order.options, order.where)))

    def _post(self, work: Work, event: FromWorker) -> None:
        self._events.put((work, event))

    def _show_result(self, number: int, job: Job) -> None:
        result, order = job.worker.result, job.order
        fitted = _fit(order, len(result.positions), result.fps)
        job.animations = tuple(
            Animation(
                target=member.target,
                topology=member.topology,
                positions=positions,
                timing=fitted,
                frame_numbers=result.frame_numbers,
                fps=result.fps,
                view=result.view,
                report=result.report,
                space=job.reading.space,
                video=order.video,
            )
            for member, positions in zip(job.reading.members, job.worker.positions, strict=True)
        )
        if job.worker.work.wants_preview:
            self._show(job, job.worker.work.result_paths, fitted)
        estimate.learn(result.report, order.options, order.where)
        if order.when_done is not None:
            order.when_done(job.animations)

    def _show(self, job: Job, paths: tuple[Path, ...], fitted: timing.Timing) -> None:
        job.changed_from = None
        job.previews = tuple(
            preview.Preview(member.target, path, fitted)
            for member, path in zip(job.reading.members, paths, strict=True)
        )
        for shown in job.previews:
            preview.show(shown)

    def _refresh_previews(self) -> None:
        for job in self._held.values():
            if job.changed_from is not None:
                for shown in job.previews:
                    preview.refresh(shown, job.changed_from)
                job.changed_from = None

    def _forget(self, number: int, job: Job, objects: tuple[int, ...]) -> None:
        if objects:
            job.animations = tuple(each for each in job.animations if each.target.uid not in objects)
            job.previews = tuple(each for each in job.previews if each.target.uid not in objects)
            return
        job.animations = job.previews = ()
        _stop_work(job)
        del self._held[number]

    def _with(self, animation: Animation | None) -> tuple[Animation, ...]:
        """All animations of the job that this one belongs to."""
        groups = (self.animations_of(job.number) for job in self.results)
        return next((group for group in groups if any(each is animation for each in group)), ())

    def _owners(self, animations: Iterable[Animation] | None) -> list[tuple[int, tuple[int, ...]]]:
        """The numbers of the jobs that these animations (None: those of `waiting()`) belong to, and their objects."""
        chosen = self._with(self.animation) if animations is None else tuple(animations)
        owners = []
        for job in self.results:
            own = [each for each in self.animations_of(job.number) if any(each is other for other in chosen)]
            if own:
                owners.append((job.number, tuple(each.target.uid for each in own)))
        return owners


def _stop_work(job: Job) -> None:
    """Lets go of the worker and its files; what it still posts is dropped."""
    if job.worker is not None:
        job.worker.stop()
        remove_when_ended(job.worker, job.folder)
    job.worker = job.folder = job.changed_from = None


def _hide_previews(job: Job, objects: tuple[int, ...]) -> None:
    for shown in job.previews:
        obj = shown.target.find()
        if obj is not None and (not objects or shown.target.uid in objects):
            preview.hide(obj)
    job.previews = tuple(shown for shown in job.previews if objects and shown.target.uid not in objects)


def _fit(order: Order, count: int, fps: float | None) -> timing.Timing:
    scene = bpy.context.scene
    return timing.fit(scene, order.start, count, fps or timing.scene_fps(scene), order.mode)


def _name_now(animation: Animation) -> str:
    obj = animation.target.find()
    return obj.name if obj is not None else ""


def is_background() -> bool:
    """Whether nobody looks: then frames are not shown before the result."""
    return bpy.app.background


def redraw() -> None:
    """Has the sidebars of all 3D views drawn again, but not the scene beside them."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


runner = Runner()
