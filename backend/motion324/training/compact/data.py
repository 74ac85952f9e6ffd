"""The synthetic clips of the compact model's training: those it learns from, and those it is measured on."""

from __future__ import annotations

from dataclasses import replace

from motion324.training.clips.split import HELD_OUT, draw_weights, none_to_measure_on, none_to_train_on, split
from motion324.training.compact.batches import Synthesiser, TrainingBatch
from motion324.training.compact.options import CompactOptions
from motion324.training.compact.validation import fixed_batches
from motion324.training.shared.processes import Processes
from motion324.training.shared.settings import SynthesisSettings, validation_settings
from motion324.training.synthesis.creatures.creature import make_creatures
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
    rigs = read_rigs(options.rigs, processes=options.readers)
    kept, held_out = split(rigs)
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
