"""Cuts long work into short pieces, so that progress is seen and cancelling is noticed, and times its stages."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator

import torch

# A piece of work is sized to last about this long on a device that reaches `piece_rate`.
PIECE_SECONDS = 0.1
# A GPU runs behind the program that feeds it; this many marks may be outstanding before the program waits for it.
MARKS_AHEAD = 3
POLL_SECONDS = 0.0001
# Of one multiprocessor in half precision, by the major compute capability: about half of the datasheet's.
FLOP_PER_CYCLE = {7: 512, 8: 1024, 9: 2048, 10: 2048, 11: 2048, 12: 1024}


def piece_rate(device: torch.device) -> float:
    """A cautious FLOP/s of the device, from its datasheet properties and not from a measurement.

    Pieces are sized by it. A measured rate would change from run to run, so would the pieces, and with them the
    last bits of the result.
    """
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        per_multiprocessor = FLOP_PER_CYCLE.get(properties.major, 1024 if properties.major > 8 else 256)
        return per_multiprocessor * 1.5e9 * properties.multi_processor_count
    return 1e10 * torch.get_num_threads()


class Pace:
    """Counts the arithmetic that is handed to a device, cuts it into pieces, and calls back between them.

    on_work(flop): called after every piece with the arithmetic that has been done so far, and several times a second
    while waiting for the device; it may raise (motion324.core.errors.Cancelled), which ends the work.
    whole: hand out everything in one piece (training, where autograd needs it).
    """

    def __init__(
        self, device: torch.device, on_work: Callable[[float], None] | None = None, *, whole: bool = False
    ) -> None:
        self.device = device
        self.on_work = on_work or (lambda flop: None)
        self.whole = whole
        self.piece_flop = piece_rate(device) * PIECE_SECONDS
        self.issued = 0.0
        self.finished = 0.0
        self._marks: deque[tuple[torch.cuda.Event, float]] = deque()
        self._marked = 0.0

    def pieces(self, rows: int, flop_per_row: float, most: int | None = None, align: int = 1) -> Iterator[slice]:
        """Slices that cover range(rows), each at most `most` rows and about PIECE_SECONDS of work.

        align: sizes are rounded up to a multiple of it, except the last.
        """
        size = rows if self.whole else max(1, int(self.piece_flop / max(flop_per_row, 1.0)))
        if most is not None:
            size = min(size, most)
        if size < rows:
            count = -(-rows // size)
            size = -(-rows // (count * align)) * align
        for start in range(0, rows, max(size, 1)):
            stop = min(start + size, rows)
            yield slice(start, stop)
            self.worked((stop - start) * flop_per_row)

    def worked(self, flop: float) -> None:
        """Notes that work of `flop` operations was handed to the device; waits where the device has fallen behind."""
        self.issued += flop
        if self.whole:
            return
        if self.device.type != "cuda":
            self.finished = self.issued
            self.on_work(self.finished)
            return
        if self.issued - self._marked >= self.piece_flop / 2:
            self._mark()
        while len(self._marks) > MARKS_AHEAD:
            self._wait_for_oldest()
        self.on_work(self.finished)

    def finish(self) -> None:
        """Waits until the device has done all that was handed to it."""
        if self.device.type != "cuda" or self.whole:
            return
        self._mark()
        while self._marks:
            self._wait_for_oldest()
        self.on_work(self.finished)

    def wait_for(self, event: torch.cuda.Event) -> None:
        """Waits for an event of the device, calling back meanwhile."""
        last = time.monotonic()
        while not event.query():
            time.sleep(POLL_SECONDS)
            if time.monotonic() - last > PIECE_SECONDS:
                self.on_work(self.finished)
                last = time.monotonic()

    def _mark(self) -> None:
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self.device))
        self._marks.append((event, self.issued))
        self._marked = self.issued

    def _wait_for_oldest(self) -> None:
        event, issued = self._marks[0]
        self.wait_for(event)
        self.finished = issued
        self._marks.popleft()


class StageTimes:
    """On a GPU the stages are timed by events in its queue, elsewhere by the clock."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._spans: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []
        self._seconds: dict[str, float] = {}
        self.current = ""

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts what is done, or handed to the GPU, within the block; a stage may be entered several times."""
        self.current = name
        if self._device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record(torch.cuda.current_stream(self._device))
            yield
            end.record(torch.cuda.current_stream(self._device))
            self._spans.append((name, start, end))
            return
        began = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    def seconds(self) -> dict[str, float]:
        """Waits for the stages that were handed to the GPU."""
        for name, start, end in self._spans:
            end.synchronize()
            self._seconds[name] = self._seconds.get(name, 0.0) + start.elapsed_time(end) / 1000.0
        self._spans.clear()
        return dict(self._seconds)
