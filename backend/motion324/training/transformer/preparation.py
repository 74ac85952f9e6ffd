"""Settles what a run needs before it begins: the model's first weights, random or DINOv2's for its image encoder, and
how many samples a GPU takes at once.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.reconstructors.motion_transformer.config import ModelConfig
from motion324.reconstructors.motion_transformer.model import MotionModel
from motion324.training.clips.motion_batch import MotionBatch, Shares
from motion324.training.shared.config import TrainingConfig
from motion324.training.shared.processes import Processes

UNUSED = ("mask_token",)  # used in DINOv2's own training only
MEMORY_SHARE = 0.85  # of the GPU's memory, for weights, activations, and what AdamW will keep
KEPT_FREE = 6 << 30  # bytes, for making samples on the GPU and for what the allocator cannot fill
PROBED = ((2, 4), (1, 2))  # sizes that are tried
MOST_ON_CPU = 8


def load_image_encoder(model: MotionModel, path: Path) -> None:
    """Raises Motion324Error("image-encoder") where the file is missing, broken, unsafe, or holds other tensors."""
    tensors = {name: value for name, value in _read(path).items() if name not in UNUSED}
    own = {name: value.shape for name, value in model.image_encoder.model.state_dict().items()}
    problems = [f"it has no {name}" for name in own if name not in tensors]
    problems += [f"{name} is unknown" for name in tensors if name not in own]
    problems += [
        f"{name} has the shape {tuple(tensors[name].shape)} instead of {tuple(shape)}"
        for name, shape in own.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if problems:
        raise _refused(path, f"does not hold the weights of the image encoder in [transformer.image]: {problems[0]}")
    model.image_encoder.model.load_state_dict({name: value.float() for name, value in tensors.items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            found: dict[str, Any] = load_file(path)
            return found
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, "holds more than numbers (it would run code when it is read)") from error
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError) as error:
        first = (str(error).strip().splitlines() or ["unknown"])[0][:160].rstrip(".")
        raise _refused(path, f"cannot be read: {first}") from error
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise _refused(path, "holds no state dict of tensors")
    return content


def _refused(path: Path, why: str) -> Motion324Error:
    return Motion324Error(
        "image-encoder", f"The file '{path}' {why}.", "Give DINOv2's published ViT-B/14 weights.", EXIT_USAGE
    )


TOKEN_DEVIATION = 0.5


def random_model(config: ModelConfig, seed: int) -> MotionModel:
    """Matrices keep the variance of what they multiply (deviation 1/sqrt(inputs)), biases are 0, norms 1."""
    model = MotionModel(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                inputs = module.weight[0].numel()
                module.weight.normal_(0.0, 1.0 / math.sqrt(inputs), generator=generator)
                if module.bias is not None:
                    module.bias.zero_()
        image = model.image_encoder.model
        for tokens in (model.learnable_tokens, model.special_token_0, model.special_token_rest):
            tokens.normal_(0.0, TOKEN_DEVIATION, generator=generator)
        for tokens in (image.cls_token, image.pos_embed):
            tokens.normal_(0.0, TOKEN_DEVIATION, generator=generator)
    return model


def choose_shares(
    config: TrainingConfig, processes: Processes, earlier: int, peak: Callable[[int], int], kept_bytes: int
) -> Shares:
    """Who takes which samples. earlier: what an interrupted run on as many processes took at once, or 0.

    peak: bytes that a step with so many samples takes. kept_bytes: that AdamW will add to that.
    Raises Motion324Error("config-value") where the batch cannot be shared so.
    """
    steps, count = config.steps, processes.count
    chunk = config.synthetic.chunk if config.data.kind == "synthetic" else 1
    if steps.batch % (count * chunk):
        each = f", in chunks of {chunk} (synthetic.chunk)" if chunk > 1 else ""
        raise _unshared(f"The key 'steps.batch' is {steps.batch}, which {count} processes cannot share evenly{each}")
    share = steps.batch // count
    possible = [size for size in range(chunk, share + 1, chunk) if share % size == 0]
    if steps.batch_per_gpu:
        if steps.batch_per_gpu not in possible:
            sizes = ", ".join(map(str, possible))
            raise _unshared(f"The key 'steps.batch_per_gpu' is {steps.batch_per_gpu}; here it can be {sizes}")
        at_once = steps.batch_per_gpu
    elif earlier in possible:
        at_once = earlier
    elif processes.device.type != "cuda":
        at_once = max([size for size in possible if size <= MOST_ON_CPU], default=possible[0])
    else:
        fits = most_that_fit(peak, possible, _room(processes.device) - kept_bytes)
        at_once = int(processes.least(fits))
    return Shares(steps.batch, at_once, processes.rank, count)


def most_that_fit(peak: Callable[[int], int], possible: list[int], room: int) -> int:
    """The largest of the possible sizes whose memory, on a straight line through two small ones, is at most `room`.

    Raises Motion324Error("out-of-memory") where none is.
    """
    for small, larger in PROBED:
        try:
            first, second = peak(small), peak(larger)
        except torch.OutOfMemoryError:
            continue
        each = max(1.0, (second - first) / (larger - small))
        fitting = [size for size in possible if first + each * (size - small) <= room]
        if fitting:
            return max(fitting)
    raise Motion324Error(
        "out-of-memory",
        f"A GPU's memory does not hold a training step with {possible[0]} samples at once.",
        "Set steps.recompute=true, steps.parallel=fsdp or a smaller synthetic.chunk, or fewer data.query_points.",
        EXIT_BACKEND,
    )


def random_batch(config: TrainingConfig, size: int, device: torch.device) -> MotionBatch:
    """Numbers in the shapes of a batch."""
    data = config.data
    frame = (data.image_size, data.image_size, 3)
    return MotionBatch(
        video=torch.randint(0, 256, (size, data.frames, *frame), dtype=torch.uint8, device=device),
        surface=torch.rand(size, data.surface_points, 9, device=device),
        points=torch.rand(size, data.query_points, 9, device=device),
        targets=torch.rand(size, data.frames, data.query_points, 3, device=device),
        names=("random",) * size,
    )


def _room(device: torch.device) -> int:
    total = torch.cuda.get_device_properties(device).total_memory
    return min(int(total * MEMORY_SHARE), total - KEPT_FREE)


def _unshared(sentence: str) -> Motion324Error:
    return Motion324Error("config-value", f"{sentence}.", "", EXIT_USAGE)
