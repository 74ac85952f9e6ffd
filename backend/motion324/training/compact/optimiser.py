"""The compact model's optimiser: Muon for its inner matrices, AdamW for its first and last layers and its vectors."""

from __future__ import annotations

import torch

from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.compact.options import CompactOptions
from motion324.training.shared.muon import Muon

FIRST_AND_LAST = ("encoder.stem.", "point_in.", "node_out.", ".head.")  # within names of layers


class CompactOptimiser:
    """The rate lies on the device, so that a recorded step can be replayed with another one."""

    def __init__(self, model: NodeModel, options: CompactOptions, device: torch.device) -> None:
        inner, outer, vectors = [], [], []
        for name, value in model.named_parameters():
            if not value.requires_grad:
                continue
            if value.dim() <= 1:
                vectors.append(value)
            elif any(part in name for part in FIRST_AND_LAST) or not options.muon:
                outer.append(value)
            else:
                inner.append(value)
        on_gpu = device.type == "cuda"
        self._rate = torch.zeros((), device=device)
        self._muon = Muon(inner, options.momentum, options.weight_decay)
        self._adam = torch.optim.AdamW(
            [{"params": outer, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=self._rate,
            betas=(0.9, 0.98),
            fused=on_gpu,
            capturable=on_gpu,
        )

    def set_rate(self, rate: float) -> None:
        self._rate.fill_(rate)

    def step(self) -> None:
        self._muon.step(self._rate)
        self._adam.step()
