"""The reconstructor "motion-transformer": keeps the model between jobs, and feeds it with scenes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from motion324.progress import Progress
from motion324.reconstructors.interface import FrameBatch, Scene
from motion324.reconstructors.motion_transformer.options import InferenceOptions
from motion324.reconstructors.motion_transformer.torch_needed import require_torch
from motion324.weights.store import installed_path

if TYPE_CHECKING:
    from motion324.reconstructors.motion_transformer.predictor import MotionPredictor

POLL_SECONDS = 0.1


class MotionTransformer:
    """Motion 3-to-4 behind the interface of a Reconstructor. Every frame is yielded once, and is final."""

    name = "motion-transformer"

    def __init__(self, options: InferenceOptions | None = None, weights: Path | None = None) -> None:
        """weights: a checkpoint; None takes the installed one. Nothing is loaded before the first job.

        Raises Motion324Error("torch-missing", "weights-missing", "bad-option").
        """
        require_torch()
        self.options = options or InferenceOptions()
        self.options.check()
        self.weights = weights or installed_path()
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="motion324-loading")
        self._loading: Future[MotionPredictor] | None = None

    def reconstruct(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """Raises what loading (`MotionPredictor.load`) and predicting (`MotionPredictor.stream`) raise."""
        predictor = self._predictor(progress, len(scene.frames))
        from motion324.reconstructors.motion_transformer.scene_frames import object_frames
        from motion324.reconstructors.motion_transformer.scene_points import surface_points, vertex_points

        surface = surface_points(scene.surface)
        points = vertex_points(scene.mesh, scene.surface)
        frames = object_frames(scene.frames, scene.masks, progress)
        for indices, positions in predictor.stream(surface, points, frames, progress):
            yield FrameBatch(indices, positions, final=True)

    @property
    def is_loaded(self) -> bool:
        return self._loading is not None and self._loading.done() and self._loading.exception() is None

    def seconds(self) -> dict[str, float]:
        """Per stage of the last job, and of loading and warming up; empty before."""
        return dict(self._loading.result().seconds) if self._loading is not None and self.is_loaded else {}

    def to_cpu(self) -> None:
        """Frees the GPU's memory, but keeps the model; the next job takes it back to the GPU."""
        if self._loading is not None and self.is_loaded:
            self._loading.result().to_cpu()

    def unload(self) -> None:
        """Frees all that the model holds; the next job loads it again."""
        self.to_cpu()
        self._loading = None

    def _predictor(self, progress: Progress, frames: int) -> MotionPredictor:
        """Loads in a thread of its own, so that cancelling need not wait; a load that is given up goes on for later."""
        from motion324.reconstructors.motion_transformer.predictor import MotionPredictor

        if self._loading is None or (self._loading.done() and self._loading.exception() is not None):
            self._loading = self._loader.submit(MotionPredictor.load, self.weights, self.options)
        while not self._loading.done():
            progress("reconstruct", 0, frames)
            time.sleep(POLL_SECONDS)
        return self._loading.result()
