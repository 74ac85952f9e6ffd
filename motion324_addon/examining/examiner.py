"""Has the backend take quick looks: a worker thread asks it, a timer brings its answer to Blender's main thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path

import motion324.client
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.result import Examination, MadeMesh

from ..job import backend, storage
from ..job.backend import Local, Where
from ..runner_base.runner import Runner, redraw_sidebars
from ..runner_base.state import problem_of
from ..runner_base.worker import Worker
from ..scene.reading.joining import JointReading
from .look import Asked, Dropped, Effect, Event, Failed, Found, Look, Moved, advance


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


class Examiner(Runner):
    """One kind of look; a new one takes the place of the one before.

    when_found: called with the answer.
    """

    def __init__(self, name: str, when_found: Callable[[Examination | MadeMesh], None] = lambda found: None) -> None:
        """name: what is looked at, for the history."""
        super().__init__()
        self.name = name
        self.look = Look()
        self._when_found = when_found
        self._worker: LookWorker | None = None
        self._question: Question | None = None

    def start(self, question: Question) -> None:
        """Begins the look; `look` tells how it goes."""
        self.stop()
        self._dispatch(Asked(question.key))
        self._question = question
        if question.reading is None:
            self._begin(question, None)
        self._start_timer()

    def ask(self, question: Question) -> Examination | MadeMesh:
        """Takes the look and waits for it. Raises the Motion324Error that ended it."""
        self.stop()
        self._dispatch(Asked(question.key))
        *_, reading = question.reading or (None,)
        self._begin(question, reading)
        self._wait_for_end()
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
        self._dispatch(Dropped())

    @property
    def _working(self) -> bool:
        return self.look.running

    @property
    def _steps_left(self) -> bool:
        return self._question is not None

    def _is_current(self, worker: Worker) -> bool:
        return worker is self._worker

    def _advance(self, event: Event) -> tuple[Effect, ...]:
        self.look, effects = advance(self.look, event)
        return effects

    def _carry_out(self, effect: Effect) -> None:
        if effect is Effect.SHOW_FOUND:
            self._when_found(self.look.found)
        else:
            redraw_sidebars()

    def _in_words(self) -> str:
        if self.look.running:
            return f"running{f' in {self.look.stage}' if self.look.stage else ''}"
        if self.look.problem is not None:
            return f"failed, {self.look.problem.code}"
        return "found" if self.look.found is not None else "nothing"

    def _give_up(self) -> None:
        self.stop()

    def _take_steps(self, deadline: float) -> None:
        """Goes on with reading the mesh, by one step."""
        question = self._question
        if question is None:
            return
        try:
            reading = next(question.reading)
        except Exception as error:
            self._question = None
            self._dispatch(Failed(problem_of(error)))
            return
        if reading is not None:
            self._begin(question, reading)

    def _begin(self, question: Question, reading: JointReading | None) -> None:
        self._question = None
        self._worker = LookWorker(self.name, question, reading, self.post)
        self._worker.start()


class LookWorker(Worker):
    """Asks the backend; tells Moved, and last Found, Failed or Dropped."""

    def __init__(
        self, name: str, question: Question, reading: JointReading | None, post: Callable[[Worker, Event], None]
    ) -> None:
        super().__init__(f"look: {name}", post)
        self._question = question
        self._reading = reading
        self._log_path = storage.log_path()
        self._cancel: Callable[[], None] = lambda: None

    def stop(self) -> None:
        super().stop()
        self._cancel()

    def _work(self) -> Found:
        reading = self._reading
        space, matrix = (reading.space, reading.members[0].matrix) if reading else (None, None)
        return Found(self._ask(), space, matrix)

    def _ended_by(self, error: Exception) -> Failed | Dropped:
        if isinstance(error, Cancelled):
            return Dropped()
        return Failed(problem_of(error, self._log_path if isinstance(self._question.where, Local) else None))

    def _ask(self) -> Examination | MadeMesh:
        question = self._question
        mesh = self._reading.completed().mesh if self._reading else None
        client = backend.connect(question.where, self._log_path, self.gives_up)
        if question.mesh_settings is not None:
            request = motion324.client.MeshRequest(question.video, question.options, question.mesh_settings)
            answer = client.make_mesh
        else:
            request = motion324.client.ExamineRequest(question.video, question.options, mesh)
            answer = client.examine
        self._cancel = functools.partial(client.cancel, request.job_id)
        try:
            return answer(request, self._watch)
        except Motion324Error as error:
            raise backend.problem_at(question.where, error) from error

    def _watch(self, event: motion324.client.Event) -> None:
        self.check()
        if isinstance(event, motion324.client.ProgressEvent):
            self.tell(Moved(event.stage, event.done, event.total))
