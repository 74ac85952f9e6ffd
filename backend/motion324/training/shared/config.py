"""Holds the configuration of a training run. The defaults are the published recipe of Motion 3-to-4."""

from __future__ import annotations

from dataclasses import dataclass, fields

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import ATTENTION_CHOICES
from motion324.reconstructors.motion_transformer.config import ImageEncoderConfig, ModelConfig
from motion324.training.shared.config_keys import key
from motion324.training.shared.settings import SynthesisSettings

SYNTHESIS, TRANSFORMER = SynthesisSettings(), ModelConfig()
FROM_ELSEWHERE = ("frames", "image_size", "points", "nodes", "oversampling")  # other keys say these
OF_VIEWS = ("view_error_share", "view_degrees", "view_shift", "view_scale")  # the motion transformer is given no view


@dataclass(frozen=True)
class DataConfig:
    kind: str = key("release", "where the samples come from", choices=("release", "synthetic"))
    frames: int = key(12, "of a sample, the reference frame first", least=2)
    surface_points: int = key(4096, "that the model sees the reference mesh by", least=1)
    query_points: int = key(4096, "that it is asked to move", least=1)
    image_size: int = key(224, "side of the frames in pixels", least=8)
    most_broken: int = key(1000, "broken samples that are skipped before training stops", least=0)


@dataclass(frozen=True)
class ReleaseConfig:
    path: str = key("", "folder in the published layout, or of shards made from it")
    list: str = key("train.txt", "file in it that lists the names of the clips to train on, one a line")
    validation_list: str = key("", "the same of clips to measure on; empty: none")
    cameras: int = key(15, "camera_0 to camera_N-1 are drawn from", least=1)
    strides: tuple[int, ...] = key((1, 2, 4), "steps between the frames of a sample")
    stride_weights: tuple[float, ...] = key((0.4, 0.4, 0.2), "how often each of them is drawn")
    workers: int = key(-1, "processes that read samples, for each GPU; 0: none; -1: by the processor's cores", least=-1)
    ahead: int = key(2, "batches that each of them reads ahead", least=1)


@dataclass(frozen=True)
class SyntheticConfig:
    rigs: str = key("", "folder of rigged models (.npz)")
    creatures: int = key(0, "procedural creatures of each body plan that join the rigs, or stand alone", least=0)
    chunk: int = key(8, "clips that are made at once; a GPU's batch is a multiple of it", least=1)
    oversampling: int = key(2, "rendered pixels per pixel and axis", least=1)
    clips: SynthesisSettings = key(SYNTHESIS, "what the clips are like", without=(*FROM_ELSEWHERE, *OF_VIEWS))  # noqa: RUF009


@dataclass(frozen=True)
class OptimiserConfig:
    rate: float = key(4e-4, "the highest learning rate of AdamW", least=0)
    betas: tuple[float, ...] = key((0.9, 0.95), "decays of its two averages")
    epsilon: float = key(1e-8, "its smallest denominator", least=0)
    weight_decay: float = key(0.05, "on matrices only", least=0)
    warm_up: int = key(1000, "steps until the highest rate is reached", least=0)
    final_share: float = key(0.0, "of the highest rate, at the end of the cosine", least=0)
    clip: float = key(1.0, "longest gradient; longer ones are shortened", least=0)
    skip_above: float = key(5.0, "after the warm-up, steps are skipped whose gradient is so many clips long; 0: none")


@dataclass(frozen=True)
class StepsConfig:
    count: int = key(60000, "steps in all", least=1)
    batch: int = key(256, "samples of a step, over all GPUs", least=1)
    batch_per_gpu: int = key(0, "samples that a GPU takes at once; 0: as many as its memory holds", least=0)
    precision: str = key("bfloat16", "of products and attention", choices=("bfloat16", "float32"))
    attention: str = key("auto", "kernel of the attention", choices=ATTENTION_CHOICES)
    parallel: str = key("ddp", "every GPU holds the model, or a part of it", choices=("ddp", "fsdp"))
    recompute: bool = key(False, "compute activations anew in the backward pass: less memory, a third slower")
    compiled: bool = key(False, "compile the blocks with torch.compile")
    deterministic: bool = key(
        False,
        "only kernels that repeat bit for bit, for attention the plain one: slower; the making of synthetic clips and "
        "the training of the image encoder may need others on a GPU, which PyTorch warns of",
    )
    freeze_image_encoder: bool = key(True, "train all but the image encoder")
    nan_limit: int = key(10, "steps in a row without a finite loss or gradient before training stops", least=1)


@dataclass(frozen=True)
class ValidationConfig:
    every: int = key(1000, "steps between two measurements; 0: none", least=0)
    samples: int = key(64, "measured each time, always the same", least=1)


@dataclass(frozen=True)
class CheckpointsConfig:
    every: int = key(1000, "steps between two checkpoints", least=1)
    keep: int = key(3, "newest checkpoints that are kept, besides the best", least=1)


@dataclass(frozen=True)
class LogConfig:
    every: int = key(20, "steps between two lines of the log", least=1)
    tensorboard: bool = key(True, "write events for TensorBoard")
    wandb: str = key("off", "send the run to Weights & Biases", choices=("off", "online", "offline"))
    wandb_project: str = key("motion324", "its project there")
    wandb_name: str = key("", "its name there; empty: that of the folder `out`")


