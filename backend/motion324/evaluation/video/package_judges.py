"""Computes DreamSim and CLIP similarity by the packages dreamsim and open-clip-torch, with their own preparation."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.weights.metric_downloads import prints_on_stderr, read_record, require_package
from motion324.weights.metric_networks import CLIP_MODELS, DREAMSIM, MetricNetwork, clip_network, require_installed

DEFAULT_CLIP = "ViT-bigG-14"


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
