"""Motion transformers to try: a small one with random weights, as a file that people could have, and random inputs."""

from __future__ import annotations

import numpy as np

from motion324.reconstructors.motion_transformer.checkpoint import write_checkpoint
from motion324.reconstructors.motion_transformer.config import ImageEncoderConfig, ModelConfig
from motion324.reconstructors.motion_transformer.predictor import ShapePoints
from motion324.training.transformer.preparation import random_model

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


def random_shape(count, seed):
    """Points in a unit cube with unit normals and colours; one seed always gives the same."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return ShapePoints(
        rng.uniform(-0.5, 0.5, (count, 3)).astype(np.float32), normals, rng.uniform(0, 1, (count, 3)).astype(np.float32)
    )


def random_video(frames, height, width, seed=0):
    """(frames, height, width, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def relative_error(found, exact):
    """The length of the difference, as a share of the exact one's."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
