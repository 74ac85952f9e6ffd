"""Keeps the checkpoints of a training run: folders that appear whole or not at all, in safe formats only.

OUT/checkpoints/step-00001000/model.safetensors      the weights, as `--reconstructor motion-transformer` loads them
                              optimiser.safetensors  averages and step counts of AdamW, by parameter
                              random.safetensors     states of the random generators
                              state.json             all else: step, counts, the best so far, the configuration
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import explained_write_errors
from motion324.reconstructors.motion_transformer.checkpoint import load_model, write_checkpoint
from motion324.reconstructors.motion_transformer.model import MotionModel
from motion324.training.transformer.optimiser import part_like, trained_parameters, whole

FORMAT = "motion324-training-1"
FOLDER = "checkpoints"
NAME = re.compile(r"step-(\d+)$")
MODEL, OPTIMISER, RANDOM, STATE = "model.safetensors", "optimiser.safetensors", "random.safetensors", "state.json"


@dataclass(frozen=True)
class RunState:
    """step: steps done; the next samples follow from it. skipped, broken: steps left out and samples skipped so far.

    not_finite: steps in a row without a finite loss. best: the smallest measure so far, at best_step (None before any).
    batch_per_gpu, processes: of the run that wrote it.
    """

    step: int = 0
    skipped: int = 0
    broken: int = 0
    not_finite: int = 0
    best: float | None = None
    best_step: int | None = None
    batch_per_gpu: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Contents:
    """What goes into a checkpoint, in the memory of the first process."""

    model: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    random: dict[str, Tensor]


def gather(model: MotionModel, optimiser: torch.optim.AdamW, device: torch.device) -> Contents:
    """Every process must call it, since with FSDP each holds a part."""
    weights = {name: whole(value.detach()).float().cpu().contiguous() for name, value in model.state_dict().items()}
    averages = {
        f"{kind}/{name}": whole(value).cpu().contiguous()
        for name, parameter in trained_parameters(model).items()
        for kind, value in sorted(optimiser.state.get(parameter, {}).items())
    }
    generators = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        generators["cuda"] = torch.cuda.get_rng_state(device)
    return Contents(weights, averages, generators)


def write(out: Path, state: RunState, contents: Contents, model: MotionModel, config: dict[str, Any]) -> Path:
    """Returns the checkpoint's folder. Raises Motion324Error("disk-full", "cannot-write")."""
    target = folder_of(out, state.step)
    aside = target.with_name(f".{target.name}.unfinished")
    with explained_write_errors(target):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write_checkpoint(contents.model, model.config, aside / MODEL, {"step": str(state.step)})
        try:
            save_file(contents.optimiser, aside / OPTIMISER)
            save_file(contents.random, aside / RANDOM)
        except SafetensorError as error:  # holds the system's error as text only
            raise OSError(str(error)) from error
        told = {"format": FORMAT, "run": asdict(state), "config": config}
        (aside / STATE).write_text(json.dumps(told, indent=1), encoding="utf-8")
        for path in [*aside.iterdir(), aside]:
            _to_disk(path)
        shutil.rmtree(target, ignore_errors=True)
        aside.rename(target)
        _to_disk(target.parent)
    return target


def newest(out: Path) -> Path | None:
    found = list_all(out)
    return found[-1] if found else None


def list_all(out: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    found = [path for path in (out / FOLDER).glob("step-*") if NAME.search(path.name) and (path / STATE).is_file()]
    return sorted(found, key=_step_of)


def folder_of(out: Path, step: int) -> Path:
    return out / FOLDER / f"step-{step:08d}"


def prune(out: Path, keep: int, best_step: int | None) -> None:
    """Removes all but the newest `keep` and the best."""
    for path in list_all(out)[:-keep]:
        if _step_of(path) != best_step:
            shutil.rmtree(path, ignore_errors=True)


def read_state(folder: Path) -> tuple[RunState, dict[str, Any]]:
    """The run's state, and the configuration that it had. Raises Motion324Error("checkpoint-damaged")."""
    try:
        told = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise ValueError(f"the format {told['format']}")
        return RunState(**told["run"]), told["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error)) from error


def read_model(folder: Path) -> MotionModel:
    """On the CPU, in float32. Raises Motion324Error as `load_model` does."""
    return load_model(folder / MODEL, torch.device("cpu"), torch.float32)


def restore(folder: Path, model: MotionModel, optimiser: torch.optim.AdamW, device: torch.device) -> None:
    """Puts the averages and the random states back. Raises Motion324Error("checkpoint-damaged")."""
    try:
        averages, generators = load_file(folder / OPTIMISER), load_file(folder / RANDOM)
    except (OSError, SafetensorError) as error:
        raise _damaged(folder, str(error)) from error
    fused = bool(optimiser.defaults["fused"])
    for name, parameter in trained_parameters(model).items():
        if f"step/{name}" not in averages:
            continue  # never updated when the checkpoint was written
        try:
            kept = {kind: averages[f"{kind}/{name}"] for kind in ("exp_avg", "exp_avg_sq")}
            if any(value.shape != parameter.shape for value in kept.values()):
                raise ValueError(f"{name} has another shape")
        except (KeyError, ValueError) as error:
            raise _damaged(folder, str(error)) from error
        optimiser.state[parameter] = {kind: part_like(value, parameter) for kind, value in kept.items()}
        step = averages[f"step/{name}"]
        optimiser.state[parameter]["step"] = step.to(device) if fused else step
    torch.set_rng_state(generators["cpu"])
    if device.type == "cuda" and "cuda" in generators:
        torch.cuda.set_rng_state(generators["cuda"], device)


def step_told_by(path: Path) -> int:
    """The steps that a checkpoint of the model has been trained for; 0 where it does not tell."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return int((file.metadata() or {}).get("step", "0"))
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return int(content.get("param_update_step", 0)) if isinstance(content, dict) else 0


def _step_of(folder: Path) -> int:
    match = NAME.search(folder.name)
    return int(match[1]) if match else -1


def _to_disk(path: Path) -> None:
    """Waits until a file or folder has reached the disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(folder: Path, why: str) -> Motion324Error:
    return Motion324Error(
        "checkpoint-damaged",
        f"The checkpoint '{folder}' cannot be read: {why.rstrip('.')}.",
        "Remove that folder, so that training goes on from the one before it.",
        EXIT_USAGE,
    )