@dataclass(frozen=True)
class TrainingConfig:
    out: str = key("", "folder of the checkpoints, the log and the exported weights")
    init: str = key("", "checkpoint to start from, with sizes of its own, published or ours; empty: random weights")
    continue_steps: bool = key(False, "count on from the step that the checkpoint `init` tells of, not from 0")
    image_encoder: str = key("", "file of DINOv2's weights for the image encoder (.pth or .safetensors)")
    resume: bool = key(True, "go on from the newest checkpoint in `out`, where there is one; else `out` must hold none")
    seed: int = key(0, "of the weights and of the samples", least=0)
    device: str = key("auto", "where it runs", choices=("auto", "cpu", "cuda"))
    data: DataConfig = DataConfig()
    release: ReleaseConfig = ReleaseConfig()
    synthetic: SyntheticConfig = SyntheticConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    steps: StepsConfig = StepsConfig()
    validation: ValidationConfig = ValidationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    log: LogConfig = LogConfig()
    transformer: ModelConfig = TRANSFORMER


def check_config(config: TrainingConfig) -> None:
    """What no single key shows. Raises Motion324Error("config-value") with a sentence that names the keys."""
    release, steps = config.release, config.steps
    problems = [
        (not config.out, "The key 'out' is empty; it must name a folder for the run"),
        (
            config.data.kind == "release" and not release.path,
            "The key 'release.path' is empty; it must name the folder of the data",
        ),
        (
            config.data.kind == "synthetic" and not config.synthetic.rigs and not config.synthetic.creatures,
            "The key 'synthetic.rigs' is empty; it must name the folder of the rigged models, or synthetic.creatures "
            "must say how many creatures to make",
        ),
        (
            len(release.strides) != len(release.stride_weights) or min(release.strides) < 1,
            "The keys 'release.strides' and 'release.stride_weights' must hold as many numbers, the strides from 1",
        ),
        (
            min(release.stride_weights) < 0 or sum(release.stride_weights) <= 0,
            "The key 'release.stride_weights' must hold shares that are not negative, and not all 0",
        ),
        (
            len(config.optimiser.betas) != 2 or not all(0 <= beta < 1 for beta in config.optimiser.betas),
            "The key 'optimiser.betas' must hold two numbers from 0 to below 1",
        ),
        (
            steps.compiled and (steps.deterministic or steps.attention != "auto"),
            "The key 'steps.compiled' leaves the choice of kernels to PyTorch: it needs steps.attention=auto and "
            "steps.deterministic=false",
        ),
        (
            steps.deterministic and steps.attention not in ("auto", "math"),
            "The key 'steps.deterministic' needs steps.attention=math, or auto, which then stands for it",
        ),
        *_clip_problems(config.synthetic.clips),
        *_transformer_problems(config.transformer),
    ]
    for wrong, sentence in problems:
        if wrong:
            raise Motion324Error("config-value", f"{sentence}.", "", EXIT_USAGE)


def _clip_problems(clips: SynthesisSettings) -> list[tuple[bool, str]]:
    return [
        (
            len(clips.speed) != 2 or not 0 < clips.speed[0] <= clips.speed[-1],
            "The key 'synthetic.clips.speed' must hold the slowest and the fastest speed, both above 0",
        ),
        (clips.longest_gap < 1, "The key 'synthetic.clips.longest_gap' must be at least 1"),
    ]


def _transformer_problems(sizes: ModelConfig) -> list[tuple[bool, str]]:
    """As ModelConfig.from_shapes finds them in a checkpoint."""
    empty = [f"transformer.{name}" for name, value in _numbers(sizes) if value < 1 and name != "surface_layers"]
    empty += [f"transformer.image.{name}" for name, value in _numbers(sizes.image) if value < 1]
    return [
        (bool(empty), f"The key '{empty[0] if empty else ''}' must be at least 1"),
        (sizes.surface_layers < 0, "The key 'transformer.surface_layers' must be at least 0"),
        (
            sizes.width % 6 != 0,
            f"The key 'transformer.width' is {sizes.width}; it must be a multiple of 6, for the space-time table",
        ),
        (
            sizes.head_width > 0 and sizes.width % sizes.head_width != 0,
            f"The key 'transformer.head_width' is {sizes.head_width}, of which transformer.width={sizes.width} must be "
            "a multiple",
        ),
        (
            sizes.image.width != sizes.width,
            f"The keys 'transformer.width' and 'transformer.image.width' are {sizes.width} and {sizes.image.width}; "
            "they must be the same",
        ),
        (
            sizes.image.heads > 0 and sizes.image.width % sizes.image.heads != 0,
            f"The key 'transformer.image.width' is {sizes.image.width}, no multiple of "
            f"transformer.image.heads={sizes.image.heads}",
        ),
    ]


def _numbers(section: ModelConfig | ImageEncoderConfig) -> list[tuple[str, int]]:
    values = {one.name: getattr(section, one.name) for one in fields(section)}
    return [(name, value) for name, value in values.items() if isinstance(value, int)]
