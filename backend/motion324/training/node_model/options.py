"""Declares the command line of the compact model's training, each option once, as a field of CompactOptions."""

from __future__ import annotations

import argparse
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from motion324.training.shared.settings import SynthesisSettings

CLIPS = SynthesisSettings()


def _option(default: Any, says: str, *, flag: str = "", choices: tuple[str, ...] = (), of_clips: bool = False) -> Any:
    """default: MISSING where one must be given. flag: where it is not called as the field is. of_clips: whether it is
    a field of SynthesisSettings as well."""
    metadata = {"says": says, "flag": flag, "choices": choices, "of_clips": of_clips}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class CompactOptions:
    """What a run is told. Shares are parts of all clips; see SynthesisSettings."""

    rigs: Path = _option(MISSING, "folder of rigged models (.npz), or one file of them, prepared")  # noqa: RUF009
    out: Path = _option(MISSING, "folder for weights, log and a picture of the data")  # noqa: RUF009
    seconds: float = _option(MISSING, "when to stop training, counted from the start; then measure and save")
    creatures: int = _option(12, "procedural creatures of each body plan, in addition")
    hybrids: int = _option(0, "bodies with limbs of others, in addition")
    batch: int = _option(64, "clips per step and process")
    frames: int = _option(CLIPS.frames, "frames per clip, with the reference frame", of_clips=True)
    image_size: int = _option(CLIPS.image_size, "side of the frames, in pixels", of_clips=True)
    nodes: int = _option(CLIPS.nodes, "nodes on the surface", of_clips=True)
    points: int = _option(CLIPS.points, "points that are compared, per clip", of_clips=True)
    oversampling: int = _option(CLIPS.oversampling, "of rendered frames, per axis", of_clips=True)
    rate: float = _option(5e-4, "the highest learning rate")
    warm_up: int = _option(200, "steps until the rate is reached")
    weight_decay: float = _option(0.02, "of matrices")
    muon: bool = _option(True, "train all weights by AdamW, the inner matrices as well")
    momentum: float = _option(0.95, "of Muon's averaged gradients")
    averaging: float = _option(0.998, "decay of the averaged weights")
    clip: float = _option(1.0, "the longest gradient")
    tracks_share: float = _option(
        0.6, "clips of which it is told where a fit would believe its nodes to be; 0: it takes no tracks", of_clips=True
    )
    first_rounds: int = _option(0, "rounds before the model is shown its answer, drawn; 0: it never is")
    looks: int = _option(2, "how often it is shown its answer")
    other_pose_share: float = _option(0.0, "clips whose mesh has another pose than the first frame", of_clips=True)
    drawn_reference_share: float = _option(0.0, "other clips whose first frame is the mesh, drawn", of_clips=True)
    proportions_share: float = _option(0.0, "clips whose bodies have other proportions than in the file", of_clips=True)
    carried_share: float = _option(0.0, "clips whose bodies move as another one does", of_clips=True)
    tiny_share: float = _option(0.0, "clips that hardly move", of_clips=True)
    exchanged_share: float = _option(0.0, "clips whose bodies have the colours of another one", of_clips=True)
    around_share: float = _option(0.0, "clips with other light from every side", of_clips=True)
    graded_share: float = _option(0.0, "clips whose pictures have other contrast and colours", of_clips=True)
    readers: int = _option(1, "processes that read the rigs, per GPU")
    only_looks: bool = _option(False, "learn nothing but the looks at drawings")
    measure_first: bool = _option(False, "measure the model that one begins with")
    seed: int = _option(0, "another one gives other clips and other first weights")
    init: Path | None = _option(None, "weights of an earlier run to go on from, or an exported model")  # noqa: RUF009
    compiled: bool = _option(False, "compile the model's blocks first, for GPUs", flag="--compile")
    recorded: bool = _option(True, "launch every step's kernels anew, instead of a CUDA graph", flag="--no-record")
    prefetch: bool = _option(True, "make batches between steps")
    at_once: int = _option(4, "batches whose clips are made at once")
    makers: int = _option(2, "threads that make clips beside the training")
    kept: int = _option(48, "earlier batches to meet again rather than wait; 0: never")
    again: int = _option(0, "earlier batches to meet between two new ones in any case: making clips takes a GPU's time")
    device: str = _option("auto", "what to train on", choices=("auto", "cpu", "cuda"))
    validate_every: float = _option(60.0, "seconds between two measurements")
    validation_clips: int = _option(8, "per held-out model")
    most_steps: int = _option(0, "stop after so many; 0: by time only")

    def clip_settings(self, drawn: bool) -> SynthesisSettings:
        """What the clips are like. drawn: whether the model is shown its answers, drawn."""
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.metadata["of_clips"]}
        return SynthesisSettings(drawn=drawn, **told)


def parse_options(arguments: list[str] | None) -> CompactOptions:
    """Ends the process with a message where the command line is wrong, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m motion324.training.node_model",
        description="Trains the compact model on synthetic clips. Start it with torchrun to use several GPUs.",
    )
    for one in fields(CompactOptions):
        flag = one.metadata["flag"] or f"--{'no-' if one.default is True else ''}{one.name.replace('_', '-')}"
        how: dict[str, Any] = {"dest": one.name, "help": one.metadata["says"]}
        if isinstance(one.default, bool):
            how["action"] = "store_false" if one.default else "store_true"
        elif one.default is MISSING or one.default is None:
            how |= {"type": float if one.type == "float" else Path, "required": one.default is MISSING}
        else:
            how |= {"type": type(one.default), "default": one.default, "choices": one.metadata["choices"] or None}
        parser.add_argument(flag, **how)
    return CompactOptions(**vars(parser.parse_args(arguments)))
