"""A motion transformer small enough to run in a moment, with random weights, as a file that people could have."""

from __future__ import annotations

from motion324.reconstructors.motion_transformer.checkpoint import write_checkpoint
from motion324.reconstructors.motion_transformer.config import ImageEncoderConfig, ModelConfig
from motion324.reconstructors.motion_transformer.initialisation import random_model

SMALL = ModelConfig(
    width=48,
    head_width=16,
    mlp_width=96,
    latent_tokens=8,
    surface_layers=1,
    layer_pairs=1,
    image=ImageEncoderConfig(width=48, depth=1, heads=3, mlp_width=96),
)


def write_small_weights(path, seed=0):
    """A converted checkpoint at `path`, which is returned."""
    write_checkpoint(random_model(SMALL, seed).state_dict(), SMALL, path, {})
    return path
