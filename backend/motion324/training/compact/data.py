"""The synthetic clips of the compact model's training: those it learns from, and those it is measured on."""

from __future__ import annotations

from dataclasses import replace

from motion324.training.clips.split import draw_weights, none_to_measure_on, none_to_train_on, split
from motion324.training.compact.batches import Synthesiser
from motion324.training.compact.options import CompactOptions
from motion324.training.shared.processes import Processes
from motion324.training.shared.settings import SynthesisSettings, validation_settings
from motion324.training.synthesis.creatures.creature import make_creatures
from motion324.training.synthesis.rig_bank import RigBank
from motion324.training.synthesis.rigs import read_rigs

VALIDATION_SEED = 324


def synthesisers(
    options: CompactOptions, settings: SynthesisSettings, processes: Processes
) -> tuple[Synthesiser, Synthesiser]:
    """The one that is trained on, and the one that is measured on.

    Raises Motion324Error("rigs-missing" or "rig-broken").
    """
    rigs = read_rigs(options.rigs)
    creatures = make_creatures(options.creatures, options.seed)
    kept, held_out = split(rigs)
    if not kept + creatures:
        raise none_to_train_on(options.rigs, "--creatures")
    if not held_out:
        raise none_to_measure_on(options.rigs)
    seen, unseen = RigBank(kept + creatures, processes.device), RigBank(held_out, processes.device)
    told = 1.0 if options.tracks_share else 0.0
    seed = 1000 * options.seed + processes.rank
    return (
        Synthesiser(seen, settings, draw_weights(seen.names), seed),
        Synthesiser(unseen, replace(validation_settings(settings), tracks_share=told), None, VALIDATION_SEED),
    )
