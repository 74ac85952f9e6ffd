"""Finds how many samples a GPU takes at once."""

from __future__ import annotations

from collections.abc import Callable

import torch

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.training.clips.motion_batch import MotionBatch, Shares
from motion324.training.shared.config import TrainingConfig
from motion324.training.shared.processes import Processes

MEMORY_SHARE = 0.85  # of the GPU's memory, for weights, activations, and what AdamW will keep
KEPT_FREE = 6 << 30  # bytes, for making samples on the GPU and for what the allocator cannot fill
PROBED = ((2, 4), (1, 2))  # sizes that are tried
MOST_ON_CPU = 8


def choose_shares(
    config: TrainingConfig, processes: Processes, earlier: int, peak: Callable[[int], int], kept_bytes: int
) -> Shares:
    """Who takes which samples. earlier: what an interrupted run on as many processes took at once, or 0.

    peak: bytes that a step with so many samples takes. kept_bytes: that AdamW will add to that.
    Raises Motion324Error("config-value") where the batch cannot be shared so.
    """
    steps, count = config.steps, processes.count
    chunk = config.synthetic.chunk if config.data.kind == "synthetic" else 1
    if steps.batch % (count * chunk):
        each = f", in chunks of {chunk} (synthetic.chunk)" if chunk > 1 else ""
        raise _unshared(f"The key 'steps.batch' is {steps.batch}, which {count} processes cannot share evenly{each}")
    share = steps.batch // count
    possible = [size for size in range(chunk, share + 1, chunk) if share % size == 0]
    if steps.batch_per_gpu:
        if steps.batch_per_gpu not in possible:
            sizes = ", ".join(map(str, possible))
            raise _unshared(f"The key 'steps.batch_per_gpu' is {steps.batch_per_gpu}; here it can be {sizes}")
        at_once = steps.batch_per_gpu
    elif earlier in possible:
        at_once = earlier
    elif processes.device.type != "cuda":
        at_once = max([size for size in possible if size <= MOST_ON_CPU], default=possible[0])
    else:
        fits = most_that_fit(peak, possible, _room(processes.device) - kept_bytes)
        at_once = int(processes.least(fits))
    return Shares(steps.batch, at_once, processes.rank, count)


def most_that_fit(peak: Callable[[int], int], possible: list[int], room: int) -> int:
    """The largest of the possible sizes whose memory, on a straight line through two small ones, is at most `room`.

    Raises Motion324Error("out-of-memory") where none is.
    """
    for small, larger in PROBED:
        try:
            first, second = peak(small), peak(larger)
        except torch.OutOfMemoryError:
            continue
        each = max(1.0, (second - first) / (larger - small))
        fitting = [size for size in possible if first + each * (size - small) <= room]
        if fitting:
            return max(fitting)
    raise Motion324Error(
        "out-of-memory",
        f"A GPU's memory does not hold a training step with {possible[0]} samples at once.",
        "Set steps.recompute=true, steps.parallel=fsdp or a smaller synthetic.chunk, or fewer data.query_points.",
        EXIT_BACKEND,
    )


def random_batch(config: TrainingConfig, size: int, device: torch.device) -> MotionBatch:
    """Numbers in the shapes of a batch."""
    data = config.data
    frame = (data.image_size, data.image_size, 3)
    return MotionBatch(
        video=torch.randint(0, 256, (size, data.frames, *frame), dtype=torch.uint8, device=device),
        surface=torch.rand(size, data.surface_points, 9, device=device),
        points=torch.rand(size, data.query_points, 9, device=device),
        targets=torch.rand(size, data.frames, data.query_points, 3, device=device),
        names=("random",) * size,
    )


def _room(device: torch.device) -> int:
    total = torch.cuda.get_device_properties(device).total_memory
    return min(int(total * MEMORY_SHARE), total - KEPT_FREE)


def _unshared(sentence: str) -> Motion324Error:
    return Motion324Error("config-value", f"{sentence}.", "", EXIT_USAGE)
