"""Whether this machine can run a checkpoint as it is asked to, found out before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from motion324.reconstructors.motion_transformer import job_errors
from motion324.reconstructors.motion_transformer.attention import Attention
from motion324.reconstructors.motion_transformer.attention_shape import longest_attention
from motion324.reconstructors.motion_transformer.checkpoint import look_into
from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.device import Precision, choose_device, choose_precision, free_bytes
from motion324.reconstructors.motion_transformer.options import InferenceOptions
from motion324.reconstructors.motion_transformer.workload import Workload


@dataclass(frozen=True)
class Readiness:
    """device, precision: those that the options lead to here. weight_bytes: that the model takes on the device."""

    device: torch.device
    precision: Precision
    config: ModelConfig
    weight_bytes: int

    def check_memory(self, frames: int, weights_are_there: bool) -> None:
        """frames: that the model sees at once. Raises Motion324Error("out-of-memory") where they cannot fit now."""
        free = free_bytes(self.device)
        needed = Workload(self.config).least_bytes(frames, self.precision.blocks.itemsize)
        needed += 0 if weights_are_there else self.weight_bytes
        if free is not None and needed > free:
            raise job_errors.out_of_memory(str(self.device), needed, free, "before any work")


def find_readiness(options: InferenceOptions, weights: Path) -> Readiness:
    """Raises Motion324Error: "device-unavailable", "gpu-too-old", "bad-option", "attention-unavailable", and what
    `checkpoint.look_into` raises.
    """
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    config, weight_bytes = look_into(weights, precision.blocks)
    longest = longest_attention(config, options.window, device, precision.blocks)
    Attention(options.attention).kernel_for(longest)
    return Readiness(device, precision, config, weight_bytes)
