"""Measures a model: whether everything of its training works, before a long run begins, and how well it does on clips
of rigs that it was never trained on, beside the mesh held still.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motion324.reconstructors.node_model.inputs_and_answers import NodeOutputs
from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.node_model.batches import Synthesiser, TrainingBatch
from motion324.training.node_model.losses import losses
from motion324.training.shared.processes import Processes, synchronise
from motion324.training.shared.training_log import RunLog

CHAMFER_POINTS = 512


@dataclass(frozen=True)
class Validation:
    """Sums over all clips, of predictions divided by those of the still mesh: smaller is better, 1 is standing still.

    ratio: mean point error. in_plane, depth: its parts across and along the camera's axis. chamfer, still_chamfer: mean
    two-way distances (not a ratio). still_error: what 1 stands for. median: of the clips' own ratios.
    by_model: ratios per rig.
    """

    ratio: float
    in_plane: float
    depth: float
    chamfer: float
    still_chamfer: float
    still_error: float
    median: float
    by_model: dict[str, float]


@torch.no_grad()
def validate(
    model: nn.Module, batches: list[TrainingBatch], run: Callable[[nn.Module, TrainingBatch], Tensor]
) -> Validation:
    """run: gives the positions (B, T, P, 3) that the model predicts for a batch."""
    rows: list[Tensor] = []
    names: list[str] = []
    for batch in batches:
        truth, still = batch.targets[:, 1:], batch.targets[:, :1]
        predicted = run(model, batch)[:, 1:]
        rows.append(torch.stack([*_errors(predicted, truth), *_errors(still.expand_as(truth), truth)], dim=1))
        names += batch.names
    table = torch.cat(rows).double().cpu()  # (clips, 8): error, in plane, depth, chamfer; then of the still mesh
    predicted, still = table[:, :4], table[:, 4:].clamp(min=1e-9)
    by_model: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        by_model[name].append(row)
    overall = predicted.sum(dim=0) / still.sum(dim=0)
    return Validation(
        ratio=overall[0].item(),
        in_plane=overall[1].item(),
        depth=overall[2].item(),
        chamfer=predicted[:, 3].mean().item(),
        still_chamfer=still[:, 3].mean().item(),
        still_error=still[:, 0].mean().item(),
        median=(predicted[:, 0] / still[:, 0]).median().item(),
        by_model={
            name: (predicted[rows, 0].sum() / still[rows, 0].sum()).item() for name, rows in sorted(by_model.items())
        },
    )


def _errors(predicted: Tensor, truth: Tensor) -> list[Tensor]:
    """Per clip (B,): mean error of points, its part across the camera's axis, that along it, and chamfer distance."""
    difference = predicted - truth
    sides = []
    for a, b in ((predicted, truth), (truth, predicted)):
        distances = torch.cdist(a[:, :, :CHAMFER_POINTS].flatten(0, 1).float(), b.flatten(0, 1).float())
        sides.append(distances.amin(dim=-1).view(a.shape[0], -1).mean(dim=1))
    return [
        difference.norm(dim=-1).mean(dim=(1, 2)),
        difference[..., :2].norm(dim=-1).mean(dim=(1, 2)),
        difference[..., 2].abs().mean(dim=(1, 2)),
        sides[0] + sides[1],
    ]


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
