"""The worker thread of a job: talks to the backend, writes the cache files, posts events.

IT MUST NOT TOUCH BPY: Blender's data may move or vanish under it at any time. All that it needs is in its Work.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.client import JobEvents
from motion324.errors import Cancelled, Motion324Error
from motion324.point_cache import read_pc2, write_pc2
from motion324.protocol import AnimateRequest, FramesEvent, ProgressEvent, Queued, ResultEvent
from motion324.result import AnimationResult

from ..scene.orientation import Share
from . import backend
from .preview_caches import PreviewCaches
from .state import Event, Failed, Finished, FramesCame, Problem, Progressed, QueueMoved, Stopped

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """All that the thread needs to know. folder: its own, for the caches. wants_preview: False where nobody looks.

    shares: what each of the objects has of the request's mesh; each gets caches of its own.
    """

    number: int
    request: AnimateRequest
    shares: tuple[Share, ...]
    python: Path
    log_path: Path
    folder: Path
    wants_preview: bool

    @property
    def preview_paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / f"preview{index}.pc2" for index in range(len(self.shares)))

    @property
    def result_paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / f"result{index}.pc2" for index in range(len(self.shares)))


class Worker:
    """Runs one Work on a thread of its own. `result` is there once Finished was posted.

    `positions` are then one array per object, (T, its vertices, 3) in object space, mapped from a file; the result's
    own are those of the first.
    """

    def __init__(self, work: Work, post: Callable[[Event], None]) -> None:
        self.work = work
        self.result: AnimationResult | None = None
        self.positions: tuple[np.ndarray, ...] = ()
        self._post = post
        self._stop_asked = threading.Event()
        self._events: JobEvents | None = None
        self._thread = threading.Thread(target=self._run, name=f"motion324 job {work.number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Cancels the job; Stopped follows, at once where the backend has got it already. Any thread."""
        self._stop_asked.set()
        events = self._events
        if events is not None:
            events.close()

    def join(self, seconds: float = 2.0) -> None:
        """Waits for the thread's end, where it was started."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        number = self.work.number
        try:
            self._work()
            self._post(Finished(number, len(self.result.positions), time.monotonic(), self._warnings()))
        except Cancelled:
            self._post(Stopped(number, time.monotonic()))
        except Exception as error:
            if self._stop_asked.is_set():
                self._post(Stopped(number, time.monotonic()))
                return
            if not isinstance(error, Motion324Error):
                log.exception("the job's worker failed")
            self._post(Failed(number, problem_of(error, self.work.log_path), time.monotonic()))

    def _work(self) -> None:
        client = backend.connect(self.work.python, self.work.log_path)
        if self._stop_asked.is_set():
            raise Cancelled()
        with client.animate(self.work.request) as self._events:
            if self._stop_asked.is_set():
                raise Cancelled()
            if self.work.wants_preview:
                with PreviewCaches(self.work.preview_paths, self.work.shares) as preview:
                    self._follow(preview)
            else:
                self._follow(None)
        if self.result is None:
            raise Cancelled()  # the events ended without a result only where they were closed

    def _follow(self, preview: PreviewCaches | None) -> None:
        for event in self._events:
            if isinstance(event, Queued):
                self._post(QueueMoved(self.work.number, event.place))
            elif isinstance(event, ProgressEvent):
                moved = Progressed(self.work.number, event.stage, event.done, event.total, event.remaining)
                self._post(moved)
            elif isinstance(event, FramesEvent) and preview is not None:
                preview.write(event.indices, event.positions)
                self._post(FramesCame(self.work.number, preview.frame_count))
            elif isinstance(event, ResultEvent):
                self._take(event)

    def _take(self, event: ResultEvent) -> None:
        """The result goes to a file and is mapped from there, so that a long one does not fill the memory."""
        if event.topology_hash != self.work.request.topology_hash:
            raise Motion324Error(
                "topology-mismatch", "The backend's result belongs to another mesh than the one sent.", "Animate again."
            )
        for path, share in zip(self.work.result_paths, self.work.shares, strict=True):
            write_pc2(path, share.own(event.result.positions))
        self.positions = tuple(read_pc2(path).positions for path in self.work.result_paths)
        self.result = dataclasses.replace(event.result, positions=self.positions[0])

    def _warnings(self) -> tuple[str, ...]:
        found = self.result.report.get("warnings", []) if self.result else []
        return tuple(
            str(warning["sentence"]) for warning in found if isinstance(warning, dict) and "sentence" in warning
        )


def problem_of(error: Exception, log_path: Path | None = None) -> Problem:
    """Any error as a sentence for people."""
    if isinstance(error, Motion324Error):
        path = getattr(error, "log_path", "") or (str(log_path) if log_path and log_path.exists() else "")
        return Problem(error.code, error.sentence, error.hint, path, error.exit_code)
    sentence = f"Motion324 met an error of its own: {type(error).__name__}: {error}."
    return Problem("internal", sentence, "Please report it, with the log.", str(log_path) if log_path else "")
