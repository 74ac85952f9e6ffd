"""Runs the exported node model by onnxruntime: no PyTorch is needed. Letters: T frames, K nodes, P points."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.machine import is_out_of_memory, processor_count
from motion324.reconstructors.node_model.config import TRACK_VALUES, NodeModelConfig

CONFIG_KEY = "node_model"
DECODER_KEY = "point_decoder"
POLL_SECONDS = 0.1
MOST_THREADS = 8  # more gain nothing with matrices of this size
CPU = "CPUExecutionProvider"
ACCELERATORS = {
    "CUDAExecutionProvider": "cuda",
    "DmlExecutionProvider": "directml",
    "CoreMLExecutionProvider": "coreml",
}

Result = TypeVar("Result")


@dataclass(frozen=True)
class NodeMotions:
    """state (1, T, K, 9) float32: displacements and rotations of the nodes. codes (1, K, c): which points follow."""

    state: np.ndarray
    codes: np.ndarray


class OnnxFile:
    """The graphs of an exported model, run by a thread of its own. `check` of each method is called ten times a second,
    and may raise to stop."""

    config: NodeModelConfig
    _main: Any  # the graph that most of the work is done by
    _points: Any  # the one that moves points after nodes

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="motion324-node-model")

    @property
    def place(self) -> str:
        """What it computes on: "cpu", "cuda", "directml" or "coreml"."""
        return ACCELERATORS.get(self._main.get_providers()[0], "cpu")

    def moved_points(self, points: np.ndarray, nodes: np.ndarray, motions: NodeMotions) -> np.ndarray:
        """points (P, 9), nodes (K, 10) -> (T, P, 3) float32."""
        feeds = {"points": points[None], "nodes": nodes[None], "state": motions.state, "codes": motions.codes}
        moved: np.ndarray = self._points.run(None, feeds)[0][0]
        return moved

    def _opened(self, packed: bytes, providers: list[Any], check: Callable[[], None]) -> Any:
        return waited(self._thread, lambda: open_session(packed, providers), check)

    def _run(self, session: Any, feeds: dict[str, np.ndarray], check: Callable[[], None]) -> list[np.ndarray]:
        """Raises Motion324Error("model-failed"), MemoryError, and what check raises."""
        import onnxruntime

        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            found: list[np.ndarray] = waited(self._thread, lambda: session.run(None, feeds, options), check, stop)
        except failures() as error:
            if is_out_of_memory(error) and self.place == "cpu":
                raise MemoryError from error
            raise Motion324Error(
                "model-failed",
                f"onnxruntime could not run the compact model '{self._path.name}' on '{self.place}'.",
                "Try it with --device cpu." if self.place != "cpu" else "Free some memory, or use fewer frames.",
                EXIT_BACKEND,
            ) from error
        return found


class OnnxNodeModel(OnnxFile):
    """The two graphs of a model that does not look again."""

    def __init__(self, path: Path, device: str, check: Callable[[], None]) -> None:
        """device: as in AnimateOptions. Raises Motion324Error("weights-missing", "weights-broken", "bad-option")."""
        super().__init__(path)
        providers = providers_of(device)
        packed = read_bytes(path)
        with explained_opening(path, binascii.Error):
            self._main = self._opened(packed, providers, check)
            properties = self._main.get_modelmeta().custom_metadata_map
            decoder = base64.b64decode(properties[DECODER_KEY], validate=True)
            self._points = open_session(decoder, [CPU])
            self.config = NodeModelConfig.from_json(properties[CONFIG_KEY])

    def motions(
        self,
        frames: np.ndarray,
        times: np.ndarray,
        camera: np.ndarray,
        translation: np.ndarray,
        nodes: np.ndarray,
        tracks: np.ndarray | None,
        check: Callable[[], None],
    ) -> NodeMotions:
        """frames (T, 4, S, S), times (T,), camera (3,), translation (3,), nodes (K, 10), all float32, as NodeInputs
        describes them, without its first axis; tracks (T, K, 5) only where the config takes them.
        Raises as `_run` does."""
        named = {"frames": frames, "times": times, "camera": camera, "translation": translation, "nodes": nodes}
        if self.config.takes_tracks:
            named["tracks"] = np.zeros((len(frames), len(nodes), TRACK_VALUES)) if tracks is None else tracks
        feeds = {name: np.ascontiguousarray(values[None], np.float32) for name, values in named.items()}
        state, codes = self._run(self._main, feeds, check)
        return NodeMotions(state, codes)


@contextmanager
def explained_opening(path: Path, *others: type[Exception]) -> Iterator[None]:
    """Raises Motion324Error("weights-broken") or MemoryError for what goes wrong within."""
    try:
        yield
    except failures(KeyError, *others) as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise broken_file(path) from error


def waited(
    thread: ThreadPoolExecutor,
    work: Callable[[], Result],
    check: Callable[[], None],
    stop: Callable[[], None] = lambda: None,
) -> Result:
    """What `work` gives, done by the thread. check: called ten times a second meanwhile; where it raises, `stop` is
    called and the work's end awaited."""
    future = thread.submit(work)
    try:
        while not future.done():
            check()
            wait([future], POLL_SECONDS)
    except BaseException:
        stop()
        wait([future])
        raise
    return future.result()


def providers_of(device: str) -> list[Any]:
    """Accelerators first, where `device` lets them be used and this onnxruntime has them; the CPU last."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "cpu":
        return [CPU]
    if device == "auto":
        return [*(name for name in ACCELERATORS if name in there), CPU]
    if "CUDAExecutionProvider" not in there:
        raise Motion324Error(
            "bad-option",
            f"The compact model cannot run on '{device}': this onnxruntime is one without CUDA.",
            "Leave --device at auto, or install onnxruntime-gpu in place of onnxruntime.",
            EXIT_USAGE,
        )
    return [("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2] or 0)}), CPU]


def open_session(packed: bytes, providers: list[Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(processor_count(), MOST_THREADS)
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take a third of the work of whatever else runs, and are no faster beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: what runs on the CPU beside an accelerator needs no warning
    try:
        return onnxruntime.InferenceSession(packed, options, providers=providers)
    except failures():
        if providers == [CPU]:
            raise
        return onnxruntime.InferenceSession(packed, options, providers=[CPU])


def failures(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What onnxruntime raises: exceptions of its own, which have no other base than Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    named = (value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception))
    return (*named, RuntimeError, *others)


def read_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise Motion324Error(
            "weights-missing",
            f"There is no file '{path}' with the compact model.",
            "Check the path.",
            EXIT_BACKEND,
        )
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or os.fspath(path)).lower()
        raise Motion324Error(
            "weights-broken", f"'{path}' cannot be read: {reason}.", "Check its permissions.", EXIT_BACKEND
        ) from error


def broken_file(path: Path) -> Motion324Error:
    return Motion324Error(
        "weights-broken",
        f"The file '{path}' does not hold a compact model for onnxruntime.",
        "Export it again with `python -m motion324.training.export`.",
        EXIT_BACKEND,
    )
