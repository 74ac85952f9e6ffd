"""Fits all frames at once, from where they are predicted: on a GPU, on which one frame keeps little busy.

A frame's own equations and terms are those of frame_fit.py. What differs is the order: there a frame is fitted once its
parent in the tree of frames is done, here all are fitted side by side, and see their parents as they were after the
round before. What the pictures say is read on the CPU, by the same code as there, on all cores.

Letters: B frames, T all frames, K nodes, P points, N vertices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from motion324.core.processes.side_by_side import side_by_side
from motion324.reconstructors.deformation_fit.by_torch.drawings import Drawings
from motion324.reconstructors.deformation_fit.by_torch.equations import Equations, damped, factor, step, whole
from motion324.reconstructors.deformation_fit.by_torch.point_set import Poses, PulledPoints, apart, together
from motion324.reconstructors.deformation_fit.by_torch.pulls import (
    Camera,
    FieldOnDevice,
    FrameTargets,
    MaskFields,
    on_device,
)
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, Pose, PosedSurface
from motion324.reconstructors.deformation_fit.frame_fit import FOLLOWING_RIGIDITY, held_across, mean_motion, pulls
from motion324.reconstructors.deformation_fit.joint_equations import (
    Window,
    acceleration_gradient,
    conjugate_gradients,
)
from motion324.reconstructors.deformation_fit.observations import (
    JOINT_WINDOW,
    Observation,
    Observer,
    PointTargets,
)

Found = TypeVar("Found")

FIELDS_KEPT = 256  # frames' ways to their masks, of 0.5 MB at 320 x 320 pixels
AT_ONCE = 48  # frames fitted by themselves: so many that their flows are kept meanwhile
FOLLOWING_STEPS = 6  # Gauss-Newton steps to a predicted pose, from what each node's own points say


class OnDevice:
    """What stays the same over all frames and fits of one problem, as tensors on a device."""

    def __init__(self, problem: FitProblem, observer: Observer, device: str) -> None:
        """device: PyTorch's name of it."""
        self.problem, self.observer = problem, observer
        self.like = like = torch.zeros(1, dtype=torch.float32, device=torch.device(device))
        p, s = problem, problem.settings
        self.camera = Camera(p, like)
        self.area = torch.as_tensor(p.point_area).to(like)
        self.outlined_area = torch.as_tensor(p.outlined_area).to(like)
        self.rest = torch.as_tensor(p.points).to(like)
        ahead = p.view.rotation[2]
        self.held_along = torch.as_tensor(s.depth_predicted * np.outer(ahead, ahead)).to(like)
        points = PulledPoints(p.graph, p.points, p.point_nodes, p.point_weights, like)
        self.equations = Equations(p.graph, points, s.rigidity_knee, like)
        self.drawings = Drawings(p, points, like)
        self.some = slice(None, None, max(1, len(p.vertex_rest) // s.points))  # of the vertices that poses follow
        rest, nodes, weights = (part[self.some] for part in (p.vertex_rest, p.vertex_nodes, p.vertex_weights))
        vertices = PulledPoints(p.graph, rest, nodes, weights, like)
        self.following = Equations(p.graph, vertices, s.rigidity_knee, like)
        self._field = lru_cache(maxsize=FIELDS_KEPT)(lambda t: FieldOnDevice.of(observer.field(t), like.device))

    def fields(self, frames: Sequence[int]) -> MaskFields:
        found: dict[int, FieldOnDevice] = {}

        def find(k: int) -> None:
            found[k] = self._field(frames[k])

        side_by_side(len(frames), find, lambda done: None)
        return MaskFields([found[k] for k in range(len(frames))], self.camera)


class FitTogether:
    """As FrameFit, of many frames at once, each held to where it is predicted. It is a joint_fit.Fit, too."""

    window = JOINT_WINDOW

    def __init__(self, on_device: OnDevice, predicted: np.ndarray) -> None:
        """predicted (T, N, 3): where another reconstructor believes the vertices to be."""
        self.problem, self.observer = on_device.problem, on_device.observer
        self._device, self._like = on_device, on_device.like
        self._predicted = predicted
        self._motion = mean_motion(self.problem.vertex_rest, predicted)
        self._followed: Poses | None = None
        self._goals: Tensor | None = None  # (T, P, 3): where the followed poses have the points

    def fit(self, tell: Callable[[int], None]) -> Iterator[tuple[int, Pose]]:
        """Every frame by itself -> the frames, as they are done, with their poses. tell(done): of the frames, often
        called."""
        order, parent = self.problem.tree()
        tell(0)
        self._follow(lambda: tell(0))
        assert self._followed is not None
        poses = [Pose.rest(len(self.problem.graph.nodes)), *apart(self._followed[1:])]
        yield 0, poses[0]
        for start in range(1, len(order), AT_ONCE):
            frames = order[start : start + AT_ONCE]

            def told(part: float, start: int = start, count: int = len(frames)) -> None:
                tell(start + int(part * count))

            for t, pose in zip(frames, self._fitted(frames, parent[frames], poses, told), strict=True):
                poses[t] = pose
                yield t, pose
        tell(len(order))

    def drawn(self, poses: Sequence[Pose], check: Callable[[], None]) -> list[PosedSurface]:
        """As joint_fit.Fit has it."""
        surfaces: list[PosedSurface] = []
        for start in range(0, len(poses), AT_ONCE):
            check()
            surfaces += self._device.drawings.of(together(poses[start : start + AT_ONCE], self._like))
        return surfaces

    def joint_change(
        self, window: Window, seen: list[Observation[PointTargets]], tell: Callable[[int], None]
    ) -> np.ndarray:
        """As joint_fit.Fit has it."""
        frames = range(window.start, window.start + len(window.free))
        poses, there = together(window.free, self._like), on_device(seen, self._like)
        hessian, gradient = self._summed(poses, self._device.fields(frames), self._goals_of(frames), there, 1.0)
        tell(len(frames))
        weight, fixed = window.smooth(self.problem.settings), window.fixed
        own = whole(damped(hessian))
        moving = torch.arange(own.shape[1], device=own.device) % 6 >= 3
        translations = torch.as_tensor(window.translations).to(self._like).flatten(1)
        right = -gradient
        right[:, moving] -= weight * acceleration_gradient(translations)[fixed:]
        still = right.new_zeros(fixed, translations.shape[1])

        def times(x: Tensor) -> Tensor:
            y = (own @ x[:, :, None])[:, :, 0]
            y[:, moving] += weight * acceleration_gradient(torch.cat([still, x[:, moving]]))[fixed:]
            return y

        near = own.clone()
        near.diagonal(dim1=1, dim2=2)[:, moving] += 6 * weight
        inverse = torch.cholesky_inverse(factor(near))

        def precondition(r: Tensor) -> Tensor:
            return (inverse @ r[:, :, None])[:, :, 0]

        change = conjugate_gradients(right, times, precondition, lambda: tell(len(frames)))
        found: np.ndarray = change.double().cpu().numpy()
        return found

    def _follow(self, check: Callable[[], None]) -> None:
        """Finds the poses that carry the vertices to where they are predicted, as nearly as the graph can."""
        equations, some = self._device.following, self._device.some
        vertices, rigidity = equations.points, FOLLOWING_RIGIDITY * self.problem.settings.rigidity
        found, goals = [], []
        for start in range(0, len(self._predicted), AT_ONCE):
            there = torch.as_tensor(self._predicted[start : start + AT_ONCE, some]).to(self._like)
            metric = torch.eye(3).to(self._like).expand(*there.shape, 3) / there.shape[1]
            poses = vertices.carried_to(there)
            for _ in range(FOLLOWING_STEPS):
                check()
                pull = (vertices.moved(poses) - there) / there.shape[1]
                hessian, gradient = equations.summed(poses, metric, pull, rigidity)
                poses = poses.stepped(step(hessian, gradient))
            found.append(poses)
            goals.append(self._device.equations.points.moved(poses))
        self._followed = Poses(*(torch.cat([getattr(each, name) for each in found])
                                 for name in ("rotations", "translations")))  # fmt: skip
        self._goals = torch.cat(goals)

    def _fitted(
        self, frames: list[int], parents: np.ndarray, known: list[Pose], tell: Callable[[float], None]
    ) -> list[Pose]:
        """known: the poses of all frames, which parents that are not among `frames` keep. tell: of all, how much is
        done."""
        p, s = self.problem, self.problem.settings
        fields, goals = self._device.fields(frames), self._goals_of(frames)
        pairs = list(zip(frames, parents.tolist(), strict=True))
        wanted = sorted({t for pair in pairs for t in pair})
        now = dict(zip(wanted, self.drawn([known[t] for t in wanted], lambda: tell(0.0)), strict=True))

        def likelier(t: int, parent: int) -> PosedSurface:
            return self._likelier(t, now[t], now[parent])

        first = self._of_each(pairs, likelier, tell)
        poses = start = together([surface.pose for surface in first], self._like)
        ways: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # from the parents, to which all rounds come back
        for round_ in range(s.rounds):
            own = dict(zip(frames, first, strict=True)) if round_ == 0 else now

            def look(t: int, parent: int, own=own, now=now, round_=round_) -> Observation[PointTargets]:
                surface, eye = own[t], self.observer
                if round_ == 0:
                    ways[t] = eye.way(parent, t)
                model = eye.model(t, surface, checked=round_ == s.rounds - 1) if round_ > 0 else None
                return Observation([eye.chained(t, parent, now[parent], ways[t])], model, eye.bare(t, surface))

            def told(part: float, done: int = round_) -> None:
                tell((done + part) / s.rounds)

            seen = on_device(self._of_each(pairs, look, told), self._like)
            for _ in range(s.steps):
                tell((round_ + 1) / s.rounds)
                hessian, gradient = self._summed(poses, fields, goals, seen, s.anneal ** (s.rounds - 1 - round_))
                hold(hessian, gradient, poses.translations - start.translations, s.hold / len(p.graph.nodes))
                poses = poses.stepped(step(hessian, gradient))
            if round_ + 1 < s.rounds:
                drawn = self._device.drawings.of(poses)
                now = now | dict(zip(frames, drawn, strict=True))
        return apart(poses)

    def _likelier(self, t: int, predicted: PosedSurface, parent: PosedSurface) -> PosedSurface:
        misfit = self.observer.misfit
        return predicted if misfit(t, predicted) < misfit(t, parent) else parent

    def _summed(
        self, poses: Poses, fields: MaskFields, goals: Tensor, seen: Observation[FrameTargets], loosen: float
    ) -> tuple[Tensor, Tensor]:
        """As FrameFit.equations."""
        settings, there = self.problem.settings, self._device
        points = there.equations.points.moved(poses)
        across = held_across(settings, goals - there.rest, self._motion)
        held = across[..., None, None] * torch.eye(3).to(points) + there.held_along
        metric = there.area[:, None, None] * held
        pull = (metric @ (points - goals)[..., None])[..., 0]
        for targets, weight, tolerance in pulls(settings, seen, fields.outside(points, there.outlined_area), loosen):
            there.camera.add_pulls(metric, pull, points, targets, weight, tolerance)
        return there.equations.summed(poses, metric, pull, settings.rigidity)

    def _goals_of(self, frames: Sequence[int]) -> Tensor:
        assert self._goals is not None
        return self._goals[list(frames)]

    def _of_each(
        self, pairs: list[tuple[int, int]], look: Callable[[int, int], Found], tell: Callable[[float], None]
    ) -> list[Found]:
        """What `look` finds of each frame and its parent, on all cores."""
        found: dict[int, Found] = {}

        def one(k: int) -> None:
            found[k] = look(*pairs[k])

        side_by_side(len(pairs), one, lambda done: tell(done / len(pairs)))
        return [found[k] for k in range(len(pairs))]


def hold(hessian: Tensor, gradient: Tensor, difference: Tensor, weight: float) -> None:
    """As frame_fit.hold, of many frames."""
    moving = torch.arange(hessian.shape[1], device=hessian.device) % 6 >= 3
    hessian.diagonal(dim1=1, dim2=2)[:, moving] += weight
    gradient[:, moving] += weight * difference.flatten(1)
