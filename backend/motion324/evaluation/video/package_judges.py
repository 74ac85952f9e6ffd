"""DreamSim and CLIP, by the packages `dreamsim` and `open_clip_torch`, which fetch their weights from the network."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from motion324.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.weights.store import weights_folder

# The models that Motion80's published script takes first; the others are smaller.
CLIP_MODELS = {
    "ViT-bigG-14": "laion2b_s39b_b160k",
    "ViT-L-14": "laion2b_s32b_b82k",
    "ViT-B-32": "laion2b_s34b_b79k",
}
DREAMSIM_SIDE = 224


class DreamSim:
    """S. Fu et al., DreamSim: Learning New Dimensions of Human Visual Similarity (2023)."""

    def __init__(self, may_fetch: bool, device: str = "cpu") -> None:
        """Raises Motion324Error("package-missing", "fetching-not-allowed" or "metric-weights-missing")."""
        try:
            from dreamsim import dreamsim
        except ImportError as error:
            raise _no_package("dreamsim") from error
        _check_allowed(may_fetch, "dreamsim", "some 2 GB")
        folder = weights_folder() / "dreamsim"
        try:
            self.model: Any = dreamsim(pretrained=True, device=device, cache_dir=str(folder))[0]
        except Exception as error:  # whatever its loaders and their networks raise
            raise _not_fetched("dreamsim", error) from error
        self.device = device

    def distances(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a and b (B, H, W, 3) uint8 RGB -> (B,)."""
        import torch

        with torch.inference_mode():
            found = self.model(self._prepared(a), self._prepared(b))
        return np.asarray(found.reshape(-1).float().cpu().numpy(), np.float64)

    def _prepared(self, pictures: np.ndarray) -> Any:
        import torch

        side = (DREAMSIM_SIDE, DREAMSIM_SIDE)
        small = np.stack([cv2.resize(picture, side, interpolation=cv2.INTER_AREA) for picture in pictures])
        return torch.as_tensor(small, device=self.device).permute(0, 3, 1, 2).float() / 255


class ClipSimilarity:
    """Cosine between both pictures' embeddings. A. Radford et al., Learning Transferable Visual Models (2021)."""

    def __init__(self, may_fetch: bool, device: str = "cpu", name: str = "ViT-bigG-14") -> None:
        """name: a key of CLIP_MODELS. Raises as DreamSim does, and Motion324Error("bad-option")."""
        if name not in CLIP_MODELS:
            raise Motion324Error(
                "bad-option",
                f"The CLIP model '{name}' is not known.",
                f"Choose {', '.join(CLIP_MODELS)}.",
                EXIT_USAGE,
            )
        try:
            import open_clip
        except ImportError as error:
            raise _no_package("open_clip_torch") from error
        _check_allowed(may_fetch, name, "up to 10 GB")
        try:
            model, _, self.prepare = open_clip.create_model_and_transforms(name, pretrained=CLIP_MODELS[name])
        except Exception as error:  # whatever its loaders and their networks raise
            raise _not_fetched(name, error) from error
        self.model: Any = model.to(device).eval()
        self.device = device

    def similarities(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a and b (B, H, W, 3) uint8 RGB -> (B,), 1 where they are the same."""
        import torch

        with torch.inference_mode():
            found = torch.nn.functional.cosine_similarity(self._embedded(a), self._embedded(b), dim=1)
        return np.asarray(found.float().cpu().numpy(), np.float64)

    def _embedded(self, pictures: np.ndarray) -> Any:
        import torch
        from PIL import Image

        prepared = [self.prepare(Image.fromarray(np.ascontiguousarray(picture))) for picture in pictures]
        return self.model.encode_image(torch.stack(prepared).to(self.device))


def _no_package(name: str) -> Motion324Error:
    return Motion324Error("package-missing", f"It needs the package {name}.", f"`pip install {name}`.", EXIT_USAGE)


def _check_allowed(may_fetch: bool, what: str, size: str) -> None:
    if not may_fetch:
        raise Motion324Error(
            "fetching-not-allowed",
            f"The weights of {what} ({size}) come from the network the first time, under licences of their own.",
            "Allow it by --fetch-metric-weights.",
            EXIT_USAGE,
        )


def _not_fetched(what: str, error: Exception) -> Motion324Error:
    lines = str(error).strip().splitlines()
    said = lines[0] if lines else type(error).__name__
    return Motion324Error(
        "metric-weights-missing",
        f"The weights of {what} could not be loaded: {said.rstrip('.')}.",
        "Look at the network, and try again.",
        EXIT_BACKEND,
    )
