"""Is the worker thread of a job: it talks to the backend, writes the cache files, posts events.

IT MUST NOT TOUCH BPY: Blender's data may move or vanish under it at any time. All that it needs is in its Work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

import motion324.client
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.point_cache import Pc2Writer, read_pc2
from motion324.core.files.write_aside import written_aside
from motion324.core.motion.pins import Pins
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.result import AnimationResult

from ..runner_base.state import problem_of
from ..runner_base.worker import Worker
from ..scene.reading.joining import JointReading
from ..scene.reading.orientation import Share
from . import backend
from .backend import Local, Where
from .correction import Correction
from .state import Failed, Finished, FramesCame, FromWorker, Progressed, QueueMoved

FRAMES_AT_ONCE = 16  # of a result, while it is turned into object space


@dataclass(frozen=True)
class Work:
    """All that the thread needs to know. folder: its own, for the caches. wants_preview: False where nobody looks.

    reading: the objects' mesh; each of its members gets caches of its own. correction: as the order's, and pins: its.
    """

    number: int
    reading: JointReading
    video: Path
    options: AnimateOptions
    where: Where
    log_path: Path
    folder: Path
    wants_preview: bool
    correction: Correction | None = None
    pins: Pins | None = None

    @property
    def shares(self) -> tuple[Share, ...]:
        return self.reading.shares

    @property
    def preview_paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / f"preview{index}.pc2" for index in range(len(self.shares)))

    @property
    def result_paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / f"result{index}.pc2" for index in range(len(self.shares)))


class JobWorker(Worker):
    """Does one Work. `result` is there once Finished was posted.

    `positions` are then one array per object, (T, its vertices, 3) in object space, mapped from a file; the result's
    own are those of the first.
    """

    def __init__(self, work: Work, post: Callable[[Worker, FromWorker], None]) -> None:
        super().__init__(f"job {work.number}", post)
        self.work = work
        self.result: AnimationResult | None = None
        self.positions: tuple[np.ndarray, ...] = ()
        self.doubts: dict[int, np.ndarray] = {}  # of the preview's frames (N,), where it is known by frames
        self._events: motion324.client.JobEvents | None = None

    def stop(self) -> None:
        super().stop()
        events = self._events
        if events is not None:
            events.close()

    def _work(self) -> Finished:
        request = self._request()
        client = backend.connect(self.work.where, self.work.log_path, self.gives_up)
        self.check()
        with client.animate(request) as self._events:
            self.check()
            if self.work.wants_preview:
                with PreviewCaches(self.work.preview_paths, self.work.shares) as preview:
                    self._follow(request, preview)
            else:
                self._follow(request, None)
        if self.result is None:
            raise Cancelled()  # the events ended without a result only where they were closed
        return Finished(self.work.number, len(self.result.positions), time.monotonic(), self._warnings())

    def _request(self) -> motion324.client.AnimateRequest:
        work = self.work
        mesh = work.reading.completed().mesh
        if work.correction is None or work.pins is None:
            return motion324.client.AnimateRequest.of(mesh, work.video, work.options)
        last = work.correction.last(work.reading)
        return motion324.client.AnimateRequest.correcting(last, work.pins, mesh, work.video, work.options)

    def _ended_by(self, error: Exception) -> Failed:
        if isinstance(error, Motion324Error) and not isinstance(error, Cancelled):
            error = backend.problem_at(self.work.where, error)
        log_path = self.work.log_path if isinstance(self.work.where, Local) else None
        return Failed(self.work.number, problem_of(error, log_path), time.monotonic())

    def _follow(self, request: motion324.client.AnimateRequest, preview: PreviewCaches | None) -> None:
        number = self.work.number
        for event in self._events:
            if isinstance(event, motion324.client.Queued):
                self.tell(QueueMoved(number, event.place))
            elif isinstance(event, motion324.client.ProgressEvent):
                moved = Progressed(number, event.stage, event.done, event.total, event.remaining, event.match)
                self.tell(moved)
            elif isinstance(event, motion324.client.FramesEvent) and preview is not None:
                before = preview.frame_count
                preview.write(event.indices, event.positions)
                if event.doubt is not None:
                    self.doubts.update(zip(event.indices.tolist(), event.doubt, strict=True))
                self.tell(FramesCame(number, preview.frame_count, min(before, int(event.indices.min()))))
            elif isinstance(event, motion324.client.ResultEvent):
                self._take(event, request.topology_hash)

    def _take(self, event: motion324.client.ResultEvent, topology_hash: str) -> None:
        """The result goes to files and is mapped from there, so that a long one does not fill the memory."""
        if event.topology_hash != topology_hash:
            raise Motion324Error(
                "topology-mismatch", "The backend's result belongs to another mesh than the one sent.", "Animate again."
            )
        positions = event.result.positions
        for path, share in zip(self.work.result_paths, self.work.shares, strict=True):
            with written_aside(path) as aside, Pc2Writer(aside, share.count) as writer:
                for first in range(0, len(positions), FRAMES_AT_ONCE):
                    self.check()
                    writer.append(share.own(positions[first : first + FRAMES_AT_ONCE]))
        self.positions = tuple(read_pc2(path).positions for path in self.work.result_paths)
        self.result = dataclasses.replace(event.result, positions=self.positions[0])

    def _warnings(self) -> tuple[str, ...]:
        """Those of reading the mesh, then the backend's."""
        found = self.result.report.get("warnings", []) if self.result else []
        told = (str(warning["sentence"]) for warning in found if isinstance(warning, dict) and "sentence" in warning)
        return (*self.work.reading.warnings, *told)


class PreviewCaches:
    """One cache per object, each with its share of the job's vertices, in its own space."""

    def __init__(self, paths: Sequence[Path], shares: Sequence[Share]) -> None:
        """Raises Motion324Error("disk-full" or "cannot-write")."""
        self._shares = tuple(shares)
        with contextlib.ExitStack() as opened:
            self._writers = [
                opened.enter_context(Pc2Writer(path, share.count)) for path, share in zip(paths, shares, strict=True)
            ]
            self._open = opened.pop_all()  # from here on they stay open

    @property
    def frame_count(self) -> int:
        """How many frames, from the first on, all caches have."""
        return min(writer.frame_count for writer in self._writers)

    def write(self, indices: Sequence[int] | np.ndarray, positions: np.ndarray) -> None:
        """Puts positions (B, N, 3) of the job's whole mesh at the frames `indices` (B,).

        Raises Motion324Error("disk-full" or "cannot-write").
        """
        for writer, share in zip(self._writers, self._shares, strict=True):
            writer.write(indices, share.own(positions))

    def __enter__(self) -> PreviewCaches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
