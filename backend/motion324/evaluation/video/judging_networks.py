"""Holds the networks by which videos are compared: LPIPS, which tells how different two pictures look, I3D, which FVD
is made of, DreamSim and CLIP.

LPIPS takes the features of AlexNet or VGG-16: R. Zhang, P. Isola, A. Efros, E. Shechtman, O. Wang, The Unreasonable
Effectiveness of Deep Features as a Perceptual Metric (2018), version 0.1. I3D scores a clip for 400 actions: J.
Carreira and A. Zisserman, Quo Vadis, Action Recognition? (2017), trained on Kinetics-400. The last two are computed by
the packages dreamsim and open-clip-torch, with their own preparation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.evaluation.video.network_weights import read_network_weights
from motion324.weights.metric_downloads import prints_on_stderr, read_record, require_package
from motion324.weights.metric_networks import CLIP_MODELS, DREAMSIM, MetricNetwork, clip_network, require_installed

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
FILES = {"alex": "alexnet.ckpt", "vgg": "vgg16.ckpt"}
# (convolution, stride, padding) or ("pool", side); features are taken after the layers whose number is listed.
_ALEX: list[tuple[Any, ...]] = [(0, 4, 2), ("pool", 3), (1, 1, 2), ("pool", 3), (2, 1, 1), (3, 1, 1), (4, 1, 1)]
_VGG: list[tuple[Any, ...]] = [
    (0, 1, 1), (1, 1, 1), ("pool", 2), (2, 1, 1), (3, 1, 1), ("pool", 2), (4, 1, 1), (5, 1, 1), (6, 1, 1), ("pool", 2),
    (7, 1, 1), (8, 1, 1), (9, 1, 1), ("pool", 2), (10, 1, 1), (11, 1, 1), (12, 1, 1),
]  # fmt: skip
_TAKEN = {"alex": (0, 1, 2, 3, 4), "vgg": (1, 3, 6, 9, 12)}
DEFAULT_CLIP = "ViT-bigG-14"


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


FILE = "i3d-kinetics-400.ckpt"
SIDE = 224
EPSILON = 1e-3  # of the batch normalisation
_POOL, _MIX = "pool", "mix"
# (kernel, stride) of convolutions and pools, and mixed blocks, in their order.
_LAYERS: list[tuple[Any, ...]] = [
    ("Conv3d_1a_7x7", (2, 2, 2)), (_POOL, (1, 3, 3), (1, 2, 2)), ("Conv3d_2b_1x1", (1, 1, 1)),
    ("Conv3d_2c_3x3", (1, 1, 1)), (_POOL, (1, 3, 3), (1, 2, 2)), (_MIX, "Mixed_3b"), (_MIX, "Mixed_3c"),
    (_POOL, (3, 3, 3), (2, 2, 2)), (_MIX, "Mixed_4b"), (_MIX, "Mixed_4c"), (_MIX, "Mixed_4d"), (_MIX, "Mixed_4e"),
    (_MIX, "Mixed_4f"), (_POOL, (2, 2, 2), (2, 2, 2)), (_MIX, "Mixed_5b"), (_MIX, "Mixed_5c"),
]  # fmt: skip
_BRANCHES = (("0/Conv3d_0a_1x1",), ("1/Conv3d_0a_1x1", "1/Conv3d_0b_3x3"), ("2/Conv3d_0a_1x1", "2/Conv3d_0b_3x3"))


class I3d:
    """device: PyTorch's."""

    def __init__(self, weights: Path | None, device: str = "cpu") -> None:
        """Raises Motion324Error as read_network_weights does, and ImportError without PyTorch."""
        import torch

        self.device = device
        self.arrays = {
            name: torch.as_tensor(np.array(array, np.float32), device=device)
            for name, array in read_network_weights(weights, FILE).items()
        }

    def scores(self, clips: np.ndarray) -> np.ndarray:
        """clips (B, T, H, W, 3) uint8 RGB, T >= 9 -> (B, 400) float64, before the softmax, mean over time."""
        import torch
        from torch.nn import functional

        small = np.stack([[_resized(frame) for frame in clip] for clip in clips])
        with torch.inference_mode():
            x: Any = torch.as_tensor(small, device=self.device).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
            for layer in _LAYERS:
                if layer[0] == _POOL:
                    x = _max_pool(x, layer[1], layer[2])
                elif layer[0] == _MIX:
                    x = self._mixed(x, layer[1])
                else:
                    x = self._unit(x, layer[0], layer[1])
            x = functional.avg_pool3d(x, (2, 7, 7), 1)
            place = "params/Logits/Conv3d_0c_1x1/Conv_0"
            x = functional.conv3d(x, self._kernel(place), self.arrays[f"{place}/bias"].flatten())
            return np.asarray(x.mean(dim=(2, 3, 4)).cpu().numpy(), np.float64)

    def _mixed(self, x: Any, name: str) -> Any:
        import torch

        outs = []
        for branch in _BRANCHES:
            y = x
            for unit in branch:
                y = self._unit(y, f"{name}/Branch_{unit}", (1, 1, 1))
            outs.append(y)
        outs.append(self._unit(_max_pool(x, (3, 3, 3), (1, 1, 1)), f"{name}/Branch_3/Conv3d_0b_1x1", (1, 1, 1)))
        return torch.cat(outs, dim=1)

    def _unit(self, x: Any, name: str, stride: tuple[int, int, int]) -> Any:
        """Convolution, normalisation by the means and variances of training, rectifier."""
        from torch.nn import functional

        kernel = self._kernel(f"params/{name}/Conv_0")
        x = functional.conv3d(_padded(x, tuple(kernel.shape[2:]), stride), kernel, None, stride)
        stats = f"batch_stats/{name}/BatchNorm_0"
        mean, variance = (self.arrays[f"{stats}/{what}"].flatten() for what in ("mean", "var"))
        bias = self.arrays[f"params/{name}/BatchNorm_0/bias"].flatten()
        return functional.relu(functional.batch_norm(x, mean, variance, None, bias, eps=EPSILON))

    def _kernel(self, place: str) -> Any:
        return self.arrays[f"{place}/kernel"].permute(4, 3, 0, 1, 2)


