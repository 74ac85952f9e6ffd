"""Has the compact model in training: what it starts from, what of it learns, and how it is asked, told its own errors
or shown its own answers, drawn.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from motion324.reconstructors.node_model.config import NodeModelConfig
from motion324.reconstructors.node_model.drawn_look import Drawings
from motion324.reconstructors.node_model.inputs_and_answers import NodeInputs, NodeMotions, NodeOutputs, SeenFrames
from motion324.reconstructors.node_model.model import NodeModel
from motion324.training.node_model.batches import TrainingBatch, with_own_errors
from motion324.training.node_model.options import CompactOptions
from motion324.training.node_model.weights_files import load_exported, load_weights
from motion324.training.shared.processes import half_precision
from motion324.training.synthesis.drawing import draw_motions


def starting_model(options: CompactOptions, config: NodeModelConfig) -> NodeModel:
    """A new model, or an earlier run's, from now on with this run's frames and nodes."""
    if options.init is None:
        return NodeModel(config)
    model = load_exported(options.init) if options.init.suffix == ".onnx" else load_weights(options.init)
    model.config = replace(model.config, image_size=options.image_size, nodes=options.nodes, frames=options.frames)
    if options.first_rounds:
        looking = NodeModel(replace(model.config, takes_tracks=False, first_rounds=options.first_rounds))
        looking.load_state_dict(model.state_dict(), strict=False)  # what is new adds nothing yet
        return looking
    if options.tracks_share and not model.config.takes_tracks:
        told = NodeModel(replace(model.config, takes_tracks=True))
        told.load_state_dict(model.state_dict(), strict=False)  # what is new starts at zero: it changes nothing yet
        return told
    return model


def new_model_config(options: CompactOptions) -> NodeModelConfig:
    return NodeModelConfig(
        image_size=options.image_size,
        nodes=options.nodes,
        frames=options.frames,
        takes_tracks=options.tracks_share > 0 and not options.first_rounds,
        first_rounds=options.first_rounds,
    )


def keep_first_answer(model: NodeModel, device: torch.device) -> None:
    """Only what is done after a drawing has been seen still learns."""
    model.requires_grad_(False)
    for block in model.rounds[model.config.first_rounds :]:
        block.requires_grad_(True)
    model.drawn_look.requires_grad_(True)
    if device.type == "cuda":
        model.encoder.to(memory_format=torch.channels_last)  # nothing is learnt there: only faster


def compile_blocks(model: NodeModel) -> None:
    """Part by part: the rounds are alike, so that one is compiled and all use it."""
    model.encoder.compile(dynamic=False)
    for block in model.rounds:
        block.compile(dynamic=False)


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
