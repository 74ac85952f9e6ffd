"""How the compact model is asked in training: told its own errors, or shown its own answers, drawn."""

from __future__ import annotations

from dataclasses import replace

import torch

from motion324.reconstructors.node_model.drawn_look import Drawings
from motion324.reconstructors.node_model.model import NodeInputs, NodeModel, NodeMotions, NodeOutputs, SeenFrames
from motion324.training.compact.batches import TrainingBatch, with_own_errors
from motion324.training.shared.processes import half_precision
from motion324.training.synthesis.drawing import draw_motions


def answers(model: NodeModel, batch: TrainingBatch, looks: int) -> NodeOutputs:
    """looks: how often a model that looks again is shown its answer; 0: never."""
    drawable = batch.drawable

    def draw(found: NodeMotions) -> Drawings:
        assert drawable is not None
        with torch.autocast(batch.targets.device.type, enabled=False):
            return draw_motions(model, batch.inputs, drawable, found)

    with half_precision(batch.targets.device):
        seen = model.see(batch.inputs.frames)
        inputs = _told_own_errors(model, batch, seen)
        outputs: NodeOutputs = model(inputs, seen, draw if looks and drawable is not None else None, looks)
    return outputs


@torch.no_grad()
def _told_own_errors(model: NodeModel, batch: TrainingBatch, seen: SeenFrames) -> NodeInputs:
    """The inputs with tracks as a fit would make them of the model's answer without any."""
    inputs = batch.inputs
    if not model.config.takes_tracks or inputs.tracks is None:
        return inputs
    rounds, _ = model.motions(replace(inputs, tracks=None), seen)
    home = inputs.nodes[..., :3] + inputs.translation[:, None]
    answer = rounds[-1].state[..., :3].float()
    return replace(inputs, tracks=with_own_errors(inputs.tracks, batch.track_errors, home, answer))
