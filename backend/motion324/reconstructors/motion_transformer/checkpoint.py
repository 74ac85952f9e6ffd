"""Reads checkpoints: the published .pt, once, and the safetensors file that it is converted to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.reconstructors.motion_transformer.config import ModelConfig, foreign
from motion324.reconstructors.motion_transformer.model import MotionModel

FORMAT = "motion324-motion-transformer-1"
# In published state dicts, but computed anew (pos_embed) or used in DINOv2's own training only.
UNUSED = ("pos_embed", "image_encoder.model.mask_token")


def load_model(path: Path, device: torch.device, blocks: torch.dtype) -> MotionModel:
    """The model of a checkpoint on `device`, the matrices of its blocks as `blocks`, all else in float32.

    A converted file is memory-mapped, and each tensor goes from there to the device. A published .pt works as well, but
    passes through the memory.

    Raises Motion324Error: "checkpoint-missing", "checkpoint-broken" (truncated, damaged), "checkpoint-unsafe" (a pickle
    with code in it), "checkpoint-foreign" (another architecture, or missing and mis-shaped tensors).
    """
    with _opened(path) as (shapes, read, metadata):
        model = _empty_model(shapes, metadata, path.name)
        matrices = _matrices(model)
        state = {}
        for name in model.state_dict():
            state[name] = read(name, device).to(blocks if name in matrices else torch.float32)
    model.load_state_dict(state, assign=True)
    return model


def look_into(path: Path, blocks: torch.dtype) -> tuple[ModelConfig, int]:
    """The sizes of a checkpoint's model, and the bytes that `load_model` will fill, without reading its numbers.

    Raises as `load_model`, but for a file that only its numbers' end is missing from.
    """
    with _opened(path) as (shapes, _, metadata):
        model = _empty_model(shapes, metadata, path.name)
    matrices = _matrices(model)
    sizes = {name: value.numel() for name, value in model.state_dict().items()}
    full = torch.float32.itemsize
    return model.config, sum(size * (blocks.itemsize if name in matrices else full) for name, size in sizes.items())


def read_config(path: Path) -> ModelConfig:
    """The sizes of a checkpoint's model; of a converted file without reading its tensors. Raises as `load_model`."""
    with _opened(path) as (shapes, _, metadata):
        return _config(shapes, metadata, path.name)


