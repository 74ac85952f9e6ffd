"""Computes attention by the fastest kernel that is installed and can do what is asked."""

from __future__ import annotations

import logging
from collections.abc import Callable

from torch import Tensor

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import read_option
from motion324.reconstructors.motion_transformer.attention_backends import Shape, shape_of
from motion324.reconstructors.motion_transformer.attention_kernels import KERNELS, Kernel, counted, first_line

log = logging.getLogger(__name__)

# Only "auto" uses them: for the decoder's short attention, and for a long one whose heads' norms bound the scores.
OURS = (FEW_KEYS, BOUNDED) = ("few-keys", "bounded")

# Fastest first, by the device's compute capability; benchmarks/motion_transformer.py prints the measurements.
# "long": thousands of queries and keys. "few queries": the latent tokens over a whole surface. "short": all others.
HOPPER = {
    "long": (
        BOUNDED,
        "flash-attn-3",
        "flash-attn-4",
        "cudnn",
        "xformers",
        "flash-attn-2",
        "flash",
        "efficient",
        "math",
    ),
    "few queries": ("flash", "flash-attn-2", "cudnn", "xformers", "flash-attn-4", "efficient", "math"),
    "short": (
        FEW_KEYS,
        "cudnn",
        "flash-attn-3",
        "flash-attn-4",
        "flash-attn-2",
        "xformers",
        "flash",
        "efficient",
        "math",
    ),
}
BLACKWELL = {
    "long": ("flash-attn-4", "cudnn", "flash-attn-2", "xformers", "flash", "efficient", "math"),
    "few queries": ("flash", "flash-attn-2", "cudnn", "xformers", "efficient", "math"),
    "short": (FEW_KEYS, "cudnn", "flash-attn-4", "flash-attn-2", "xformers", "flash", "efficient", "math"),
}
OTHERS = {
    "long": ("flash-attn-2", "flash", "cudnn", "xformers", "efficient", "math"),
    "few queries": ("flash", "flash-attn-2", "cudnn", "xformers", "efficient", "math"),
    "short": (FEW_KEYS, "flash-attn-2", "flash", "cudnn", "xformers", "efficient", "math"),
}
LONG = 1024


class Attention:
    """softmax(q k^T / sqrt(e)) v by the kernel that `choice` selects for each shape.

    A kernel that fails when it is first used (a broken installation, say) is logged and dropped where "auto" chose it.
    """

    def __init__(self, choice: str = "auto") -> None:
        """Raises Motion324Error("bad-option") for a choice that AnimateOptions.attention does not have."""
        read_option("attention", choice)
        self.choice = choice
        self._chosen: dict[Shape, list[Kernel]] = {}
        self._proven: set[str] = set()
        self._broken: set[str] = set()
        self._logged: set[tuple[str, str]] = set()

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, bounded: bool = False) -> Tensor:
        """q (B, Lq, H, e), k and v (B, Lk, H, e) -> (B, Lq, H, e). bounded: see Shape."""
        shape = shape_of(q, k, bounded)
        return self._first_that_runs(shape, self._candidates(shape), lambda kernel: kernel.run(q, k, v))

    def counted(self, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor, bounded: bool = False) -> Tensor:
        """As a call, but the first R keys count as often as log_counts (R,) says, as a logarithm."""
        shape = shape_of(q, k, bounded)
        candidates = [kernel for kernel in self._candidates(shape) if kernel.gives_sums(shape)]
        candidates += [KERNELS["math"]] * (not candidates)
        return self._first_that_runs(shape, candidates, lambda kernel: _counted(kernel, q, k, v, log_counts))

    def _first_that_runs(self, shape: Shape, candidates: list[Kernel], compute: Callable[[Kernel], Tensor]) -> Tensor:
        for kernel in candidates:
            try:
                out = compute(kernel)
            except (RuntimeError, ImportError, AttributeError, TypeError, ValueError, NotImplementedError) as error:
                if kernel.name in self._proven or _is_out_of_memory(error):
                    raise
                if self.choice != "auto":
                    raise unavailable(self.choice, shape, f"it fails with: {first_line(error)}") from error
                log.warning("Attention kernel %s fails and is not used: %s", kernel.name, first_line(error))
                self._broken.add(kernel.name)
                self._chosen.clear()
                continue
            self._proven.add(kernel.name)
            self._announce(kernel, shape)
            return out
        raise unavailable(self.choice, shape, "no kernel that can do it is installed")

    @property
    def used(self) -> dict[str, list[str]]:
        """Names of the kernels that have run until now, by the kind of attention."""
        kinds = sorted({kind for _, kind in self._logged})
        return {kind: sorted(name for name, of in self._logged if of == kind) for kind in kinds}

    def usable(self, shape: Shape) -> list[str]:
        """Names of the kernels that can do a shape here, in the order in which they would be tried."""
        return [kernel.name for kernel in self._candidates(shape)]

    def kernel_for(self, shape: Shape) -> str:
        """The name of the kernel that would be tried first. Raises Motion324Error("attention-unavailable")."""
        candidates = self._candidates(shape)
        if not candidates:
            raise unavailable(self.choice, shape, "it is not installed, or cannot run on this device in this precision")
        return candidates[0].name

    def _candidates(self, shape: Shape) -> list[Kernel]:
        found = self._chosen.get(shape)
        if found is None:
            order = [KERNELS[name] for name in _order(shape)]
            if self.choice != "auto":
                order = [kernel for kernel in order if self.choice in (kernel.name, kernel.family)]
            found = [kernel for kernel in order if kernel.name not in self._broken and kernel.supports(shape)]
            self._chosen[shape] = found
        return found

    def _announce(self, kernel: Kernel, shape: Shape) -> None:
        kind = _kind(shape)
        if (kernel.name, kind) not in self._logged:
            self._logged.add((kernel.name, kind))
            dtype = str(shape.dtype).removeprefix("torch.")
            log.info("Attention (%s) on %s in %s: %s", kind, shape.device, dtype, kernel.name)


def _counted(kernel: Kernel, q: Tensor, k: Tensor, v: Tensor, log_counts: Tensor) -> Tensor:
    assert kernel.with_sums is not None
    return counted(kernel.with_sums, q, k, v, log_counts)


def unavailable(choice: str, shape: Shape, why: str) -> Motion324Error:
    dtype = str(shape.dtype).removeprefix("torch.")
    return Motion324Error(
        "attention-unavailable",
        f"The attention kernel '{choice}' cannot be used on {shape.device} in {dtype} "
        f"with heads {shape.head_width} wide: {why}.",
        "Use --attention auto, which picks one that can.",
        EXIT_USAGE,
    )


def _kind(shape: Shape) -> str:
    if shape.keys < LONG:
        return "short"
    return "long" if shape.queries >= LONG else "few queries"


def _order(shape: Shape) -> tuple[str, ...]:
    major = shape.capability[0]
    orders = HOPPER if major == 9 else BLACKWELL if major in (10, 11) else OTHERS
    order = orders[_kind(shape)]
    return order + tuple(name for name in KERNELS if name not in order and name not in OURS)


def _is_out_of_memory(error: Exception) -> bool:
    return type(error).__name__ == "OutOfMemoryError"
