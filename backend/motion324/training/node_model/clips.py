"""Makes the synthetic clips of the compact model's training, those it learns from and those it is measured on, and a
picture of them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion324.reconstructors.node_model.geometry import project
from motion324.training.clips.split import HELD_OUT, draw_weights, none_to_measure_on, none_to_train_on, split
from motion324.training.node_model.batches import Synthesiser, TrainingBatch
from motion324.training.node_model.options import CompactOptions
from motion324.training.shared.processes import Processes
from motion324.training.shared.settings import SynthesisSettings, validation_settings
from motion324.training.synthesis.creatures.creature import make_creatures
from motion324.training.synthesis.hybrids import make_hybrids
from motion324.training.synthesis.prepared_rigs import read_prepared_rigs
from motion324.training.synthesis.rig_bank import RigBank
from motion324.training.synthesis.rigs import Rig, read_rigs

VALIDATION_SEED = 324
VALIDATION_BATCH = 16


def training_and_held_out_clips(
    options: CompactOptions, settings: SynthesisSettings, processes: Processes
) -> tuple[Synthesiser, dict[str, list[TrainingBatch]]]:
    """What makes the clips to train on, and, in the first process, the sets of clips that are measured on, by name; the
    first of these counts.

    Raises Motion324Error("rigs-missing" or "rig-broken").
    """
    prepared = options.rigs.is_file()
    rigs = read_prepared_rigs(options.rigs) if prepared else read_rigs(options.rigs, processes=options.readers)
    kept, held_out = split(rigs)
    kept += make_hybrids(kept, draw_weights([rig.name for rig in kept]), options.hybrids, options.seed)
    kept += make_creatures(options.creatures, options.seed, options.readers)
    if not kept:
        raise none_to_train_on(options.rigs, "--creatures")
    if not held_out:
        raise none_to_measure_on(options.rigs)
    bank = RigBank(kept, processes.device)
    training = Synthesiser(bank, settings, draw_weights(bank.names), 1000 * options.seed + processes.rank)
    return training, held_out_clips(held_out, options, settings, processes) if processes.is_first else {}


def held_out_clips(
    rigs: list[Rig], options: CompactOptions, settings: SynthesisSettings, processes: Processes
) -> dict[str, list[TrainingBatch]]:
    told = 1.0 if options.tracks_share else 0.0
    plain = replace(validation_settings(settings), tracks_share=told)
    sets = {
        "validation": ([rig for rig in rigs if rig.name in HELD_OUT], plain),
        "validation on later rigs": ([rig for rig in rigs if rig.name not in HELD_OUT], plain),
    }
    if options.other_pose_share:
        drawn = replace(plain, drawn_reference_share=1.0)
        if settings.drawn:
            sets["validation from a drawing"] = (sets["validation"][0], drawn)
        sets["validation from other poses"] = (sets["validation"][0], replace(drawn, other_pose_share=1.0))
    return {
        name: fixed_batches(
            Synthesiser(RigBank(some, processes.device), how, None, VALIDATION_SEED),
            options.validation_clips,
            VALIDATION_BATCH,
        )
        for name, (some, how) in sets.items()
        if some
    }


def contact_sheet(batch: TrainingBatch, clips: int, frames: int) -> np.ndarray:
    """(clips * S, 2 * frames * S, 3) uint8: cut-outs; the same with nodes drawn, green where seen, red where hidden."""
    shown = batch.inputs.frames[:clips, :: max(1, batch.targets.shape[1] // frames)][:, :frames]
    places = batch.node_places[:clips, :: max(1, batch.targets.shape[1] // frames)][:, :frames]
    seen = batch.node_seen[:clips, :: max(1, batch.targets.shape[1] // frames)][:, :frames]
    plain = shown[:, :, :3].permute(0, 1, 3, 4, 2).cpu().numpy()
    drawn = 0.4 * plain + 0.3 * shown[:, :, 3, ..., None].cpu().numpy()
    believed = project(
        batch.inputs.nodes[:clips, None, :, :3] + batch.inputs.translation[:clips, None, None],
        batch.inputs.camera[:clips],
    )
    _draw(drawn[:, :1], believed, torch.ones_like(seen[:, :1]), (0.3, 0.3, 1.0))
    _draw(drawn, places, seen, (0.0, 1.0, 0.0))
    _draw(drawn, places, ~seen, (1.0, 0.0, 0.0))
    side = np.concatenate([plain, drawn], axis=1)
    return (np.concatenate([np.concatenate(list(row), axis=1) for row in side]).clip(0, 1) * 255).astype(np.uint8)


def _draw(pictures: np.ndarray, places: Tensor, which: Tensor, colour: tuple[float, float, float]) -> None:
    size = pictures.shape[-2]
    pixel = ((places.cpu().numpy() + 1) / 2 * size).astype(int)
    for clip, frame, node in np.argwhere(which.cpu().numpy()):
        x, y = pixel[clip, frame, node]
        if 0 <= x < size and 0 <= y < size:
            pictures[clip, frame, y, x] = colour


def write_contact_sheet(path: Path, batch: TrainingBatch, clips: int = 8, frames: int = 4) -> None:
    """As a .png, by the imaging library that is there."""
    from PIL import Image

    Image.fromarray(contact_sheet(batch, clips, frames)).save(path)


def fixed_batches(synthesiser: Synthesiser, clips_per_rig: int, batch_size: int) -> list[TrainingBatch]:
    """The same clips at every validation; all of one size, the last filled up with more clips of the first rigs."""
    chosen = list(range(len(synthesiser.bank.names))) * clips_per_rig
    chosen += [number % len(synthesiser.bank.names) for number in range(-len(chosen) % batch_size)]
    return [
        synthesiser.batch(batch_size, chosen[start : start + batch_size]) for start in range(0, len(chosen), batch_size)
    ]
