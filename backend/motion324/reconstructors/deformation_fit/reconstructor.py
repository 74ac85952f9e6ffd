"""The weights-free reconstructor: an embedded deformation graph fitted to flow and silhouettes, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from motion324.progress import Progress
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, Pose
from motion324.reconstructors.deformation_fit.frame_fit import FrameFit
from motion324.reconstructors.deformation_fit.frame_order import frame_tree
from motion324.reconstructors.deformation_fit.joint_fit import fit_jointly
from motion324.reconstructors.deformation_fit.settings import FitSettings
from motion324.reconstructors.deformation_fit.working_images import working_images
from motion324.reconstructors.interface import FrameBatch, Scene


class DeformationFit:
    """Needs no weights, no GPU and no network; holds nothing between jobs."""

    name = "deformation-fit"

    def __init__(self, settings: FitSettings | None = None) -> None:
        self.settings = settings or FitSettings()

    def check_job(self, frames: int, vertices: int) -> None:
        """Whatever fits the machine's memory can be done."""

    def details(self) -> dict[str, Any]:
        return {}

    def reconstruct(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """Every frame first as soon as it is fitted by itself, then once more, refined together with its neighbours."""
        total = len(scene.frames)
        progress("reconstruct", 0, total)
        images = working_images(scene.frames, scene.masks, scene.view, self.settings.picture)
        problem = FitProblem(scene.mesh, images, self.settings, scene.seed, lambda: progress("reconstruct", 0, total))
        fit = FrameFit(problem)
        order, parent = frame_tree(fit.observer.greys)

        poses: list[Pose] = [Pose.rest(len(problem.graph.nodes))] * total
        for done, t in enumerate(order):

            def check(done: int = done) -> None:
                progress("reconstruct", done, total)

            check()
            if t > 0:
                poses[t] = fit.fit(t, int(parent[t]), poses[int(parent[t])], check)
            yield _batch(problem, t, poses[t], final=False)
        progress("reconstruct", total, total)

        for start, refined in fit_jointly(fit, poses, lambda done, of: progress("refine", done, of)):
            for k, pose in enumerate(refined):
                yield _batch(problem, start + k, pose, final=True)


def _batch(problem: FitProblem, t: int, pose: Pose, final: bool) -> FrameBatch:
    positions = problem.posed(pose).vertices.astype(np.float32)[None]
    return FrameBatch(np.array([t]), positions, final)
