"""Holds U2-Net-P in PyTorch, up to the side output that is used: for GPUs which onnxruntime cannot reach here.

Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection", 2020. The convolutions of the
file have their normalisation folded in, and lie in it in the order in which they are computed here.
Letters: B pictures, s a side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion324.video.foreground.onnx_graph import convolutions

ENCODED_DEPTHS = (7, 6, 5, 4)  # of the nested U of each stage, until the pictures are too small to shrink further
DECODED_DEPTHS = (4, 5, 6)
MIDDLE, WIDTH = 16, 64
DILATIONS = (1, 2, 4, 8)  # instead of shrinking, in the smallest stages


class Convolution(nn.Module):
    """3 x 3, then a ReLU."""

    def __init__(self, inner: int, outer: int, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inner, outer, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.convolution(x))


class NestedU(nn.Module):
    """A U-Net of its own: `depth` levels, the last of which is dilated instead of smaller."""

    def __init__(self, inner: int, depth: int) -> None:
        super().__init__()
        self.enter = Convolution(inner, WIDTH)
        self.down = nn.ModuleList(Convolution(WIDTH if level == 0 else MIDDLE, MIDDLE) for level in range(depth - 1))
        self.bottom = Convolution(MIDDLE, MIDDLE, 2)
        self.up = nn.ModuleList(Convolution(2 * MIDDLE, MIDDLE) for _ in range(depth - 2))
        self.leave = Convolution(2 * MIDDLE, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        seen = [self.down[0](entered)]
        for level in self.down[1:]:
            seen.append(level(shrunk(seen[-1])))
        found = self.bottom(seen[-1])
        for level, beside in zip((*self.up, self.leave), reversed(seen), strict=True):
            found = level(torch.cat([enlarged(found, beside), beside], dim=1))
        return found + entered


class DilatedU(nn.Module):
    """As a nested U, with wider and wider dilations instead of smaller pictures."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        first, *others = DILATIONS[:-1]
        self.enter = Convolution(inner, WIDTH)
        self.down = nn.ModuleList([
            Convolution(WIDTH, MIDDLE, first), *(Convolution(MIDDLE, MIDDLE, dilation) for dilation in others),
        ])  # fmt: skip
        self.bottom = Convolution(MIDDLE, MIDDLE, DILATIONS[-1])
        self.up = nn.ModuleList(Convolution(2 * MIDDLE, MIDDLE, dilation) for dilation in reversed(others))
        self.leave = Convolution(2 * MIDDLE, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        found, seen = entered, []
        for level in self.down:
            found = level(found)
            seen.append(found)
        found = self.bottom(found)
        for level, beside in zip((*self.up, self.leave), reversed(seen), strict=True):
            found = level(torch.cat([found, beside], dim=1))
        return found + entered


class SaliencyNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inner = (3, *(WIDTH for _ in ENCODED_DEPTHS[1:]))
        encoders: list[nn.Module] = [NestedU(size, depth) for size, depth in zip(inner, ENCODED_DEPTHS, strict=True)]
        self.encoders = nn.ModuleList([*encoders, DilatedU(WIDTH), DilatedU(WIDTH)])
        self.decoders = nn.ModuleList([DilatedU(2 * WIDTH), *(NestedU(2 * WIDTH, depth) for depth in DECODED_DEPTHS)])
        self.side = nn.Conv2d(WIDTH, 1, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, s, s), normalised -> logits (B, 1, s / 2, s / 2)."""
        found, seen = pictures, []
        for number, encoder in enumerate(self.encoders):
            found = encoder(shrunk(found) if number else found)
            seen.append(found)
        for decoder, beside in zip(self.decoders, reversed(seen[:-1]), strict=False):
            found = decoder(torch.cat([enlarged(found, beside), beside], dim=1))
        logits: Tensor = self.side(found)
        return logits

    def load(self, data: bytes) -> None:
        """data: the network's ONNX file. Raises ValueError where it has other convolutions."""
        own = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        given = convolutions(data)
        # Behind the inner ones the file has stage1d, which is left out, and the side outputs, finest first.
        sides = [pair for pair in given if pair[0].shape[:2] == (1, WIDTH)]
        taken = [*given[: len(own) - 1], *sides[1:2]]
        if [kernel.shape for kernel, _ in taken] != [tuple(module.weight.shape) for module in own]:
            raise ValueError("the file of the network has other convolutions than U2-Net-P")
        for module, (kernel, bias) in zip(own, taken, strict=True):
            module.weight.data, module.bias.data = torch.from_numpy(kernel), torch.from_numpy(bias)


def shrunk(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2, 2, ceil_mode=True)


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def run_on_gpu(data: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """data: the network's ONNX file. What runs pictures (B, 3, s, s) float32. Raises whatever PyTorch does where it
    cannot use the GPU, RuntimeError where there is none."""
    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU")
    run = runner(data, torch.device("cuda"))
    run(np.zeros((1, 3, 64, 64), np.float32))
    return run


@contextmanager
def _unrounded_convolutions() -> Iterator[None]:
    """On CUDA PyTorch rounds what convolutions multiply to TF32, by which masks lay up to 0.11 beside the CPU's."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def runner(data: bytes, device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    network = SaliencyNetwork().eval()
    network.load(data)
    network = network.to(device)
    exact = Lock()  # how convolutions round is told to PyTorch as a whole

    def run(pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), exact, _unrounded_convolutions():
            found: np.ndarray = network(torch.from_numpy(pictures).to(device)).cpu().numpy()
        return found

    return run