def convert(source: Path, target: Path, notes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Writes the model of a published .pt as safetensors, without the optimizer's state, and returns its metadata:

    "format"; "config" (JSON); "source" and "source_sha256" (the .pt's); "tensors_sha256" (see `hash_tensors`);
    "step" where the checkpoint tells it; and `notes`, such as the licence. The file appears when it is complete.

    Raises Motion324Error as `load_model`, "disk-full" and "cannot-write".
    """
    with _opened(source) as (shapes, read, _):
        config = ModelConfig.from_shapes(shapes, source.name)
        with torch.device("meta"):
            expected = {name: tuple(value.shape) for name, value in MotionModel(config).state_dict().items()}
        _check_tensors(shapes, expected, source.name)
        cpu = torch.device("cpu")
        tensors = {name: read(name, cpu).float().contiguous() for name in expected}
        step = read.step if isinstance(read, _PickledTensors) else None
    extra = {
        **(notes or {}),
        "source": source.name,
        "source_sha256": hash_file(source),
        **({} if step is None else {"step": str(step)}),
    }
    return write_checkpoint(tensors, config, target, extra)


def write_checkpoint(
    tensors: Mapping[str, Tensor], config: ModelConfig, target: Path, notes: Mapping[str, str]
) -> dict[str, str]:
    """Writes a model's tensors so that `load_model` reads them, and returns the metadata, the notes included.

    Raises Motion324Error("disk-full", "cannot-write").
    """
    metadata = {
        **notes,
        "format": FORMAT,
        "config": json.dumps(config.to_dict()),
        "tensors_sha256": hash_tensors(tensors),
    }
    with explained_write_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(target) as aside:
        try:
            save_file(dict(tensors), aside, metadata=metadata)
        except SafetensorError as error:  # holds the system's error as text only
            raise OSError(str(error)) from error
    return metadata


def verify(path: Path) -> dict[str, str]:
    """Reads all of a converted file, and compares it with the hash in its metadata, which is returned.

    Raises Motion324Error("checkpoint-damaged") where they differ, and as `load_model` does.
    """
    with _opened(path) as (shapes, read, metadata):
        if metadata.get("format") != FORMAT:
            raise foreign(path.name, "it was not made by `motion324 weights convert`")
        cpu = torch.device("cpu")
        tensors = {name: read(name, cpu) for name in shapes}
    if hash_tensors(tensors) != metadata.get("tensors_sha256"):
        raise Motion324Error(
            "checkpoint-damaged",
            f"{path.name} has changed since it was converted: its tensors do not match its hash.",
            "Convert it again from the published checkpoint, or download that again.",
            EXIT_USAGE,
        )
    return metadata


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the tensors by name: name, type, shape, and the numbers' bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the two formats --------------------------------------------------------------------------------------------------

Shapes = dict[str, tuple[int, ...]]
Read = Callable[[str, torch.device], Tensor]


class _PickledTensors:
    """The state dict of a published .pt, memory-mapped."""

    def __init__(self, tensors: Mapping[str, Tensor], step: object) -> None:
        self.tensors = tensors
        self.step = step

    def __call__(self, name: str, device: torch.device) -> Tensor:
        return self.tensors[name].to(device)


@contextlib.contextmanager
def _opened(path: Path):
    """-> (shapes, read(name, device), metadata) of either format."""
    if not path.is_file():
        raise Motion324Error(
            "checkpoint-missing",
            f"There is no file {path}.",
            "Fetch the weights with `motion324 weights download`, or give the path of a checkpoint.",
            EXIT_USAGE,
        )
    if path.suffix == ".safetensors":
        with _open_safetensors(path) as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            yield shapes, lambda name, device: _read_safetensors(path, file, name, device), file.metadata() or {}
        return
    tensors, step = _read_pickle(path)
    yield {name: tuple(value.shape) for name, value in tensors.items()}, _PickledTensors(tensors, step), {}


def _open_safetensors(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise _broken(path, str(error)) from error


def _read_safetensors(path: Path, file: Any, name: str, device: torch.device) -> Tensor:
    try:
        return file.get_tensor(name).to(device)
    except (SafetensorError, OSError) as error:
        raise _broken(path, str(error)) from error


def _read_pickle(path: Path) -> tuple[dict[str, Tensor], object]:
    if not zipfile.is_zipfile(path):
        raise _broken(path, "it is no PyTorch checkpoint, or its end is missing")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise Motion324Error(
            "checkpoint-unsafe",
            f"{path.name} holds more than numbers (it would run code when it is read), so it is refused.",
            "Use only checkpoints from a source that you trust; the published one holds numbers alone.",
            EXIT_USAGE,
        ) from error
    except (RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
        raise _broken(path, str(error)) from error
    state = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()) or not state:
        raise foreign(path.name, "it holds no state dict of tensors")
    return state, content.get("param_update_step")


def _broken(path: Path, why: str) -> Motion324Error:
    first = (why.strip().splitlines() or ["unknown"])[0][:160].rstrip(".")
    return Motion324Error(
        "checkpoint-broken",
        f"{path.name} cannot be read: {first}.",
        "It may be incomplete; download or copy it again.",
        EXIT_USAGE,
    )


# --- checks -----------------------------------------------------------------------------------------------------------


def _config(shapes: Shapes, metadata: Mapping[str, str], name: str) -> ModelConfig:
    if metadata.get("format") == FORMAT and "config" in metadata:
        try:
            return ModelConfig.from_dict(read_json(metadata["config"]))
        except (TypeError, ValueError, KeyError) as error:
            raise foreign(name, f"its metadata describe no configuration ({error})") from error
    return ModelConfig.from_shapes(shapes, name)


def _empty_model(shapes: Shapes, metadata: Mapping[str, str], name: str) -> MotionModel:
    """The model that a file with these tensors holds, without numbers. Raises Motion324Error("checkpoint-foreign")."""
    with torch.device("meta"):
        model = MotionModel(_config(shapes, metadata, name))
    _check_tensors(shapes, {tensor: tuple(value.shape) for tensor, value in model.state_dict().items()}, name)
    return model


def _check_tensors(found: Shapes, expected: Shapes, name: str) -> None:
    """Raises Motion324Error("checkpoint-foreign") that names what is missing, mis-shaped, or too much."""
    problems = [f"it has no {tensor}" for tensor in expected if tensor not in found]
    problems += [
        f"{tensor} has the shape {found[tensor]} instead of {shape}"
        for tensor, shape in expected.items()
        if tensor in found and found[tensor] != shape
    ]
    problems += [f"{tensor} is unknown" for tensor in found if tensor not in expected and tensor not in UNUSED]
    if problems:
        more = f", and {len(problems) - 3} more such" if len(problems) > 3 else ""
        raise foreign(name, ", ".join(problems[:3]) + more)


def _matrices(model: MotionModel) -> set[str]:
    """Names of the weights that the blocks multiply by, as they are cast for inference."""
    wanted = {id(module) for part in model.blocks() for module in part.modules() if isinstance(module, torch.nn.Linear)}
    return {
        f"{name}.{kind}"
        for name, module in model.named_modules()
        if id(module) in wanted
        for kind, _ in module.named_parameters(recurse=False)
    }
