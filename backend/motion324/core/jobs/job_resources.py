"""Declares what an item of a job file needs of the machine that does it, and finds it from the item's options."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from motion324.core.options.animate_options import TRANSFORMER, AnimateOptions
from motion324.core.options.option_group import OptionGroup
from motion324.core.options.option_spec import option

BASE_MEMORY = 1.5  # GB of the default reconstructor: measured 0.7 GB with short videos, and 1.4 GB with 128 frames
TRANSFORMER_MEMORY = 6.0
BLENDER_MEMORY = 1.0


@dataclass(frozen=True)
class JobResources(OptionGroup):
    """None is found from the item's options. What each of them means is its help."""

    cpus: float | None = option(None, "processor cores", low=0.1, high=1024, flag=None)
    gpus: float | None = option(
        None, "GPUs, or a share of one where several items may use it at once", low=0, high=64, flag=None
    )
    memory: float | None = option(None, "memory in GB", low=0.1, high=65536, flag=None)

    def found(self, options: AnimateOptions, needs_blender: bool) -> Resources:
        """Numbers for all of them."""
        on_gpu = options.device.startswith("cuda")
        transformer = options.reconstructor == TRANSFORMER
        gpus = 1.0 if transformer and options.device != "cpu" else 0.25 if on_gpu else 0.0
        memory = (TRANSFORMER_MEMORY if transformer else BASE_MEMORY) + BLENDER_MEMORY * needs_blender
        return Resources(
            cpus=1.0 if self.cpus is None else self.cpus,
            gpus=gpus if self.gpus is None else self.gpus,
            memory=memory if self.memory is None else self.memory,
        )


@dataclass(frozen=True)
class Resources:
    """cpus: cores. gpus: GPUs, or a share. memory: GB."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: float = BASE_MEMORY

    def fits(self, there: Resources) -> bool:
        return all(getattr(self, f.name) <= getattr(there, f.name) for f in dataclasses.fields(self))
