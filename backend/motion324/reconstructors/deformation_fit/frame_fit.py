"""Fits poses to observations: robust Gauss-Newton on one frame's graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numba import njit
from scipy.linalg import cho_factor, cho_solve

from motion324.reconstructors.deformation_fit.deformation_graph import deform
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, Pose, PosedSurface
from motion324.reconstructors.deformation_fit.normal_equations import (
    add_points,
    add_rigid_edges,
    edge_residuals,
    mirror,
    rotated,
)
from motion324.reconstructors.deformation_fit.observations import Observation, Observer, PointTargets


@njit(cache=True, nogil=True)
def add_pixel_pulls(
    metric, pull, points, which, targets, weights, rotation, translation, fx, fy, cx, cy, tolerance, unit
):  # fmt: skip
    """Adds weight * rho(|projection - target| * unit) of every target to its point's metric (P, 3, 3) and pull (P, 3).

    points (P, 3) in normalised space; targets (B, 2) in pixels for the points `which` (B,), with weights (B,).
    rho is Geman-McClure with scale `tolerance` (normalised units), as weights of iterated least squares; unit is the
    size of a pixel at the object's distance in normalised units, so that pixels and space are compared alike.
    """
    jacobian = np.empty((2, 3))
    for b in range(which.shape[0]):
        if weights[b] <= 0.0:
            continue
        p = which[b]
        x = rotation[0, 0] * points[p, 0] + rotation[0, 1] * points[p, 1] + rotation[0, 2] * points[p, 2]
        y = rotation[1, 0] * points[p, 0] + rotation[1, 1] * points[p, 1] + rotation[1, 2] * points[p, 2]
        z = rotation[2, 0] * points[p, 0] + rotation[2, 1] * points[p, 1] + rotation[2, 2] * points[p, 2]
        x, y, z = x + translation[0], y + translation[1], z + translation[2]
        if z < 1e-2:
            continue
        ru = (fx * x / z + cx - targets[b, 0]) * unit
        rv = (fy * y / z + cy - targets[b, 1]) * unit
        for a in range(3):
            jacobian[0, a] = unit * fx / z * (rotation[0, a] - x / z * rotation[2, a])
            jacobian[1, a] = unit * fy / z * (rotation[1, a] - y / z * rotation[2, a])
        robust = tolerance * tolerance / (tolerance * tolerance + ru * ru + rv * rv)
        weight = weights[b] * robust * robust
        for a in range(3):
            pull[p, a] += weight * (jacobian[0, a] * ru + jacobian[1, a] * rv)
            for c in range(3):
                metric[p, a, c] += weight * (jacobian[0, a] * jacobian[0, c] + jacobian[1, a] * jacobian[1, c])


FOLLOWING_STEPS = 4  # Gauss-Newton steps from one frame's predicted pose to the next one's
FOLLOWING_RIGIDITY = 0.02  # of the frames' own rigidity, while a prediction is followed


class FrameFit:
    """Fits frames one by one, and gives the equations of a frame to those who fit several together."""

    def __init__(
        self,
        problem: FitProblem,
        predicted: np.ndarray | None = None,
        check: Callable[[], None] = lambda: None,
        following_steps: Sequence[int] | None = None,
    ) -> None:
        """predicted (T, N, 3): where another reconstructor believes the vertices to be: frames are fitted from there
        unless their parents' poses look likelier, and points are held to it: along the viewing axis, of which the
        images hardly tell, by more than across the view, where it counts for what is hidden or looks alike. check may
        raise to stop. following_steps (T,): Gauss-Newton steps from one predicted pose to each; None: a few, which do
        between frames that follow each other."""
        self.problem = problem
        self.settings = problem.settings
        self.observer = Observer(problem)
        self._predicted: list[PosedSurface] | None = None
        if predicted is not None:
            self._predicted = [problem.posed(pose) for pose in self._following(predicted, check, following_steps)]

    def fit(self, t: int, parent: int, before: Pose, check: Callable[[], None]) -> Pose:
        """The pose of frame t from `before`, that of its parent in the tree of frames, or from the predicted one where
        that looks more like the frame."""
        s = self.settings
        look = self.observer
        chained = [look.chained(t, parent, self.problem.posed(before))]
        start = pose = self._likelier(t, before)
        for round_ in range(s.rounds):
            check()
            # Flow between two frames can be wrong by much, that from a nearly right model hardly: trust it more late.
            surface = self.problem.posed(pose)
            model = look.model(t, surface) if round_ > 0 else None
            observation = Observation(chained, model, look.bare(t, surface))
            for _ in range(s.steps):
                left = s.rounds - 1 - round_
                hessian, gradient = self.equations(t, pose, before, observation, s.anneal**left)
                hold(hessian, gradient, pose.translations - start.translations, s.hold / len(pose.translations))
                pose = solved_step(hessian, gradient, pose)
        return pose

    def followed(self, t: int) -> Pose:
        """The pose of frame t that carries the vertices to where they were predicted."""
        assert self._predicted is not None
        return self._predicted[t].pose

    def observe(self, t: int, poses: list[Pose]) -> Observation:
        """What frame t says, given good poses of itself and its neighbours in time."""
        look, posed = self.observer, self.problem.posed
        near = [other for other in (t - 1, t + 1) if 0 <= other < len(poses)]
        surface = posed(poses[t])
        return Observation(
            [look.chained(t, other, posed(poses[other])) for other in near],
            look.model(t, surface),
            look.bare(t, surface),
        )

    def equations(
        self,
        t: int,
        pose: Pose,
        before: Pose,
        seen: Observation,
        loosen: float = 1.0,
        trust: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Hessian (6K, 6K) and gradient (6K,) at `pose` of what frame t shows, and of rigidity.

        before: motion along the viewing axis is held against it, where none is predicted.
        loosen: factor on the tolerances, 1 at the end. trust (P,): of what is seen of each point, and of where it is
        predicted, 0..1; None: 1.
        """
        p, s = self.problem, self.settings
        moved = p.posed(pose).points
        metric, pull = np.zeros((len(moved), 3, 3)), np.zeros((len(moved), 3))
        flow_tolerance, outline_tolerance = s.flow_tolerance * loosen, s.silhouette_tolerance * loosen
        for targets in seen.chained:
            self._pull(metric, pull, moved, targets, s.flow / len(seen.chained), flow_tolerance)
        if seen.model is not None:
            self._pull(metric, pull, moved, seen.model, s.model_flow, flow_tolerance)
        self._pull(metric, pull, moved, self.observer.outside(t, moved), s.silhouette, outline_tolerance)
        self._pull(metric, pull, moved, seen.bare, s.cover, outline_tolerance)
        ahead = p.view.rotation[2]
        for weight, origin in self._depth_priors(t, before, moved):
            share = weight * p.point_area
            metric += share[:, None, None] * np.outer(ahead, ahead)
            pull += (share * ((moved - origin) @ ahead))[:, None] * ahead
        if self._predicted:
            share = s.predicted * p.point_area
            metric += share[:, None, None] * np.eye(3)
            pull += share[:, None] * (moved - self._predicted[t].points)
        if trust is not None:
            metric *= trust[:, None, None]
            pull *= trust[:, None]
        size = 6 * len(p.graph.nodes)
        hessian, gradient = np.zeros((size, size)), np.zeros(size)
        graph = p.graph
        add_points(
            hessian, gradient, pose.rotations, graph.nodes, p.points, p.point_nodes, p.point_weights, metric, pull
        )
        self._add_rigidity(hessian, gradient, pose, s.rigidity)
        mirror(hessian)
        return hessian, gradient

    def _likelier(self, t: int, before: Pose) -> Pose:
        if not self._predicted:
            return before
        misfit = self.observer.misfit
        from_prediction = misfit(t, self._predicted[t]) < misfit(t, self.problem.posed(before))
        return self._predicted[t].pose if from_prediction else before

    def _depth_priors(self, t: int, before: Pose, moved: np.ndarray) -> list[tuple[float | np.ndarray, np.ndarray]]:
        """Weights, one or (P,), and the places (P, 3) to which they hold the points along the viewing axis."""
        p, s = self.problem, self.settings
        if self._predicted:
            return [(s.depth_predicted, self._predicted[t].points)]
        ahead = p.view.rotation[2]
        # What does not move across the view hardly moves along it: motion has no preferred direction.
        away = moved - p.points
        across = np.linalg.norm(away - (away @ ahead)[:, None] * ahead, axis=1)
        rest = s.depth_rest / (1.0 + (across / s.depth_reach) ** 2)
        return [(s.depth, p.posed(before).points), (rest, p.points)]

    def _add_rigidity(self, hessian: np.ndarray, gradient: np.ndarray, pose: Pose, weight: float) -> None:
        graph = self.problem.graph
        bent = edge_residuals(pose.rotations, pose.translations, graph.nodes, graph.edges)
        stiffness = graph.edge_weights / np.sqrt(1.0 + (bent / self.settings.rigidity_knee) ** 2)
        stiffness *= weight / len(graph.edges)
        add_rigid_edges(hessian, gradient, pose.rotations, pose.translations, graph.nodes, graph.edges, stiffness)

    def _following(
        self, predicted: np.ndarray, check: Callable[[], None], counts: Sequence[int] | None
    ) -> Iterator[Pose]:
        """The poses that carry the vertices to where they are predicted, (T, N, 3), as nearly as the graph can."""
        p = self.problem
        some = slice(None, None, max(1, len(p.vertex_rest) // self.settings.points))
        rest, nodes, weights = p.vertex_rest[some], p.vertex_nodes[some], p.vertex_weights[some]
        metric = np.tile(np.eye(3) / len(rest), (len(rest), 1, 1))
        size = 6 * len(p.graph.nodes)
        pose = Pose.rest(len(p.graph.nodes))
        for positions, count in zip(predicted, counts or [FOLLOWING_STEPS] * len(predicted), strict=True):
            for _ in range(count):
                check()
                moved = deform(p.graph, pose.rotations, pose.translations, rest, nodes, weights)
                hessian, gradient = np.zeros((size, size)), np.zeros(size)
                pull = (moved - positions[some]) / len(rest)
                add_points(hessian, gradient, pose.rotations, p.graph.nodes, rest, nodes, weights, metric, pull)
                self._add_rigidity(hessian, gradient, pose, FOLLOWING_RIGIDITY * self.settings.rigidity)
                mirror(hessian)
                pose = solved_step(hessian, gradient, pose)
            yield pose

    def _pull(self, metric, pull, moved, targets: PointTargets, weight: float, tolerance: float) -> None:
        p = self.problem
        add_pixel_pulls(
            metric, pull, moved, targets.which, np.ascontiguousarray(targets.pixels, np.float64),
            targets.weights * weight, p.view.rotation, p.view.translation, *p.intrinsics, tolerance, p.unit,
        )  # fmt: skip


def hold(hessian: np.ndarray, gradient: np.ndarray, difference: np.ndarray, weight: float) -> None:
    """Ties the nodes' translations to where they were; difference (K, 3)."""
    for axis in range(3):
        at = np.arange(len(difference)) * 6 + 3 + axis
        hessian[at, at] += weight
        gradient[at] += weight * difference[:, axis]


def solved_step(hessian: np.ndarray, gradient: np.ndarray, pose: Pose) -> Pose:
    """One Gauss-Newton step of these equations, as FrameFit.equations has them, which it changes."""
    at = np.arange(len(hessian))
    hessian[at, at] += 1e-6 + 1e-4 * hessian[at, at]
    change = -cho_solve(cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False), gradient)
    change = change.reshape(-1, 6)
    return Pose(rotated(pose.rotations, change[:, :3]), pose.translations + change[:, 3:])
