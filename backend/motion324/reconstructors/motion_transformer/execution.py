"""Carries out a model's arithmetic: in pieces that fit the memory, paced, by the chosen kernels.

Long work is cut into short pieces, so that progress is seen and cancelling is noticed, and its stages are timed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from motion324.reconstructors.motion_transformer import fused
from motion324.reconstructors.motion_transformer.attention import Attention

# A piece of work is sized to last about this long on a device that reaches `piece_rate`.
PIECE_SECONDS = 0.1
# A GPU runs behind the program that feeds it; this many marks may be outstanding before the program waits for it.
MARKS_AHEAD = 3
POLL_SECONDS = 0.0001
# Of one multiprocessor in half precision, by the major compute capability: about half of the datasheet's.
FLOP_PER_CYCLE = {7: 512, 8: 1024, 9: 2048, 10: 2048, 11: 2048, 12: 1024}
log = logging.getLogger(__name__)

# Rows of a matrix product are cut in multiples of this, which keeps the multiprocessors evenly loaded.
ROW_ALIGNMENT = 256
QUERY_ALIGNMENT = 128
# Below this many rows a piece is not cut further when memory runs out.
FEWEST_ROWS = 256


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


class Execution:
    """Carries out the operations of the blocks. What they compute does not depend on it.

    A piece that does not fit the memory is cut in half and tried again, and that size is kept for its kind of work.
    """

    def __init__(self, attention: Attention, pace: Pace, *, tf32: bool = False) -> None:
        """tf32: products of float32 numbers on CUDA may round these to 10 bits of mantissa."""
        self.attention = attention
        self.pace = pace
        self.tf32 = tf32
        self.most_rows: dict[str, int] = {}

    @classmethod
    def plain(cls, device: torch.device) -> Execution:
        """Everything in one piece, differentiable, kernels chosen automatically: for training and for tests."""
        return cls(Attention("auto"), Pace(device, whole=True))

    def by_rows(
        self,
        kind: str,
        rows: int,
        flop_per_row: float,
        compute: Callable[[slice], None],
        align: int = ROW_ALIGNMENT,
        fewest: int = FEWEST_ROWS,
    ) -> None:
        """Calls compute(slice) for slices that cover range(rows). A call that runs out of memory is repeated.

        kind: names the work, for its remembered size. fewest: pieces are not cut below this many rows.
        Raises torch.OutOfMemoryError where the smallest piece fails.
        """
        done = 0
        while done < rows:
            first = done
            size = rows - done
            try:
                for piece in self.pace.pieces(rows - first, flop_per_row, self.most_rows.get(kind), align):
                    size = piece.stop - piece.start
                    compute(slice(first + piece.start, first + piece.stop))
                    done = first + piece.stop
            except torch.OutOfMemoryError:
                if size <= fewest or self.pace.whole:
                    raise
                self.make_room(kind, max(fewest, size // 2))

    def make_room(self, kind: str, rows: int) -> None:
        """Limits this kind of work to `rows` rows a piece from now on, and gives unused memory back."""
        self.most_rows[kind] = rows
        log.warning("Out of memory in '%s': going on with %d rows at a time.", kind, rows)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def linear(self, kind: str, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """x (..., d) -> (..., d'), in the weight's precision."""
        if torch.is_grad_enabled():
            return F.linear(x, weight, bias)
        flat = x.reshape(-1, x.shape[-1]).to(weight.dtype)
        out = torch.empty(flat.shape[0], weight.shape[0], dtype=weight.dtype, device=x.device)

        def compute(rows: slice) -> None:
            if bias is None:
                torch.mm(flat[rows], weight.T, out=out[rows])
            else:
                torch.addmm(bias, flat[rows], weight.T, out=out[rows])

        self.by_rows(kind, flat.shape[0], 2.0 * weight.numel(), compute)
        return out.view(*x.shape[:-1], weight.shape[0])

    def mlp(self, kind: str, x: Tensor, widen: Tensor, narrow: Tensor) -> Tensor:
        """x (..., d) -> GELU(x W1^T) W2^T (..., d); the hidden rows live for one piece only."""
        if torch.is_grad_enabled():
            return F.linear(fused.linear_gelu(x, widen), narrow)
        flat = x.reshape(-1, x.shape[-1]).to(widen.dtype)
        out = torch.empty(flat.shape[0], narrow.shape[0], dtype=narrow.dtype, device=x.device)

        def compute(rows: slice) -> None:
            torch.mm(fused.linear_gelu(flat[rows], widen), narrow.T, out=out[rows])

        self.by_rows(kind, flat.shape[0], 2.0 * (widen.numel() + narrow.numel()), compute)
        return out.view(*x.shape[:-1], narrow.shape[0])

    def attend(
        self, kind: str, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor | None = None, bounded: bool = False
    ) -> Tensor:
        """q (B, Lq, H, e), k and v (B, Lk, H, e) -> (B, Lq, H * e): cut along B, or along the queries where B is 1.

        log_counts (R,): how often each of the first R keys counts, as a logarithm; the others count once. bounded: see
        attention_backends.Shape.
        """
        batch, queries, heads, width = q.shape
        if torch.is_grad_enabled():
            return self._attention(q, k, v, log_counts, bounded).flatten(2)
        along = 1 if batch == 1 else 0
        flop_per_row = 4.0 * k.shape[1] * heads * width * (1 if along else queries)
        parts: list[Tensor] = []

        def compute(rows: slice) -> None:
            if along:
                parts.append(self._attention(q[:, rows], k, v, log_counts, bounded))
            else:
                parts.append(self._attention(q[rows], k[rows], v[rows], log_counts, bounded))

        self.by_rows(kind, q.shape[along], flop_per_row, compute, QUERY_ALIGNMENT if along else 1)
        out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=along)
        return out.reshape(batch, queries, heads * width)

    def _attention(self, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor | None, bounded: bool) -> Tensor:
        if log_counts is None:
            return self.attention(q, k, v, bounded)
        return self.attention.counted(q, k, v, log_counts, bounded)

    def attend_float32(self, qkv: Tensor) -> Tensor:
        """As `attend`, in one piece, for qkv (B, L, 3, H, e) in float32; so is the result (B, L, H * e).

        Where TF32 is allowed the kernels get float16: it has the same 10 bits of mantissa as TF32, they still sum in
        float32, and they are several times faster than those for float32.
        """
        if self.tf32 and qkv.device.type == "cuda":
            return self.attention(*qkv.half().unbind(2)).flatten(2).float()
        return self.attention(*qkv.unbind(2)).flatten(2)

    def add_norm(
        self, stream: Tensor, branches: tuple[Tensor, ...], norm: torch.nn.LayerNorm, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """The residual stream (..., d) float32 with the branches added to it, and its LayerNorm in `dtype`."""
        return fused.norm_of_sum(stream, branches, norm.weight, norm.bias, norm.eps, dtype)
