"""Has the backend take quick looks: a worker thread asks it, a timer brings its answer to Blender's main thread."""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.client.client import Event as BackendEvent
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.mesh_settings import MeshSettings
from motion324.core.options import AnimateOptions
from motion324.core.result import Examination, MadeMesh
from motion324.wire.protocol import ExamineRequest, MeshRequest, ProgressEvent

from ..job import backend, storage
from ..job.backend_location import Local, Where
from ..job.worker import problem_of
from ..running.window import redraw_sidebars
from ..scene.reading.joining import JointReading
from .look import Asked, Dropped, Event, Failed, Found, Look, Moved, advance

log = logging.getLogger(__name__)

TICK = 0.1  # seconds between two looks at the events
READING_TICK = 0.01  # between two steps of reading the mesh


@dataclass(frozen=True)
class Question:
    """key: what it is about, see `look.Look`. reading: the steps of reading the mesh whose view is wanted, or None.

    mesh_settings: a mesh is to be made that way, instead of a look; else None.
    """

    key: Hashable
    video: Path
    options: AnimateOptions
    where: Where
    reading: Iterator[JointReading | None] | None = None
    mesh_settings: MeshSettings | None = None


class Examiner:
    """One kind of look; a new one takes the place of the one before. All methods are the main thread's.

    when_found: called with the answer.
    """

    def __init__(self, when_found: Callable[[Examination | MadeMesh], None] = lambda found: None) -> None:
        self.look = Look()
        self._when_found = when_found
        self._worker: _Worker | None = None
        self._question: Question | None = None
        self._timer = self._tick  # Blender knows a timer by its object, and `self._tick` is a new one each time

    def start(self, question: Question) -> None:
        """Begins the look; `look` tells how it goes."""
        self.stop()
        self._dispatch(Asked(question.key))
        self._question = question
        if question.reading is None:
            self._begin(question, None)
        bpy.app.timers.register(self._timer, first_interval=READING_TICK, persistent=True)

    def ask(self, question: Question) -> Examination | MadeMesh:
        """Takes the look and waits for it. Raises the Motion324Error that ended it."""
        self.stop()
        self._dispatch(Asked(question.key))
        *_, reading = question.reading or (None,)
        self._begin(question, reading)
        try:
            while self.look.running:
                self._dispatch(self._worker.events.get())
        except BaseException:
            self.stop()
            raise
        if self.look.problem is not None:
            raise self.look.problem.to_error()
        if self.look.found is None:
            raise Cancelled()
        return self.look.found

    def stop(self) -> None:
        """Ends a look that runs, and forgets what was found."""
        if self._worker is not None:
            self._worker.stop()
        self._worker = self._question = None
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)
        self._dispatch(Dropped())

    def _begin(self, question: Question, reading: JointReading | None) -> None:
        self._question = None
        self._worker = _Worker(question, reading, storage.log_path())
        self._worker.start()

    def _tick(self) -> float | None:
        if self._question is not None:
            self._read_on(self._question)
        elif self._worker is not None:
            with contextlib.suppress(queue.Empty):
                while True:
                    self._dispatch(self._worker.events.get_nowait())
        if not self.look.running:
            return None
        redraw_sidebars()
        return READING_TICK if self._question is not None else TICK

    def _read_on(self, question: Question) -> None:
        try:
            reading = next(question.reading)
        except Exception as error:
            self._question = None
            self._dispatch(Failed(problem_of(error)))
            return
        if reading is not None:
            self._begin(question, reading)

    def _dispatch(self, event: Event) -> None:
        self.look = advance(self.look, event)
        if isinstance(event, Found) and self.look.found is event.found:
            self._when_found(event.found)
        if not isinstance(event, Moved):
            redraw_sidebars()


class _Worker:
    """Asks on a thread of its own, which MUST NOT TOUCH BPY; `events` has Moved, and last Found, Failed or Dropped."""

    def __init__(self, question: Question, reading: JointReading | None, log_path: Path) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._question = question
        self._reading = reading
        self._log_path = log_path
        self._stopped = threading.Event()
        self._cancel: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="motion324 look", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._cancel()

    def _run(self) -> None:
        try:
            reading = self._reading
            space, matrix = (reading.space, reading.members[0].matrix) if reading else (None, None)
            self.events.put(Found(self._ask(), space, matrix))
        except Cancelled:
            self.events.put(Dropped())
        except Exception as error:
            if not isinstance(error, Motion324Error):
                log.exception("the look failed")
            log_path = self._log_path if isinstance(self._question.where, Local) else None
            self.events.put(Failed(problem_of(error, log_path)))

    def _ask(self) -> Examination | MadeMesh:
        question = self._question
        mesh = self._reading.completed().mesh if self._reading else None
        client = backend.connect(question.where, self._log_path, self._stopped.is_set)
        if question.mesh_settings is not None:
            request = MeshRequest(question.video, question.options, question.mesh_settings)
            answer = client.make_mesh
        else:
            request = ExamineRequest(question.video, question.options, mesh)
            answer = client.examine
        self._cancel = functools.partial(client.cancel, request.job_id)
        try:
            return answer(request, self._watch)
        except Motion324Error as error:
            raise backend.problem_at(question.where, error) from error

    def _watch(self, event: BackendEvent) -> None:
        if self._stopped.is_set():
            raise Cancelled()
        if isinstance(event, ProgressEvent):
            self.events.put(Moved(event.stage, event.done, event.total))
