"""Is the reconstructor "motion-transformer": it keeps the model between jobs, and feeds it with scenes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from motion324.core.processes.begun_work import wait_for
from motion324.core.progress import Progress
from motion324.reconstructors.interface import FrameBatch, Scene
from motion324.reconstructors.motion_transformer.options import InferenceOptions, import_torch, require_torch
from motion324.weights.store import installed_path

if TYPE_CHECKING:
    from motion324.reconstructors.motion_transformer.device import Readiness
    from motion324.reconstructors.motion_transformer.predictor import MotionPredictor


Result = TypeVar("Result")


class MotionTransformer:
    """Motion 3-to-4 behind the interface of a Reconstructor. Every frame is yielded once, and is final.

    The model gets the mesh as it stands in normalised space, as its authors' own program does, whatever the view: it
    has no input that would tell it the camera, and finds by itself where the video shows the surface. So nothing is
    turned into the view here, and the view that the pipeline finds serves the overlay and its warning only.
    """

    name = "motion-transformer"
    trembles = False  # what the published weights say stays as it is

    def __init__(self, options: InferenceOptions | None = None, weights: Path | None = None) -> None:
        """weights: a checkpoint; None takes the installed one. Nothing is loaded before the first job.

        Raises Motion324Error("torch-missing", "weights-missing", "bad-option").
        """
        require_torch()
        self.options = options or InferenceOptions()
        self.options.check()
        self.weights = weights or installed_path()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="motion324-loading")
        self._readiness: Future[Readiness] | None = None
        self._loading: Future[MotionPredictor] | None = None
        self._stage = "load"

    def prepare(self, progress: Progress) -> None:
        """Looks whether this machine can run these weights as the options say.

        Raises Motion324Error("torch-broken"), and what `workload.find_readiness` raises.
        """
        self._ready(progress)

    def check_job(self, frames: int, vertices: int) -> None:
        """Raises Motion324Error("out-of-memory") where so many frames cannot fit the device as it is now."""
        readiness = self._ready(lambda stage, done, total: None)
        readiness.check_memory(min(frames, self.options.window), self.place == str(readiness.device))

    def reconstruct(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """Raises what `prepare`, loading (`MotionPredictor.load`) and predicting (`MotionPredictor.stream`) raise."""
        predictor = self._predictor(progress)
        from motion324.reconstructors.motion_transformer.predictor import surface_points, vertex_points
        from motion324.reconstructors.scene_frames import object_frames

        progress("reconstruct", 0, len(scene.frames))
        surface = surface_points(scene.surface)
        points = vertex_points(scene.mesh, scene.surface)
        frames = object_frames(scene.frames, scene.masks, progress)
        for indices, positions in predictor.stream(surface, points, frames, progress):
            yield FrameBatch(indices, positions, final=True)

    def details(self) -> dict[str, Any]:
        """Of the last job: device, precision, kernels by the kind of attention, weights, and seconds by stage, among
        them "load" and "warm-up", which were spent when the model was loaded.
        """
        predictor = self._loaded()
        if predictor is None:
            return {}
        return {
            "device": str(predictor.device),
            "precision": predictor.precision.name,
            "attention": predictor.attention.used,
            "weights": self.weights.name,
            "seconds": {stage: round(seconds, 3) for stage, seconds in predictor.seconds.items()},
        }

    @property
    def place(self) -> str:
        """The device that holds the model now; "" while it is not loaded."""
        predictor = self._loaded()
        return "" if predictor is None else predictor.place

    def to_cpu(self) -> None:
        """Frees the GPU's memory, but keeps the model; the next job takes it back to the GPU."""
        predictor = self._loaded()
        if predictor is not None:
            predictor.to_cpu()

    def unload(self) -> None:
        """Frees all that the model holds; the next job loads it again."""
        self.to_cpu()
        self._loading = None

    def _loaded(self) -> MotionPredictor | None:
        loading = self._loading
        return loading.result() if loading is not None and loading.done() and loading.exception() is None else None

    def _ready(self, progress: Progress) -> Readiness:
        if self._readiness is None or _has_failed(self._readiness):
            self._stage = "load"
            self._readiness = self._thread.submit(_look, self.options, self.weights)
        return self._wait_for(self._readiness, progress)

    def _predictor(self, progress: Progress) -> MotionPredictor:
        self._ready(progress)
        from motion324.reconstructors.motion_transformer.predictor import MotionPredictor

        def warms_up() -> None:
            self._stage = "warm-up"

        if self._loading is None or _has_failed(self._loading):
            self._stage = "load"
            self._loading = self._thread.submit(MotionPredictor.load, self.weights, self.options, warms_up)
        return self._wait_for(self._loading, progress)

    def _wait_for(self, future: Future[Result], progress: Progress) -> Result:
        """Reports while the thread works, so that cancelling need not wait; what is given up goes on for later."""
        wait_for([future], lambda: progress(self._stage, 0, 1))
        return future.result()


def _look(options: InferenceOptions, weights: Path) -> Readiness:
    import_torch()
    from motion324.reconstructors.motion_transformer.device import find_readiness

    return find_readiness(options, weights)


def _has_failed(future: Future[Any]) -> bool:
    return future.done() and future.exception() is not None
