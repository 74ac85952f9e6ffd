"""Chooses the device and the precision that the model runs in, and tells how much memory is free there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Precision:
    """blocks: the type of the transformer's matrices. tf32: whether DINOv2's products may round to TF32 on CUDA."""

    blocks: torch.dtype
    tf32: bool

    @property
    def name(self) -> str:
        return str(self.blocks).removeprefix("torch.")


def choose_device(name: str) -> torch.device:
    """name: as in AnimateOptions; "auto" takes the first GPU that this PyTorch can use, else the CPU.

    Raises Motion324Error("device-unavailable") for one that is not there, ("gpu-too-old") for a GPU that this PyTorch
    has no kernels for.
    """
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        device = torch.device("cuda", 0)
        if _too_old(device):
            log.warning("%s is older than this PyTorch supports; the CPU is used.", torch.cuda.get_device_name(device))
            return torch.device("cpu")
        return device
    device = torch.device(name)
    if device.type == "cpu":
        return device
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device = torch.device("cuda", device.index or 0)
    if device.index >= found:
        raise Motion324Error(
            "device-unavailable",
            f"The device {name} is not there: PyTorch {torch.__version__} sees {found} CUDA GPUs.",
            "Use --device cpu, or install the backend's 'cuda' extra and the GPU's driver.",
            EXIT_BACKEND,
        )
    if _too_old(device):
        major, minor = torch.cuda.get_device_capability(device)
        raise Motion324Error(
            "gpu-too-old",
            f"{torch.cuda.get_device_name(device)} has the compute capability {major}.{minor}, "
            f"which PyTorch {torch.__version__} does not support.",
            "Use --device cpu, or install an older PyTorch that supports it.",
            EXIT_BACKEND,
        )
    return device


def choose_precision(name: str, device: torch.device) -> Precision:
    """ "auto": bfloat16 where the GPU multiplies it fast, float16 where it multiplies only that fast, else float32.

    With "float32" nothing is rounded further. Raises Motion324Error("bad-option") for half precision without a GPU.
    """
    if name == "auto":
        if device.type != "cuda":
            return Precision(torch.float32, tf32=False)
        capability = torch.cuda.get_device_capability(device)
        blocks = torch.bfloat16 if capability >= (8, 0) else torch.float16 if capability >= (7, 0) else torch.float32
        return Precision(blocks, tf32=True)
    blocks = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}[name]
    if device.type == "cpu" and blocks == torch.float16:
        raise Motion324Error(
            "bad-option",
            "The precision float16 is of no use on the CPU.",
            "Use --precision float32 or bfloat16.",
            EXIT_USAGE,
        )
    return Precision(blocks, tf32=blocks != torch.float32)


def free_bytes(device: torch.device) -> int | None:
    """Memory that new tensors may take on a GPU, PyTorch's own cache included; None on the CPU."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


@contextlib.contextmanager
def tf32_products(allowed: bool) -> Iterator[None]:
    """Whether float32 products on CUDA may round their inputs to TF32, within the block."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _too_old(device: torch.device) -> bool:
    built_for = [int(arch.split("_")[1].rstrip("af")) for arch in torch.cuda.get_arch_list() if "_" in arch]
    major, minor = torch.cuda.get_device_capability(device)
    return bool(built_for) and 10 * major + minor < min(built_for)
