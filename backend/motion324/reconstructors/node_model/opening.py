"""Opens the compact model on the fastest that there is, and keeps it from job to job.

onnxruntime runs it, on an accelerator where this onnxruntime has one. Where it has none, but PyTorch sees an NVIDIA or
AMD GPU, PyTorch does: whoever installed the backend's CUDA environment has that.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from pathlib import Path

from motion324.core.files.input_files import file_state
from motion324.core.processes.begun_work import wait_for
from motion324.core.processes.onnx_providers import CPU, CUDA, accelerators, place_of
from motion324.reconstructors.gpu_choice import torch_gpu
from motion324.reconstructors.node_model.answers import Check, ModelInUse
from motion324.reconstructors.node_model.model_file import read_model_file
from motion324.reconstructors.node_model.onnx_file import OnnxNodeModel, providers_of

log = logging.getLogger(__name__)

_lock = threading.Lock()
_kept: tuple[object, ModelInUse] | None = None
_begun: tuple[object, Future[ModelInUse | None]] | None = None


def open_beforehand(path: Path, device: str) -> None:
    """Begins to open it beside other work, for opened_model to wait for. What goes wrong is raised there: where this
    has failed, it is tried again."""
    global _begun
    key = (file_state(path), device)
    with _lock:
        if any(there is not None and there[0] == key for there in (_kept, _begun)):
            return
        future: Future[ModelInUse | None] = Future()
        _begun = (key, future)
    # Python waits for this thread at its end: libraries do not bear to be left in the middle of opening a file.
    threading.Thread(target=_open_beside, args=(path, device, key, future), name="motion324-open").start()


def opened_model(path: Path, device: str, check: Check) -> ModelInUse:
    """path: of a file as model_file has it. device: as in AnimateOptions. check: called often, and may raise to stop.

    Raises Motion324Error("weights-missing", "weights-broken", "bad-option"), and what choose_device of the motion
    transformer raises.
    """
    global _kept
    key = (file_state(path), device)
    with _lock:
        if _kept is not None and _kept[0] == key:
            return _kept[1]
        begun = _begun[1] if _begun is not None and _begun[0] == key else None
        _kept = None
    if begun is not None:
        wait_for([begun], check)
        found = begun.result()
        if found is not None:
            return found
    model = _opened(path, device, check)
    with _lock:
        _kept = (key, model)
    return model


def _open_beside(path: Path, device: str, key: object, future: Future[ModelInUse | None]) -> None:
    global _kept, _begun
    model = None
    try:
        model = _opened(path, device, lambda: None)
    except Exception as error:  # whoever asks for the model is told what goes wrong
        log.info("The compact model could not be opened beforehand: %s", error)
    with _lock:
        if model is not None:
            _kept = (key, model)
        if _begun is not None and _begun[1] is future:
            _begun = None
    future.set_result(model)


def forget_model() -> None:
    """Frees the one that is kept, once no job uses it."""
    global _kept
    with _lock:
        _kept = None


def accelerator() -> str:
    """What `auto` computes the compact model on, for people: "cpu", "cuda", "coreml", "cuda, PyTorch"..."""
    first = providers_of("auto")[0]
    if first != CPU:
        return place_of(first)
    return "cuda, PyTorch" if _torch_device("auto") is not None else "cpu"


def _opened(path: Path, device: str, check: Check) -> ModelInUse:
    file = read_model_file(path)
    chosen = _torch_device(device)
    if chosen is None:
        return OnnxNodeModel(path, file, device, check)
    import torch

    from motion324.reconstructors.node_model.torch_model import TorchNodeModel

    return TorchNodeModel(path, file, torch.device(chosen))


def _torch_device(device: str) -> str | None:
    """The GPU that PyTorch is to use; None where onnxruntime is to be used."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "cpu" or CUDA in there or (device == "auto" and accelerators(there)):
        return None
    return torch_gpu(device)
