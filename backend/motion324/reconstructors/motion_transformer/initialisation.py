"""A model with random weights: what training starts from, and what speed and precision are measured with."""

from __future__ import annotations

import math

import torch
from torch import nn

from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.model import MotionModel

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
