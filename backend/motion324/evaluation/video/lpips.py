"""Computes LPIPS, how different two pictures look, by the features of AlexNet or VGG-16.

R. Zhang, P. Isola, A. Efros, E. Shechtman, O. Wang, The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric (2018), version 0.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from motion324.evaluation.video.network_weights import read_network_weights

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
FILES = {"alex": "alexnet.ckpt", "vgg": "vgg16.ckpt"}
# (convolution, stride, padding) or ("pool", side); features are taken after the layers whose number is listed.
_ALEX: list[tuple[Any, ...]] = [(0, 4, 2), ("pool", 3), (1, 1, 2), ("pool", 3), (2, 1, 1), (3, 1, 1), (4, 1, 1)]
_VGG: list[tuple[Any, ...]] = [
    (0, 1, 1), (1, 1, 1), ("pool", 2), (2, 1, 1), (3, 1, 1), ("pool", 2), (4, 1, 1), (5, 1, 1), (6, 1, 1), ("pool", 2),
    (7, 1, 1), (8, 1, 1), (9, 1, 1), ("pool", 2), (10, 1, 1), (11, 1, 1), (12, 1, 1),
]  # fmt: skip
_TAKEN = {"alex": (0, 1, 2, 3, 4), "vgg": (1, 3, 6, 9, 12)}


class Lpips:
    """net: "alex" or "vgg". device: PyTorch's. With spatial=True each layer's map is brought to the picture's size
    first, as in Motion80's published script."""

    def __init__(self, net: str, weights: Path | None, device: str = "cpu", spatial: bool = False) -> None:
        """Raises Motion324Error as read_network_weights does, and ImportError without PyTorch."""
        import torch

        arrays = read_network_weights(weights, FILES[net])
        self.spatial, self.device = spatial, device
        self.layers, self.taken = (_ALEX if net == "alex" else _VGG), _TAKEN[net]
        body = next(name.split("/")[0] for name in arrays if not name.startswith("NetLin"))

        def tensor(name: str) -> Any:
            return torch.as_tensor(np.array(arrays[name], np.float32), device=device)

        self.kernels = [tensor(f"{body}/Conv_{k}/kernel").permute(3, 2, 0, 1) for k in range(_count(self.layers))]
        self.biases = [tensor(f"{body}/Conv_{k}/bias") for k in range(_count(self.layers))]
        self.mixes = [tensor(f"NetLinLayer_{k}/Conv_0/kernel").reshape(1, -1, 1, 1) for k in range(5)]

    def distances(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a and b (B, H, W, 3) uint8 RGB -> (B,)."""
        import torch

        with torch.inference_mode():
            total: Any = 0.0
            for first, second, mix in zip(self._features(a), self._features(b), self.mixes, strict=True):
                different = ((_unit(first) - _unit(second)) ** 2 * mix).sum(dim=1, keepdim=True)
                if self.spatial:
                    different = torch.nn.functional.interpolate(different, a.shape[1:3], mode="bilinear")
                total = total + different.mean(dim=(1, 2, 3))
            return np.asarray(total.cpu().numpy(), np.float64)

    def _features(self, pictures: np.ndarray) -> list[Any]:
        import torch
        from torch.nn import functional

        x = torch.as_tensor(np.ascontiguousarray(pictures), device=self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        shift, scale = (torch.tensor(value, device=self.device).reshape(1, 3, 1, 1) for value in (SHIFT, SCALE))
        x = (x - shift) / scale
        found = []
        for layer in self.layers:
            if layer[0] == "pool":
                x = functional.max_pool2d(x, layer[1], 2)
                continue
            number, stride, padding = layer
            x = functional.relu(functional.conv2d(x, self.kernels[number], self.biases[number], stride, padding))
            if number in self.taken:
                found.append(x)
        return found


def _count(layers: list[tuple[Any, ...]]) -> int:
    return sum(layer[0] != "pool" for layer in layers)


def _unit(features: Any) -> Any:
    return features / (features.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10)
