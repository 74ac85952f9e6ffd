"""Chooses the device and the precision that the model runs in, and tells whether a job can be done there: the
arithmetic and memory it needs, how much is free, and whether points and frames are sound.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from motion324.core.errors import EXIT_BACKEND, EXIT_BAD_MESH, EXIT_BAD_VIDEO, EXIT_USAGE, Motion324Error
from motion324.reconstructors.motion_transformer.attention import Attention
from motion324.reconstructors.motion_transformer.attention_backends import longest_attention
from motion324.reconstructors.motion_transformer.checkpoint import look_into
from motion324.reconstructors.motion_transformer.config import IMAGE_PATCHES, ModelConfig
from motion324.reconstructors.motion_transformer.dinov2 import flop_per_block
from motion324.reconstructors.motion_transformer.options import InferenceOptions

log = logging.getLogger(__name__)
# Besides what is counted: the libraries' own workspaces and the smallest batches.
SPARE_BYTES = 300_000_000


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


@dataclass(frozen=True)
class Workload:
    """Floating-point operations (a multiplication and an addition count as two) of the stages.

    Nothing is counted twice that has to be computed only once: the points' features, their queries, and all that
    belongs to the surface do not depend on the frame.
    """

    config: ModelConfig

    def surface(self, samples: int) -> float:
        c = self.config
        cross = c.latent_tokens * self._block(samples) + samples * 4.0 * c.width**2
        own = c.surface_layers * c.latent_tokens * (self._block(c.latent_tokens) + 4.0 * c.width**2)
        return samples * self.embedding + cross + own

    def images(self, frames: int) -> float:
        c = self.config.image
        return frames * (c.depth * flop_per_block(c) + 2.0 * IMAGE_PATCHES**2 * c.width * 3 * c.patch**2)

    def transformer(self, frames: int) -> float:
        c = self.config
        tokens = frames * c.tokens_per_frame
        per_token = 2 * 4.0 * c.width**2 + self._block(tokens) + self._block(c.tokens_per_frame)
        return c.layer_pairs * tokens * per_token

    def points(self, points: int) -> float:
        return points * (self.embedding + 2.0 * self.config.width**2)

    def decoder(self, frames: int, points: int) -> float:
        c = self.config
        per_point = self._block(c.latent_tokens) - 2.0 * c.width**2 + 2.0 * c.width**2 + 6.0 * c.width
        return frames * (points * per_point + c.latent_tokens * 4.0 * c.width**2)

    def total(self, samples: int, frames: int, points: int) -> float:
        """Of a video that fits into one window."""
        parts = (self.surface(samples), self.images(frames), self.transformer(frames), self.points(points))
        return sum(parts) + self.decoder(frames, points)

    def transformer_bytes(self, frames: int, element: int) -> int:
        """The most that the transformer holds at once over `frames`, in numbers of `element` bytes: the residual
        stream in float32, a normalised copy, queries, keys and values, the attention's result and its product."""
        c = self.config
        return int(frames * c.tokens_per_frame * c.width * (4 + 6 * element))

    def least_bytes(self, frames: int, element: int) -> int:
        """The least that a job over a window of `frames` takes besides the weights."""
        return self.transformer_bytes(frames, element) + SPARE_BYTES

    def image_bytes(self, height: int, width: int) -> int:
        """Per frame while it is encoded, all in float32: the tokens' stream, queries to values and hidden rows."""
        c = self.config.image
        tokens = (IMAGE_PATCHES**2 + 1) * 4 * (5 * c.width + 2 * c.mlp_width)
        return tokens + height * width * 3 * 9 + c.image_size**2 * 3 * 8

    def decoder_bytes(self, element: int) -> int:
        """Per point and frame that are decoded at once."""
        c = self.config
        return element * (5 * c.width + c.mlp_width) + 24

    def _block(self, keys: int) -> float:
        """Per query, without the projection of the keys and values: q and output, scores and mixing, MLP."""
        c = self.config
        return 4.0 * c.width**2 + 4.0 * keys * c.width + 4.0 * c.width * c.mlp_width

    @property
    def embedding(self) -> float:
        """Per point: from its position, normal and colour to its feature."""
        c = self.config
        return 2.0 * c.width * (6 * c.frequencies + 3) + 2.0 * c.width * (c.width + 6)


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
            raise out_of_memory(str(self.device), needed, free, "before any work")


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


GIGABYTE = 1e9


def check_points(what: str, positions: np.ndarray, normals: np.ndarray, colours: np.ndarray) -> None:
    """Raises Motion324Error("points-...") where the arrays are not (N, 3) each, are empty, or hold NaN or infinity."""
    for name, array in (("positions", positions), ("normals", normals), ("colours", colours)):
        if array.ndim != 2 or array.shape[1] != 3 or len(array) != len(positions):
            raise _bad_points(
                "shape", f"The {name} of {what} have the shape {array.shape}, where ({len(positions)}, 3) is needed."
            )
        if len(array) == 0:
            raise _bad_points("empty", f"There are no points in {what}.")
        if not np.isfinite(array).all():
            raise _bad_points("not-finite", f"The {name} of {what} hold values that are no finite numbers.")


def check_video(video: np.ndarray) -> None:
    """Raises Motion324Error("frames-...") where the frames are not (T, H, W, 3) uint8, or finite floats."""
    if video.ndim != 4 or video.shape[3] != 3 or 0 in video.shape:
        raise _bad_frames("shape", f"The frames have the shape {video.shape}, where (T, H, W, 3) is needed.")
    if video.dtype != np.uint8 and not np.issubdtype(video.dtype, np.floating):
        raise _bad_frames("type", f"The frames are of type {video.dtype}, where uint8 or a float is needed.")
    if video.dtype != np.uint8 and not np.isfinite(video).all():
        raise _bad_frames("not-finite", "The frames hold values that are no finite numbers.")


def out_of_memory(device: str, needed: int, free: int | None, stage: str) -> Motion324Error:
    have = "" if free is None else f" and {free / GIGABYTE:.1f} GB are free"
    return Motion324Error(
        "out-of-memory",
        f"The motion transformer ran out of memory on {device} ({stage}): "
        f"it needs about {needed / GIGABYTE:.1f} GB{have}.",
        "Choose a smaller window (--window 64, say), close other programs that use the GPU, or use --device cpu.",
        EXIT_BACKEND,
    )


def _bad_points(kind: str, sentence: str) -> Motion324Error:
    return Motion324Error(f"points-{kind}", sentence, "Repair the mesh, then try again.", EXIT_BAD_MESH)


def _bad_frames(kind: str, sentence: str) -> Motion324Error:
    return Motion324Error(f"frames-{kind}", sentence, "Give another video.", EXIT_BAD_VIDEO)
