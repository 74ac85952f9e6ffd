"""Fits an embedded deformation graph to flow and silhouettes, frame by frame: the reconstructor without weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from motion324.core.processes.begun_work import begun
from motion324.core.progress import Progress
from motion324.reconstructors.deformation_fit.fit_problem import (
    FitProblem,
    FitSettings,
    Pose,
    following,
    working_images,
)
from motion324.reconstructors.deformation_fit.frame_fit import FrameFit
from motion324.reconstructors.deformation_fit.frame_tree import along_tree
from motion324.reconstructors.deformation_fit.joint_fit import Fit, fit_jointly
from motion324.reconstructors.deformation_fit.observations import Observer
from motion324.reconstructors.gpu_choice import torch_gpu
from motion324.reconstructors.interface import (
    FrameBatch,
    GlancingReconstructor,
    LoadingReconstructor,
    Reconstructor,
    Scene,
    TrackedReconstructor,
)
from motion324.video.one_thread import one_thread_each
from motion324.view.view_search import overlap_of

if TYPE_CHECKING:
    from motion324.reconstructors.deformation_fit.by_torch.together import OnDevice  # needs PyTorch

log = logging.getLogger(__name__)
PARTS = 3  # of what is done by a predictor that is asked again: two answers, and a fit between them
LITTLE_MOTION = 0.04  # of the longest side; chosen on clips of rigs that the model was not trained on
TRUSTED_OVERLAP = 0.8  # of mesh and mask at the reference frame; below it a fit would follow what is not the object


class DeformationFit:
    """Needs no weights, no GPU and no network; holds nothing between jobs."""

    name = "deformation-fit"
    trembles = True

    def __init__(self, settings: FitSettings | None = None) -> None:
        self.settings = settings or FitSettings()

    def check_job(self, frames: int, vertices: int) -> None:
        """Whatever fits the machine's memory can be done."""

    def details(self) -> dict[str, Any]:
        return {}

    def reconstruct(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """Every frame first as soon as it is fitted by itself, then once more, refined together with its neighbours."""
        progress("reconstruct", 0, len(scene.frames))
        stages = _Stages(progress, len(scene.frames), refines=False)
        yield from _fitted(_Fitting(scene, self.settings, None, lambda: stages.alone(0)), stages, None)


class RefinedByFit:
    """Another reconstructor's result, brought nearer to flow and silhouettes by the fit: held to it, most in depth.

    One that can be told where vertices are is asked twice, the second time told its first answer as fitted frame by
    frame, which is the better answer the more moves: a mean of both is taken, see second_share. The fit takes a
    draft's rounds and steps; see `following`. Where the mesh does not cover the mask in the reference frame, one of
    them is wrong, or the view, and nothing is fitted.
    """

    trembles = True

    def __init__(
        self,
        predictor: Reconstructor,
        settings: FitSettings | None = None,
        asks_twice: bool = True,
        device: str = "cpu",
    ) -> None:
        """asks_twice: False for a result in less time. device: as in AnimateOptions; where PyTorch sees a GPU, the fit
        computes there."""
        self.predictor = predictor
        self.device = device
        self._fitted_on = "cpu"
        self.asks_twice = asks_twice
        self.settings = following(settings or FitSettings())
        self.name = f"{predictor.name}+fit"
        self._fits = True

    def check_job(self, frames: int, vertices: int) -> None:
        """Raises what the predictor's does."""
        self.predictor.check_job(frames, vertices)

    def load_beforehand(self) -> None:
        if isinstance(self.predictor, LoadingReconstructor):
            self.predictor.load_beforehand()

    def details(self) -> dict[str, Any]:
        """The predictor's, and "fitted": whether the masks were such that its result was fitted to them; if so,
        "fitted_on": "cpu" or the GPU."""
        told = {"fitted": self._fits, **({"fitted_on": self._fitted_on} if self._fits else {})}
        return {**self.predictor.details(), **told}

    def reconstruct(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """Every frame as glanced at, where the predictor can; as predicted, twice where the predictor is asked twice;
        then as fitted by itself, and then as refined with its neighbours."""
        self._fits = overlap_of(scene.mesh, scene.view, scene.masks[0]) >= TRUSTED_OVERLAP
        if not self._fits:
            yield from self._answers(scene, progress, None)
            return
        gpu = torch_gpu(self.device)
        with begun(lambda check: _Fitting(scene, self.settings, gpu, check)) as fitting_of:
            predicted, expected = yield from _gathered(scene, self._answers(scene, progress, fitting_of))
            stages = _Stages(progress, len(scene.frames), refines=True)
            fitting = fitting_of(lambda: stages.alone(0))
            yield from _expecting(expected, _fitted(fitting, stages, predicted))
            self._fitted_on = fitting.place

    def _answers(
        self, scene: Scene, progress: Progress, fitting_of: Callable[[Callable[[], None]], _Fitting] | None
    ) -> Iterator[FrameBatch]:
        """The predictor's. fitting_of: waits for what fits its first answer before it is asked again; None: nothing
        does."""
        asked = self.predictor
        if not (self.asks_twice and isinstance(asked, TrackedReconstructor) and asked.takes_tracks(progress)):
            yield from _glanced(asked, scene, progress)
            yield from asked.reconstruct(scene, progress)
            return
        first, between, second = (_part_of_predicting(progress, part) for part in range(PARTS))
        yield from _glanced(asked, scene, first)
        answer, expected = yield from _gathered(scene, asked.reconstruct(scene, first))
        share = second_share(scene.mesh.positions, answer)
        if fitting_of:
            alone = _Stages(between, len(scene.frames), refines=False)
            fitting = fitting_of(lambda: alone.alone(0))
            fitted = _expecting(expected, _fitted(fitting, alone, answer, jointly=False))
            answer, _ = yield from _gathered(scene, fitted)
        yield from _expecting(expected, _between(answer, asked.reconstruct(scene, second, answer), share))


def _glanced(asked: Reconstructor, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
    if isinstance(asked, GlancingReconstructor):
        yield from asked.glance(scene, progress)


def _gathered(
    scene: Scene, batches: Iterator[FrameBatch]
) -> Generator[FrameBatch, None, tuple[np.ndarray, np.ndarray | None]]:
    """Passes the batches on as not final; returns what all frames were at last (T, N, 3), and the errors that are
    expected of them (T, N) float16, None where these are not told."""
    positions = np.empty((len(scene.frames), *scene.mesh.positions.shape), np.float32)
    expected: np.ndarray | None = None
    for batch in batches:
        positions[batch.indices] = batch.positions
        if batch.expected_error is not None:
            expected = np.zeros(positions.shape[:2], np.float16) if expected is None else expected
            expected[batch.indices] = batch.expected_error
        yield replace(batch, final=False)
    return positions, expected


def _expecting(expected: np.ndarray | None, batches: Iterator[FrameBatch]) -> Iterator[FrameBatch]:
    """The batches with these errors (T, N). Those of a first answer tell of all that comes of it: one that is told it
    repeats its errors, and its looks agree more than they should."""
    for batch in batches:
        told = None if expected is None else expected[batch.indices].astype(np.float32)
        yield replace(batch, expected_error=told)


def second_share(reference: np.ndarray, answer: np.ndarray) -> float:
    """How much the second answer counts beside the first one, 0..1. reference (N, 3), answer (T, N, 3): the first one.

    What the model is told is wrong by much the same length whatever moves: where little does, that spoils what was
    right, most along the view. Half where the mean distance from the reference is LITTLE_MOTION.
    """
    size = float(np.linalg.norm(answer[1:] - reference, axis=2).mean()) if len(answer) > 1 else 0.0
    return size**2 / (size**2 + LITTLE_MOTION**2)


def _between(first: np.ndarray, batches: Iterator[FrameBatch], share: float) -> Iterator[FrameBatch]:
    """first (T, N, 3): the first answer -> the batches of the second one, which counts as `share` beside it."""
    for batch in batches:
        before = first[batch.indices]
        yield replace(batch, positions=(before + share * (batch.positions - before)).astype(np.float32))


def _part_of_predicting(progress: Progress, part: int) -> Progress:
    """What tells the progress of one of the PARTS."""

    def told(stage: str, done: int, total: int) -> None:
        if stage == "load":
            progress(stage, done, total)
        else:
            progress("reconstruct", total * part + done, total * PARTS)

    return told


class _Stages:
    """Tells the progress of both passes over the frames: as two stages, or as one, after a predictor's own."""

    def __init__(self, progress: Progress, total: int, refines: bool) -> None:
        self._progress, self._total, self._refines = progress, total, refines

    def alone(self, done: int) -> None:
        if self._refines:
            self._progress("refine", done, 2 * self._total)
        else:
            self._progress("reconstruct", done, self._total)

    def together(self, done: int, total: int) -> None:
        before = self._total if self._refines else 0
        self._progress("refine", before + done, before + total)


class _Fitting:
    """The fits of one scene, of which what was seen and set up is kept from one to the next."""

    def __init__(self, scene: Scene, settings: FitSettings, gpu: str | None, check: Callable[[], None]) -> None:
        """gpu: for PyTorch, which fits to predictions only; None: the CPU fits. check: often called, may raise."""
        images = working_images(scene.frames, scene.masks, scene.view, settings.picture)
        self.problem = FitProblem(scene.mesh, images, settings, scene.seed, check)
        self._observer = Observer(self.problem)
        self._gpu = gpu
        self._on_device: OnDevice | None = None
        if gpu is not None:
            try:
                self._lies_on(gpu)
            except RuntimeError as error:  # PyTorch's kind for all that goes wrong on a GPU
                self.leaves_gpu(error)

    @property
    def place(self) -> str:
        """Where it fits to predictions, for people."""
        return self._gpu or "cpu"

    def leaves_gpu(self, error: RuntimeError) -> bool:
        """Whether the CPU fits from now on, and did not before."""
        if self._gpu is None:
            return False
        log.warning("The fit failed on %s, the CPU does it anew: %s", self._gpu, error)
        self._gpu = self._on_device = None
        return True

    def to(self, predicted: np.ndarray | None, stages: _Stages) -> tuple[Fit, Iterator[tuple[int, Pose]]]:
        """A fit to a prediction, or without one, and what fits every frame by itself."""
        if predicted is None or self._gpu is None:
            alone = FrameFit(self.problem, predicted, self._observer)
            return alone, _one_by_one(alone, stages)
        from motion324.reconstructors.deformation_fit.by_torch import together

        fit = together.FitTogether(self._lies_on(self._gpu), predicted)
        return fit, fit.fit(stages.alone)

    def _lies_on(self, gpu: str) -> OnDevice:
        from motion324.reconstructors.deformation_fit.by_torch import together

        if self._on_device is None:
            self._on_device = together.OnDevice(self.problem, self._observer, gpu)
        return self._on_device


def _fitted(
    fitting: _Fitting, stages: _Stages, predicted: np.ndarray | None, jointly: bool = True
) -> Iterator[FrameBatch]:
    """jointly: also refine every frame together with its neighbours, without which nothing is final. Where the GPU
    fails, as when another program has its memory, the CPU fits all anew."""
    final: set[int] = set()
    try:
        for batch in _limited(fitting, stages, predicted, jointly):
            if batch.final:
                final.update(batch.indices.tolist())
            yield batch
        return
    except RuntimeError as error:  # PyTorch's kind for all that goes wrong on a GPU
        if not fitting.leaves_gpu(error):
            raise
    for batch in _limited(fitting, stages, predicted, jointly):
        if not (batch.final and final.intersection(batch.indices.tolist())):
            yield batch


def _limited(fitting: _Fitting, stages: _Stages, predicted: np.ndarray | None, jointly: bool) -> Iterator[FrameBatch]:
    with one_thread_each():
        yield from _fitted_by_one_thread(fitting, stages, predicted, jointly)


def _fitted_by_one_thread(
    fitting: _Fitting, stages: _Stages, predicted: np.ndarray | None, jointly: bool
) -> Iterator[FrameBatch]:
    fit, alone = fitting.to(predicted, stages)
    poses: dict[int, Pose] = {}
    for t, pose in alone:
        poses[t] = pose
        yield _batch(fit.problem, t, pose, final=False)
    if not jointly:
        return
    for start, refined in fit_jointly(fit, [poses[t] for t in range(len(poses))], stages.together):
        for k, pose in enumerate(refined):
            yield _batch(fit.problem, start + k, pose, final=True)


def _one_by_one(fit: FrameFit, stages: _Stages) -> Iterator[tuple[int, Pose]]:
    """Each frame after its parent in the tree of frames."""
    order, parent = fit.problem.tree()
    poses: list[Pose] = [Pose.rest(len(fit.problem.graph.nodes))] * len(order)
    if fit.follows:
        fit.follow(0, poses[0], lambda: stages.alone(0))

    def fit_one(t: int, check: Callable[[], None]) -> None:
        near = int(parent[t])
        if fit.follows:
            fit.follow(t, fit.followed(near), check)
        poses[t] = fit.fit(t, near, poses[near], check)

    for t in along_tree(order, parent, fit_one, stages.alone):
        yield t, poses[t]
    stages.alone(len(order))


def _batch(problem: FitProblem, t: int, pose: Pose, final: bool) -> FrameBatch:
    positions = problem.posed(pose).vertices.astype(np.float32)[None]
    return FrameBatch(np.array([t]), positions, final)
