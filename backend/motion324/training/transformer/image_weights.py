"""Starts a model for training: with random weights, and with DINOv2's for its image encoder."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.model import MotionModel

UNUSED = ("mask_token",)  # used in DINOv2's own training only


def load_image_encoder(model: MotionModel, path: Path) -> None:
    """Raises Motion324Error("image-encoder") where the file is missing, broken, unsafe, or holds other tensors."""
    tensors = {name: value for name, value in _read(path).items() if name not in UNUSED}
    own = {name: value.shape for name, value in model.image_encoder.model.state_dict().items()}
    problems = [f"it has no {name}" for name in own if name not in tensors]
    problems += [f"{name} is unknown" for name in tensors if name not in own]
    problems += [
        f"{name} has the shape {tuple(tensors[name].shape)} instead of {tuple(shape)}"
        for name, shape in own.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if problems:
        raise _refused(path, f"does not hold the weights of the image encoder in [transformer.image]: {problems[0]}")
    model.image_encoder.model.load_state_dict({name: value.float() for name, value in tensors.items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            found: dict[str, Any] = load_file(path)
            return found
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, "holds more than numbers (it would run code when it is read)") from error
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        first = (str(error).strip().splitlines() or ["unknown"])[0][:160].rstrip(".")
        raise _refused(path, f"cannot be read: {first}") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise _refused(path, "holds no state dict of tensors")
    return content


def _refused(path: Path, why: str) -> Motion324Error:
    return Motion324Error(
        "image-encoder", f"The file '{path}' {why}.", "Give DINOv2's published ViT-B/14 weights.", EXIT_USAGE
    )


TOKEN_DEVIATION = 0.5


def random_model(config: ModelConfig, seed: int) -> MotionModel:
    """Matrices keep the variance of what they multiply (deviation 1/sqrt(inputs)), biases are 0, norms 1."""
    model = MotionModel(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                inputs = module.weight[0].numel()
                module.weight.normal_(0.0, 1.0 / math.sqrt(inputs), generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
        image = model.image_encoder.model
        for tokens in (model.learnable_tokens, model.special_token_0, model.special_token_rest):
            tokens.normal_(0.0, TOKEN_DEVIATION, generator=generator)
        for tokens in (image.cls_token, image.pos_embed):
            tokens.normal_(0.0, TOKEN_DEVIATION, generator=generator)
    return model
