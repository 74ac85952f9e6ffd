"""A node model of a few thousand weights that moves things at random, and its export: needs PyTorch and onnx."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.node_model.export import export

SMALL = NodeModelConfig(
    image_size=32,
    nodes=12,
    frames=4,
    width=64,
    head_width=32,
    mlp_width=96,
    rounds=2,
    channels=(8, 16, 24, 32),
    match_width=16,
    skin_width=8,
)


def small_node_model(motion: float = 0.02, seed: int = 0, takes_tracks: bool = False) -> NodeModel:
    """motion: how strongly the heads move the nodes; 0: they stay where tracks have them, or at home. Its weights are
    numbers of half precision, as on disk."""
    torch.manual_seed(seed)
    model = NodeModel(replace(SMALL, takes_tracks=takes_tracks))
    with torch.no_grad():
        for block in model.rounds:
            torch.nn.init.normal_(block.head.weight, std=motion)
        if takes_tracks:
            torch.nn.init.normal_(model.track_in.weight, std=0.1)
        for value in model.parameters():
            value.copy_(value.half().float())
    return model.eval()


def write_small_node_model(path: Path, motion: float = 0.02, seed: int = 0, takes_tracks: bool = False) -> Path:
    export(small_node_model(motion, seed, takes_tracks), path)
    return path
