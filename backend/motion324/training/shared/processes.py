"""Joins the processes of a training run, one per GPU where torchrun starts them, heeds the signals that ask them to
stop, and asks their device for what training needs of it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType

import torch
import torch.distributed as dist
from torch import Tensor, nn

from motion324.core.errors import EXIT_BACKEND, Motion324Error


@dataclass(frozen=True)
class Processes:
    """rank: of this process, 0 the one that measures, logs and saves. count: of all. device: this one's own."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, value: float) -> float:
        """The first process's value, in all processes."""
        if self.count == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(tensor, 0)
        return float(tensor.item())

    def totals(self, values: list[float]) -> list[float]:
        """The sums of each process's values, in all processes."""
        if self.count == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def texts(self, own: list[str]) -> list[str]:
        """Those of all processes, one process after the other, in all processes."""
        if self.count == 1:
            return own
        found: list[list[str]] = [[]] * self.count
        dist.all_gather_object(found, own)
        return [text for part in found for text in part]

    def least(self, value: float) -> float:
        """The smallest of the processes' values, in all processes."""
        if self.count == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, dist.ReduceOp.MIN)
        return float(tensor.item())

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.count > 1:
            dist.barrier()

    def average(self, tensor: Tensor) -> None:
        """Replaces the tensor by its mean over the processes."""
        if self.count > 1:
            dist.all_reduce(tensor)
            tensor /= self.count

    def same_start(self, model: nn.Module) -> None:
        """Gives every process the first one's weights."""
        if self.count > 1:
            for value in [*model.parameters(), *model.buffers()]:
                dist.broadcast(value.data, 0)


@contextlib.contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Within the block, this process is one of those that torchrun started. See `join_processes`.

    Keep what the processes share, such as a model in DistributedDataParallel, in a function that has returned, or has
    raised, when the block ends. DDP holds the processes' group, and where it is the last to do so it waits for the
    group's threads without releasing Python's lock, which these may need to end: then the run would never end.
    """
    processes = join_processes(device)
    try:
        yield processes
    except BaseException as error:
        _forget_variables(error)
        raise
    finally:
        leave_processes(processes)


def join_processes(device: str) -> Processes:
    """Reads torchrun's variables. device: "auto", "cpu" or "cuda".

    Raises Motion324Error("device-unavailable") where this process has no GPU of its own.
    """
    rank, count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    on_gpu = torch.cuda.is_available() if device == "auto" else device == "cuda"
    local = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    if on_gpu:
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (local.index or 0) >= found:
            raise Motion324Error(
                "device-unavailable",
                f"Training on {local} is not possible: PyTorch {torch.__version__} sees {found} CUDA GPUs.",
                "Start as many processes as there are GPUs, or train with device=cpu (--device cpu).",
                EXIT_BACKEND,
            )
        torch.cuda.set_device(local)
    if count > 1:
        dist.init_process_group("nccl" if on_gpu else "gloo")
    return Processes(rank, count, local)


def leave_processes(processes: Processes) -> None:
    if processes.count > 1:
        gc.collect()
        dist.destroy_process_group()


def _forget_variables(error: BaseException | None) -> None:
    """Those of the functions that an error has ended, which it would keep for as long as it lives."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class StopSignals:
    """Within the block, SIGTERM and Ctrl-C only set `received` to the signal's name; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.received = ""
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name


def half_precision(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def peak_memory(device: torch.device) -> float:
    return torch.cuda.max_memory_reserved(device) / 1e9 if device.type == "cuda" else 0.0


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