def _padded(x: Any, kernel: tuple[int, ...], stride: tuple[int, int, int], value: float = 0.0) -> Any:
    """As TensorFlow's "SAME": what does not divide evenly goes behind."""
    from torch.nn import functional

    pads: list[int] = []
    for size, side, step in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max((-(-size // step) - 1) * step + side - size, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads, value=value)


def _max_pool(x: Any, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Any:
    from torch.nn import functional

    return functional.max_pool3d(_padded(x, kernel, stride, float("-inf")), kernel, stride)


def _resized(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (SIDE, SIDE, 3) uint8."""
    interpolation = cv2.INTER_AREA if frame.shape[0] > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (SIDE, SIDE), interpolation=interpolation))


class DreamSim:
    """S. Fu et al., DreamSim: Learning New Dimensions of Human Visual Similarity (2023)."""

    def __init__(self, device: str = "cpu") -> None:
        """device: PyTorch's. Raises Motion324Error: package-missing, metric-weights-missing, metric-not-loaded."""
        require_package(DREAMSIM)
        require_installed(DREAMSIM)
        try:
            with prints_on_stderr():
                from dreamsim import dreamsim

                self.model, self.prepare = dreamsim(device=device, cache_dir=str(DREAMSIM.folder))
        except Exception as error:  # whatever the package's loaders raise
            raise _not_loaded(DREAMSIM, error) from error
        self.device = device

    def distances(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a and b (B, H, W, 3) uint8 RGB -> (B,)."""
        import torch

        with torch.inference_mode():
            found = self.model(self._prepared(a), self._prepared(b))
        return np.asarray(found.reshape(-1).float().cpu().numpy(), np.float64)

    def _prepared(self, pictures: np.ndarray) -> Any:
        import torch

        return torch.cat([self.prepare(picture) for picture in _as_images(pictures)]).to(self.device)


class ClipSimilarity:
    """Cosine between both pictures' embeddings. A. Radford et al., Learning Transferable Visual Models (2021)."""

    def __init__(self, device: str = "cpu", model: str = DEFAULT_CLIP) -> None:
        """device: PyTorch's. model: a key of CLIP_MODELS. Raises as DreamSim does, and Motion324Error("bad-option")."""
        network = clip_network(model)
        require_package(network)
        require_installed(network)
        try:
            import open_clip

            config = open_clip.get_pretrained_cfg(model, CLIP_MODELS[model])
            self.model, _, self.prepare = open_clip.create_model_and_transforms(
                model,
                pretrained=str(network.folder / read_record(network)["file"]),
                device=device,
                image_mean=config["mean"],
                image_std=config["std"],
                image_interpolation=config["interpolation"],
                image_resize_mode=config["resize_mode"],
            )
        except Exception as error:  # whatever the package's loaders raise
            raise _not_loaded(network, error) from error
        self.model.eval()
        self.device = device

    def similarities(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a and b (B, H, W, 3) uint8 RGB -> (B,), 1 where they are the same."""
        import torch

        with torch.inference_mode():
            found = torch.nn.functional.cosine_similarity(self._embedded(a), self._embedded(b), dim=1)
        return np.asarray(found.float().cpu().numpy(), np.float64)

    def _embedded(self, pictures: np.ndarray) -> Any:
        import torch

        prepared = [self.prepare(picture) for picture in _as_images(pictures)]
        return self.model.encode_image(torch.stack(prepared).to(self.device))


def _as_images(pictures: np.ndarray) -> list[Any]:
    from PIL import Image

    return [Image.fromarray(np.ascontiguousarray(picture)) for picture in pictures]


def _not_loaded(network: MetricNetwork, error: Exception) -> Motion324Error:
    lines = str(error).strip().splitlines()
    said = lines[0][:300] if lines else type(error).__name__
    return Motion324Error(
        "metric-not-loaded",
        f"{network.title} could not be loaded: {said.rstrip('.')}.",
        f"Check that the packages torch, torchvision and {network.package} belong together; else remove "
        f"'{network.folder}' and download the weights again.",
        EXIT_BACKEND,
    )
