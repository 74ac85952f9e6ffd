"""Whether everything of the compact model's training works, in a few seconds, before a long run begins."""

from __future__ import annotations

import time
from collections.abc import Callable

from motion324.reconstructors.node_model.model import NodeModel, NodeOutputs
from motion324.training.compact.batches import Synthesiser, TrainingBatch
from motion324.training.compact.device import synchronise
from motion324.training.compact.losses import losses
from motion324.training.compact.run_log import RunLog
from motion324.training.shared.processes import Processes


def check_itself(
    model: NodeModel,
    ask: Callable[[NodeModel, TrainingBatch], NodeOutputs],
    training: Synthesiser,
    processes: Processes,
    log: RunLog,
) -> None:
    """One small step's worth of everything, in a few seconds, and how long a full batch takes to make.

    Raises RuntimeError where a loss or gradient is not finite or a parameter gets no gradient.
    """
    batch = training.batch(4)
    outputs = ask(model, batch)
    found = losses(outputs, batch, 0.2)
    found.total.backward()
    if outputs.positions[-1].shape != batch.targets.shape or not bool(found.total.isfinite()):
        raise RuntimeError(f"self-check: loss {found.total.item()}, positions {tuple(outputs.positions[-1].shape)}")
    bad = [
        name
        for name, value in model.named_parameters()
        if value.requires_grad and (value.grad is None or not bool(value.grad.isfinite().all()))
    ]
    if bad:
        raise RuntimeError(f"self-check: no finite gradient for {', '.join(bad[:5])} and {len(bad)} parameters in all")
    still = (outputs.positions[-1] - batch.targets[:, :1]).abs().max().item()
    model.zero_grad(set_to_none=True)
    training.batch(4)
    synchronise(processes.device)
    started = time.monotonic()
    training.batch(8)
    synchronise(processes.device)
    log.write(
        "checked",
        loss=found.points.item(),
        matches=found.matches.item(),
        moved_at_start=still,
        eight_clips_ms=1000 * (time.monotonic() - started),
    )
