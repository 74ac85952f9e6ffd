"""The command line of the compact model's training."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CompactOptions:
    """rigs: folder of the rigged models. out: folder of weights and log. seconds: of the whole run, but for the last
    measurement and saving.

    creatures: procedural ones per body plan, in addition. batch: clips per process. init: weights to start from.
    compiled: by torch.compile, for GPUs. muon: for the inner matrices, else AdamW for all. recorded: steps as CUDA
    graphs. kept: earlier batches, of which some are met again where new ones come too slowly. again: how many of them
    are met between two new ones in any case, since making clips takes time of the GPU. tracks_share: clips of
    which the model is told where a fit would believe the nodes to be; 0: it never is, and cannot be. first_rounds: of
    the first answer, where the others look again at it, drawn, `looks` times; 0: none does. other_pose_share: clips
    whose mesh has another pose than the video begins with. readers: processes that read the rigs. only_looks: whether
    nothing but the looks at drawings is learnt. measure_first: whether the model that one begins with is measured.
    """

    rigs: Path
    out: Path
    seconds: float
    creatures: int = 12
    batch: int = 64
    frames: int = 12
    image_size: int = 128
    nodes: int = 96
    points: int = 1024
    oversampling: int = 2
    rate: float = 5e-4
    warm_up: int = 200
    weight_decay: float = 0.02
    muon: bool = True
    momentum: float = 0.95
    averaging: float = 0.998
    clip: float = 1.0
    tracks_share: float = 0.6
    first_rounds: int = 0
    looks: int = 2
    other_pose_share: float = 0.0
    drawn_reference_share: float = 0.0
    readers: int = 1
    only_looks: bool = False
    measure_first: bool = False
    seed: int = 0
    init: Path | None = None
    compiled: bool = False
    recorded: bool = True
    prefetch: bool = True
    kept: int = 48
    again: int = 0
    device: str = "auto"
    validate_every: float = 60.0
    validation_clips: int = 8
    most_steps: int = 0


def parse_options(arguments: list[str] | None) -> CompactOptions:
    """Ends the process with a message where the command line is wrong, as argparse does."""
    default = CompactOptions(Path(), Path(), 0)
    parser = argparse.ArgumentParser(
        prog="python -m motion324.training.compact",
        description="Trains the compact model on synthetic clips. Start it with torchrun to use several GPUs.",
    )
    parser.add_argument("--rigs", type=Path, required=True, help="folder of rigged models (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights, log and a picture of the data")
    parser.add_argument(
        "--seconds", type=float, required=True, help="when to stop training, counted from the start of the run"
    )
    parser.add_argument(
        "--creatures", type=int, default=default.creatures, help="procedural creatures of each body plan"
    )
    parser.add_argument("--batch", type=int, default=default.batch, help="clips per step and process")
    parser.add_argument("--frames", type=int, default=default.frames, help="frames per clip, with the reference frame")
    parser.add_argument("--image-size", type=int, default=default.image_size, help="side of the frames, in pixels")
    parser.add_argument("--nodes", type=int, default=default.nodes, help="nodes on the surface")
    parser.add_argument("--points", type=int, default=default.points, help="points that are compared, per clip")
    parser.add_argument("--oversampling", type=int, default=default.oversampling, help="of rendered frames, per axis")
    parser.add_argument("--rate", type=float, default=default.rate, help="the highest learning rate")
    parser.add_argument("--warm-up", type=int, default=default.warm_up, help="steps until the rate is reached")
    parser.add_argument("--weight-decay", type=float, default=default.weight_decay, help="of matrices")
    parser.add_argument("--no-muon", action="store_false", dest="muon", help="train all weights by AdamW")
    parser.add_argument("--momentum", type=float, default=default.momentum, help="of Muon's averaged gradients")
    parser.add_argument("--averaging", type=float, default=default.averaging, help="decay of the averaged weights")
    parser.add_argument("--clip", type=float, default=default.clip, help="the longest gradient")
    parser.add_argument(
        "--tracks-share",
        type=float,
        default=default.tracks_share,
        help="clips of which it is told a fit's tracks of its nodes; 0: it takes none",
    )
    parser.add_argument(
        "--first-rounds",
        type=int,
        default=default.first_rounds,
        help="rounds before the model is shown its answer, drawn; 0: it never is",
    )
    parser.add_argument("--looks", type=int, default=default.looks, help="how often it is shown its answer")
    parser.add_argument(
        "--other-pose-share",
        type=float,
        default=default.other_pose_share,
        help="clips whose mesh has another pose than the first frame",
    )
    parser.add_argument(
        "--drawn-reference-share",
        type=float,
        default=default.drawn_reference_share,
        help="other clips whose first frame is the mesh, drawn",
    )
    parser.add_argument("--readers", type=int, default=default.readers, help="processes that read the rigs, per GPU")
    parser.add_argument("--only-looks", action="store_true", help="learn nothing but the looks at drawings")
    parser.add_argument("--measure-first", action="store_true", help="measure the model that one begins with")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--init", type=Path, help="weights of an earlier run to go on from, or an exported model")
    parser.add_argument("--compile", action="store_true", dest="compiled", help="compile the model's blocks first")
    parser.add_argument("--no-record", action="store_false", dest="recorded", help="launch every step's kernels anew")
    parser.add_argument("--no-prefetch", action="store_false", dest="prefetch", help="make batches between steps")
    parser.add_argument(
        "--kept", type=int, default=default.kept, help="earlier batches to meet again rather than wait; 0: never"
    )
    parser.add_argument(
        "--again", type=int, default=default.again, help="earlier batches to meet between two new ones in any case"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=default.device)
    parser.add_argument("--validate-every", type=float, default=default.validate_every, help="seconds")
    parser.add_argument("--validation-clips", type=int, default=default.validation_clips, help="per held-out model")
    parser.add_argument(
        "--most-steps", type=int, default=default.most_steps, help="stop after so many; 0: by time only"
    )
    return CompactOptions(**vars(parser.parse_args(arguments)))
