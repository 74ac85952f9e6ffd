"""Whether the chosen attention kernels can be trained through here: some fail in the backward pass only."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.reconstructors.motion_transformer.attention_kernels import first_line
from motion324.training.transformer.batched_transformer import BatchedTransformer

log = logging.getLogger(__name__)

PLAINER = ("flash", "efficient", "math")  # PyTorch's own, tried in this order where "auto" fails


def settle_attention(module: BatchedTransformer, choice: str, step: Callable[[], object]) -> str:
    """The first choice whose forward and backward pass runs, which the module uses from then on.

    choice: of the configuration; "auto" may fall back. step: one small forward and backward pass.
    Raises Motion324Error("attention-unavailable") where another choice fails.
    """
    for name in (choice, *PLAINER) if choice == "auto" else (choice,):
        module.use_attention(name)
        try:
            step()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            why = first_line(error)
            log.warning("The attention kernels of '%s' cannot be trained through here: %s", name, why)
            continue
        return name
    raise Motion324Error(
        "attention-unavailable",
        f"No attention kernel of '{choice}' can be trained through on this device: {why}.",
        "Set steps.attention to another one.",
        EXIT_BACKEND,
    )
