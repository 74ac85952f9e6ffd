"""Takes orders and events of jobs to `transitions`, and has the effects carried out: all on Blender's main thread, in
steps that do not take long, since whatever needs no bpy is the worker's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

import bpy
import numpy as np

from motion324.core.errors import EXIT_USAGE, Cancelled, Motion324Error

from ..runner_base.runner import TICK, Runner, is_background, redraw_sidebars
from ..runner_base.state import problem_of
from ..runner_base.worker import Worker
from ..scene.playing import point_cache
from ..scene.playing.animation import Animation, Target
from ..scene.playing.point_cache import Preview
from ..scene.reading import mesh_reading
from . import effects
from . import state as events
from .records import Job, Order, Records
from .returning import ReturningResults
from .state import UNSHOWING, Do, Effect, Event, FromWorker, Jobs, JobState
from .transitions import advance
from .worker import JobWorker

log = logging.getLogger(__name__)


class JobRunner(ReturningResults, Runner):
    """The jobs of this Blender: one runs, others wait, results wait to be kept."""

    name = "jobs"

    def __init__(self) -> None:
        super().__init__()
        self._records = Records()

    @property
    def jobs(self) -> Jobs:
        """All jobs that are not forgotten yet, as data."""
        return self._records.jobs

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
    def orders(self) -> dict[int, Order]:
        """What was asked for, of all jobs that are not forgotten yet, by their numbers."""
        return {number: job.order for number, job in self._records.items() if job.order is not None}

    @property
    def animations(self) -> tuple[Animation, ...]:
        """All that wait to be kept, the newest job's last; a job of several objects has one for each."""
        return self._records.animations

    @property
    def animation(self) -> Animation | None:
        """That of the active object, or else the newest job's first; None where none waits."""
        return self._records.animation

    def animations_of(self, number: int) -> tuple[Animation, ...]:
        return self._records.animations_of(number)

    def targets_of(self, number: int) -> tuple[Target, ...]:
        """The objects of a job that is not forgotten."""
        return self._records.held[number].targets

    def result_of(self, obj: bpy.types.Object | None) -> JobState | None:
        """The job whose result waits on this object."""
        return self._records.result_of(obj)

    def frames_of(self, obj: bpy.types.Object) -> tuple[int, int]:
        """The first and last whole frame over which an object moves, see `Records.frames_of`."""
        return self._records.frames_of(obj)

    def waiting(self, name: str = "", number: int = 0) -> tuple[Animation, ...]:
        """The animations that are meant, see `Records.waiting`. Raises Motion324Error("no-result")."""
        return self._records.waiting(name, number)

    def previews(self) -> list[Preview]:
        """What is shown on objects now."""
        return self._records.previews()

    def preview_doubt(self, obj: bpy.types.Object, frame: float) -> np.ndarray | None:
        """What is known of the preview on the object, see `Records.preview_doubt`."""
        return self._records.preview_doubt(obj, frame)

    def start(self, order: Order) -> int:
        """Begins the job, or puts it behind those that run and wait; returns its number.

        Raises Motion324Error where it cannot be done: "already-animating", or what reading the mesh raises.
        """
        number = self._accept(order)
        self._start_timer()
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
            self._records.held[number].read_all()
            self._start_ready()
        except BaseException:
            self.cancel()
            raise
        self._wait_for_end(lambda: watch(self.state))
        ended = self.jobs.get(number)
        if ended is not None and ended.problem is not None:
            raise ended.problem.to_error()
        if not self.animations_of(number):
            raise Cancelled()
        return self.animations_of(number)[0]

    def cancel(self) -> None:
        """Ends the job that runs, at once; the next one that waits starts."""
        self._dispatch(events.CancelAsked(time.monotonic()))

    def cancel_all(self) -> None:
        """Ends the job that runs, and takes all that wait out of the queue; results that wait stay."""
        self._dispatch(events.CancelAsked(time.monotonic(), all_of_them=True))

    def unqueue(self, index: int) -> None:
        """Takes a job out of `queue`. Raises Motion324Error("not-queued") where there is none at that place."""
        self._dispatch(events.Unqueued(self._records.queued(index).number))

    def requeue(self, index: int, place: int) -> None:
        """Moves a job of `queue` to another place in it. Raises as `unqueue`."""
        self._dispatch(events.Unqueued(self._records.queued(index).number, place))

    def restart(self, number: int) -> None:
        """Does a job again that failed: the same mesh in the same pose, the same video, the same options."""
        self._dispatch(events.Restarted(number, time.monotonic()))
        self._start_timer()

    def kept(self, animations: Iterable[Animation] | None = None) -> None:
        """To be called when these animations (None: those of `waiting()`) have been made part of the .blend."""
        for number, objects in self._records.owners(animations):
            self._records.note_tokens(number, objects)
            self._dispatch(events.Kept(number, objects))

    def discard(self, animations: Iterable[Animation] | None = None) -> None:
        """Takes these previews away. None: those of `waiting()`, and the message of `state`."""
        for number, objects in self._records.owners(animations):
            self._dispatch(events.Discarded(number, objects))
        if animations is None and not self.state.busy:
            self.dismiss(self.state.number)

    def dismiss(self, number: int) -> None:
        """Closes the message of a job that has ended, or discards its result."""
        self._dispatch(events.Discarded(number))

    def forget_all(self) -> None:
        """Cancels what runs, forgets what waits, and takes all previews away."""
        self.leave_file("")

    def leave_file(self, notice: str) -> None:
        """To be called when another file is open: all is cancelled or forgotten; notice tells it, for `state`."""
        self._dispatch(events.FileLeft(time.monotonic(), notice))

    def abandon(self) -> None:
        """To be called when Python ends: stops the workers, and touches no data of Blender's, which may be gone."""
        effects.abandon(self._records.held.values())

    def _accept(self, order: Order) -> int:
        """What can be wrong with the objects is noticed here, before anything has changed."""
        for obj in order.objects:
            mesh_reading.checked_object(obj)
        objects = tuple(obj.session_uid for obj in order.objects)
        self._records.check_free(objects)
        job = Job(order, tuple(Target.of(obj) for obj in order.objects))
        self._begin_reading(job, order.objects)
        number = self.jobs.newest + 1
        self._records.held[number] = job
        self._dispatch(events.Ordered(order.name, order.video.name, objects, time.monotonic()))
        return number

    def _begin_reading(self, job: Job, objects: Sequence[bpy.types.Object]) -> None:
        """Takes all that the pose decides; previews are no part of that."""
        uids = [target.uid for target in job.targets]
        with point_cache.previews_hidden(shown for shown in self.previews() if shown.target.uid in uids):
            job.begin_reading(objects)

    @property
    def _working(self) -> bool:
        return self.jobs.busy is not None

    @property
    def _steps_left(self) -> bool:
        return self._records.reading

    def _is_current(self, worker: Worker) -> bool:
        return any(job.worker is worker for job in self._records.held.values())

    def _advance(self, event: Event) -> tuple[Do, ...]:
        self._records.jobs, asked = advance(self.jobs, event)
        return asked

    def _in_words(self) -> str:
        shown, others = self.state, f"{len(self.queue)} wait, {len(self.results)} results"
        return f"job {shown.number} {shown.phase.value}{f' in {shown.stage}' if shown.stage else ''}, {others}"

    def _give_up(self) -> None:
        self.cancel()

    def _tick(self) -> float | None:
        if bpy.app.is_job_running("RENDER"):
            return TICK  # the renderer reads what events would change
        return super()._tick()

    def _take(self, worker: JobWorker, event: FromWorker) -> None:
        if isinstance(event, events.FramesCame) and self._is_current(worker):
            job = self._records.held[event.number]
            job.changed_from = event.first if job.changed_from is None else min(job.changed_from, event.first)
        super()._take(worker, event)

    def _take_steps(self, deadline: float) -> None:
        """Shows the frames that have come, and goes on with the first reading that is not done."""
        effects.refresh_previews(self._records.held.values())
        for number, job in self._records.items():
            try:
                while job.steps is not None and time.monotonic() < deadline:
                    job.read_on()
            except Exception as error:
                job.steps, job.wants_start = None, False
                self._fail(number, error)
        self._start_ready()

    def _carry_out(self, do: Do) -> None:
        try:
            self._do(do)
        except Exception as error:
            self._fail(do.number, error)

    def _do(self, do: Do) -> None:
        job = self._records.held.get(do.number)
        if do.effect is Effect.REDRAW:
            redraw_sidebars()
        elif job is None:
            return
        elif do.effect is Effect.START_WORK:
            if job.reading is None and job.steps is None:  # it failed, and is to be done again
                self._begin_reading(job, [target.get() for target in job.targets])
            job.wants_start = True
            self._start_ready()
        else:
            effects.carry_out(do, job, self.jobs.get(do.number))
            if do.effect is Effect.FORGET:
                del self._records.held[do.number]

    def _settle(self, asked: tuple[Do, ...]) -> None:
        if any(do.effect in UNSHOWING for do in asked):
            point_cache.settle_previews(self.previews())  # copies of the objects have the modifier, too
        super()._settle(asked)

    def _start_ready(self) -> None:
        """Starts the work of each job that is to begin, and whose mesh has been read."""
        for number, job in self._records.items():
            if job.wants_start and job.reading is not None:
                job.wants_start = False
                try:
                    self._dispatch(effects.start_work(number, job, self.post, wants_preview=not is_background()))
                except Exception as error:
                    self._fail(number, error)

    def _fail(self, number: int, error: Exception) -> None:
        log.error("job %d failed", number, exc_info=error)
        self._dispatch(events.Failed(number, problem_of(error), time.monotonic()))


runner = JobRunner()
