"""Runs the compact model by onnxruntime: no PyTorch is needed. Letters: see answers.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.processes.begun_work import wait_for
from motion324.core.processes.machine import is_out_of_memory, processor_count
from motion324.core.processes.onnx_providers import CPU, CUDA, best_first, place_of
from motion324.reconstructors.node_model.answers import Check, Geometry, LookedAt, NodeMotions, Seen
from motion324.reconstructors.node_model.config import TRACK_VALUES
from motion324.reconstructors.node_model.model_file import (
    FIRST,
    FIRST_ON_CPU,
    LOOK,
    POINTS,
    PREFIX,
    SEE,
    Graph,
    ModelFile,
    broken_file,
)

MOST_THREADS = 8  # more gain nothing with matrices of this size
SEEN_TOGETHER = 6  # frames, on a CPU: more are no faster there, and take 12 MB each
# On a CPU of several cores: two runs side by side take a tenth less of it than one after the other, each on all cores,
# whose threads wait for each other some thousand times, and a fifth less time beside other programs.
RUNS_AT_ONCE = 2

Result = TypeVar("Result")


class OnnxNodeModel:
    """Its graphs run by threads of its own, while the asking one looks whether to stop."""

    def __init__(self, path: Path, model: ModelFile, device: str, check: Check) -> None:
        """path: for messages. device: as in AnimateOptions. Raises Motion324Error("weights-broken", "bad-option")."""
        self._path = path
        self.config = model.config
        providers = providers_of(device)
        self.questions_at_once = RUNS_AT_ONCE if providers == [CPU] and processor_count() > 1 else 1
        self._threads = ThreadPoolExecutor(self.questions_at_once, thread_name_prefix="motion324-node-model")
        graphs = dict(model.graphs)
        on_cpu = graphs.pop(FIRST_ON_CPU, None)
        if on_cpu is not None and providers == [CPU]:
            graphs[FIRST] = on_cpu
        with explained_opening(path):
            self._sessions = {
                name: self._opened(graph, model.weights, providers if name != POINTS else [CPU], check)
                for name, graph in graphs.items()
            }

    @property
    def place(self) -> str:
        return place_of(self._sessions[FIRST].get_providers()[0])

    def see(self, pictures: np.ndarray, check: Check) -> Seen:
        together = SEEN_TOGETHER if self.place == "cpu" else len(pictures)
        parts = [pictures[None, start : start + together] for start in range(0, len(pictures), together)]
        feeds = [{"frames": np.ascontiguousarray(part, np.float32)} for part in parts]
        return self.joined([Seen(*found) for found in self._run(SEE, feeds, check)])

    def joined(self, parts: Sequence[Seen]) -> Seen:
        return Seen(
            np.concatenate([part.match_maps for part in parts], axis=1),
            np.concatenate([part.fine_maps for part in parts], axis=1),
            np.concatenate([part.patches for part in parts]),
        )

    def first_answer(self, seen: Seen, geometry: Geometry, check: Check) -> LookedAt:
        return self.first_answers([(seen, geometry)], check)[0]

    def first_answers(self, questions: Sequence[tuple[Seen, Geometry]], check: Check) -> list[LookedAt]:
        feeds = [self._asked(seen, geometry) for seen, geometry in questions]
        return [LookedAt(NodeMotions(state, codes), tokens) for state, codes, tokens in self._run(FIRST, feeds, check)]

    def look_again(
        self,
        seen: Seen,
        drawn: Seen,
        behind: np.ndarray,
        geometry: Geometry,
        first: LookedAt,
        before: LookedAt,
        check: Check,
    ) -> LookedAt:
        feeds = {
            **_maps(seen),
            **_maps(drawn, "drawn_"),
            **geometry.feeds,
            "behind": behind[None],
            "state": before.motions.state,
            "first_tokens": first.tokens,
            "tokens": before.tokens,
        }
        ((state, codes, tokens, doubt),) = self._run(LOOK, [feeds], check)
        return LookedAt(NodeMotions(state, codes), tokens, doubt[0])

    def displacements(self, motions: NodeMotions) -> np.ndarray:
        moved: np.ndarray = motions.state[0, ..., :3]
        return moved

    def moved_points(self, points: np.ndarray, nodes: np.ndarray, motions: NodeMotions) -> np.ndarray:
        feeds = {"points": points[None], "nodes": nodes[None], "state": motions.state, "codes": motions.codes}
        moved: np.ndarray = self._sessions[POINTS].run(None, feeds)[0][0]
        return moved

    def _asked(self, seen: Seen, geometry: Geometry) -> dict[str, np.ndarray]:
        feeds = {**_maps(seen), **geometry.feeds}
        if self.config.takes_tracks:
            untold = np.zeros((len(geometry.times), len(geometry.nodes), TRACK_VALUES), np.float32)
            told = untold if geometry.tracks is None else geometry.tracks
            feeds["tracks"] = np.ascontiguousarray(told[None], np.float32)
        return feeds

    def _opened(self, graph: Graph, weights: dict[str, np.ndarray], providers: list[Any], check: Check) -> Any:
        return waited(self._threads, [lambda: open_session(graph, weights, providers)], check)[0]

    def _run(self, graph: str, feeds: Sequence[dict[str, np.ndarray]], check: Check) -> list[list[np.ndarray]]:
        """The graph's answers to each of the feeds, `questions_at_once` of them side by side.

        Raises Motion324Error("model-failed"), MemoryError, and what check raises."""
        import onnxruntime

        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            session = self._sessions[graph]
            return waited(self._threads, [partial(session.run, None, one, options) for one in feeds], check, stop)
        except failures() as error:
            if is_out_of_memory(error) and self.place == "cpu":
                raise MemoryError from error
            raise Motion324Error(
                "model-failed",
                f"onnxruntime could not run the compact model '{self._path.name}' on '{self.place}'.",
                "Try it with --device cpu." if self.place != "cpu" else "Free some memory, or use fewer frames.",
                EXIT_BACKEND,
            ) from error


def _maps(seen: Seen, prefix: str = "") -> dict[str, np.ndarray]:
    return {
        f"{prefix}match_maps": seen.match_maps,
        f"{prefix}fine_maps": seen.fine_maps,
        f"{prefix}patches": seen.patches,
    }


@contextmanager
def explained_opening(path: Path) -> Iterator[None]:
    """Raises Motion324Error("weights-broken") or MemoryError for what goes wrong within."""
    broken: tuple[type[Exception], ...] = (*failures(), KeyError)
    try:
        yield
    except broken as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise broken_file(path) from error


def waited(
    threads: ThreadPoolExecutor,
    works: Sequence[Callable[[], Result]],
    check: Check,
    stop: Callable[[], None] = lambda: None,
) -> list[Result]:
    """What each of the works gives, done by the threads. check: called ten times a second meanwhile; where it or a work
    raises, `stop` is called and the end of those that have begun awaited."""
    futures = [threads.submit(work) for work in works]
    try:
        wait_for(futures, check)
    except BaseException:
        stop()
        wait([future for future in futures if not future.cancel()])
        raise
    return [future.result() for future in futures]


def providers_of(device: str) -> list[Any]:
    """Accelerators first, where `device` lets them be used and this onnxruntime has them; the CPU last."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "cpu":
        return [CPU]
    if device == "auto":
        return best_first(there)
    if CUDA not in there:
        raise Motion324Error(
            "bad-option",
            f"The compact model cannot run on '{device}': this onnxruntime is one without CUDA.",
            "Leave --device at auto, or install the backend's 'cuda' extra.",
            EXIT_USAGE,
        )
    return [(CUDA, {"device_id": int(device.partition(":")[2] or 0)}), CPU]


def open_session(graph: Graph, weights: dict[str, np.ndarray], providers: list[Any]) -> Any:
    """weights: as ModelFile has them. Raises what `failures` names, and KeyError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(processor_count(), MOST_THREADS)
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take a third of the work of whatever else runs, and are no faster beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only: what runs on the CPU beside an accelerator needs no warning
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name].astype(np.float32)) for name in graph.weights]
    options.add_external_initializers([PREFIX + name for name in graph.weights], values)
    try:
        return onnxruntime.InferenceSession(graph.packed, options, providers=providers)
    except failures():
        if providers == [CPU]:
            raise
        return onnxruntime.InferenceSession(graph.packed, options, providers=[CPU])


def failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: exceptions of its own, which have no other base than Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    named = (value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception))
    return (*named, RuntimeError)
