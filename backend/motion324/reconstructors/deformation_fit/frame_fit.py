"""Fits poses to observations: robust Gauss-Newton on one frame's graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numba import njit

from motion324.core.processes.side_by_side import side_by_side
from motion324.reconstructors.deformation_fit.deformation_graph import deform
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, FitSettings, Pose, PosedSurface
from motion324.reconstructors.deformation_fit.joint_equations import Window, solve
from motion324.reconstructors.deformation_fit.normal_equations import (
    add_points,
    add_rigid_edges,
    edge_residuals,
    factored,
    mirror,
    rotated,
    solved,
)
from motion324.reconstructors.deformation_fit.observations import (
    JOINT_WINDOW,
    Observation,
    Observer,
    PointTargets,
    Targets,
)


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


def pulls(
    settings: FitSettings, seen: Observation[Targets], outside: Targets, loosen: float
) -> Iterator[tuple[Targets, float, float]]:
    """All that is seen of a frame, or of several: what pulls points, with which weight and tolerance.

    outside: of points that appear outside of the mask. loosen: as FrameFit.equations has it.
    """
    flow, outline = settings.flow_tolerance * loosen, settings.silhouette_tolerance * loosen
    for targets in seen.chained:
        yield targets, settings.flow / len(seen.chained), flow
    if seen.model is not None:
        yield seen.model, settings.model_flow, flow
    yield outside, settings.silhouette, outline
    yield seen.bare, settings.cover, outline


def mean_motion(rest: np.ndarray, predicted: np.ndarray) -> float:
    """How far vertices (T, N, 3) are from rest (N, 3) on average, in all frames but the first."""
    return float(np.mean([np.linalg.norm(frame - rest, axis=1).mean() for frame in predicted[1:]] or [0.0]))


def held_across(settings: FitSettings, moved, motion: float):
    """moved (..., 3): by how much points are moved where they are predicted, arrays or tensors; motion: of all, as
    mean_motion has it -> (...): how much they are held there, in every direction.

    Views, masks and flow are wrong by as much whatever moves, a prediction by the more the more does: what it hardly
    moves is held firmly.
    """
    most = settings.predicted_reach / MOST_FIRMLY
    return settings.predicted * (1 + settings.predicted_reach**2 / (((moved**2).sum(-1) + motion**2) / 2 + most**2))


FOLLOWING_STEPS = 2  # Gauss-Newton steps from one frame's predicted pose to the next one's
FOLLOWING_RIGIDITY = 0.02  # of the frames' own rigidity, while a prediction is followed
MOST_FIRMLY = 6.0  # what moves by less than this part of FitSettings.predicted_reach is held as if by so much
POINTS_KEPT = 64  # frames whose predicted points are kept: more than are refined together


class FrameFit:
    """Fits frames one by one, and gives the equations of a frame to those who fit several together."""

    window = JOINT_WINDOW

    def __init__(
        self,
        problem: FitProblem,
        predicted: np.ndarray | None = None,
        observer: Observer | None = None,
    ) -> None:
        """predicted (T, N, 3): where another reconstructor believes the vertices to be: frames are fitted from there
        unless their parents' poses look likelier, and points are held to it: along the viewing axis, of which the
        images hardly tell, by more than across the view, where it counts for what is hidden or looks alike. Each frame
        has to be followed before it is looked at. observer: of an earlier fit of the same problem, which has seen
        much of it already."""
        self.problem = problem
        self.settings = problem.settings
        self.observer = observer or Observer(problem)
        self._predicted = predicted
        if predicted is not None:
            self._motion = mean_motion(problem.vertex_rest, predicted)
        self._followed: dict[int, Pose] = {}
        self._predicted_points = lru_cache(maxsize=POINTS_KEPT)(lambda t: problem.posed(self._followed[t]).points)

    @property
    def follows(self) -> bool:
        """Whether there is a prediction, which each frame has to follow before it is looked at."""
        return self._predicted is not None

    def fit(self, t: int, parent: int, before: Pose, check: Callable[[], None]) -> Pose:
        """The pose of frame t from `before`, that of its parent in the tree of frames, or from the predicted one where
        that looks more like the frame."""
        s = self.settings
        look, posed = self.observer, self.problem.posed
        there = posed(before)
        chained = [look.chained(t, parent, there)]
        surface = start = self._likelier(t, there)
        for round_ in range(s.rounds):
            check()
            # Flow between two frames can be wrong by much, that from a nearly right model hardly: trust it more late.
            # The last round corrects what the others believed of it, where they began near.
            checked = round_ == s.rounds - 1 or not self.follows
            model = look.model(t, surface, checked) if round_ > 0 else None
            observation = Observation(chained, model, look.bare(t, surface))
            for _ in range(s.steps):
                check()
                left = s.rounds - 1 - round_
                pose = surface.pose
                hessian, gradient = self.equations(t, surface, there, observation, s.anneal**left)
                hold(hessian, gradient, pose.translations - start.pose.translations, s.hold / len(pose.translations))
                surface = posed(solved_step(hessian, gradient, pose))
        return surface.pose

    def follow(self, t: int, start: Pose, check: Callable[[], None], steps: int = FOLLOWING_STEPS) -> None:
        """Finds the pose that carries the vertices to where they are predicted in frame t, as nearly as the graph can,
        from that of another frame. steps: of Gauss-Newton; a few do between frames that are alike."""
        assert self._predicted is not None
        p = self.problem
        some = slice(None, None, max(1, len(p.vertex_rest) // self.settings.points))
        rest, nodes, weights = p.vertex_rest[some], p.vertex_nodes[some], p.vertex_weights[some]
        metric = np.tile(np.eye(3) / len(rest), (len(rest), 1, 1))
        size = 6 * len(p.graph.nodes)
        pose = start
        for _ in range(steps):
            check()
            moved = deform(p.graph, pose.rotations, pose.translations, rest, nodes, weights)
            hessian, gradient = np.zeros((size, size)), np.zeros(size)
            pull = (moved - self._predicted[t, some]) / len(rest)
            add_points(hessian, gradient, pose.rotations, p.graph.nodes, rest, nodes, weights, metric, pull)
            self._add_rigidity(hessian, gradient, pose, FOLLOWING_RIGIDITY * self.settings.rigidity)
            pose = solved_step(hessian, gradient, pose)
        self._followed[t] = pose

    def followed(self, t: int) -> Pose:
        """The pose of frame t that carries the vertices to where they were predicted."""
        return self._followed[t]

    def equations(
        self,
        t: int,
        surface: PosedSurface,
        before: PosedSurface,
        seen: Observation[PointTargets],
        loosen: float = 1.0,
        trust: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Hessian (6K, 6K) and gradient (6K,) at the surface's pose of what frame t shows, and of rigidity.

        Below its diagonal blocks the Hessian is 0; `mirror` makes it symmetric.

        before: motion along the viewing axis is held against it, where none is predicted.
        loosen: factor on the tolerances, 1 at the end. trust (P,): of what is seen of each point, and of where it is
        predicted, 0..1; None: 1.
        """
        p, s, pose = self.problem, self.settings, surface.pose
        moved = surface.points
        metric, pull = np.zeros((len(moved), 3, 3)), np.zeros((len(moved), 3))
        for targets, weight, tolerance in pulls(s, seen, self.observer.outside(t, moved), loosen):
            self._pull(metric, pull, moved, targets, weight, tolerance)
        for held, origin, stiffness in self._priors(t, before, moved):
            share = held * p.point_area
            metric += share[:, None, None] * stiffness
            pull += share[:, None] * ((moved - origin) @ stiffness)
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
        return hessian, gradient

    def drawn(self, poses: Sequence[Pose], check: Callable[[], None]) -> list[PosedSurface]:
        """As joint_fit.Fit has it."""
        surfaces = [self.problem.posed(pose) for pose in poses]

        def draw(k: int) -> None:
            surfaces[k].raster  # noqa: B018  kept by it

        side_by_side(len(surfaces), draw, lambda done: check())
        return surfaces

    def joint_change(
        self, window: Window, seen: list[Observation[PointTargets]], tell: Callable[[int], None]
    ) -> np.ndarray:
        """As joint_fit.Fit has it."""
        free, size = window.free, 6 * len(self.problem.graph.nodes)
        hessians, gradients = np.empty((len(free), size, size)), np.empty((len(free), size))

        def make(k: int) -> None:
            surface = self.problem.posed(free[k])
            hessians[k], gradients[k] = self.equations(window.start + k, surface, surface, seen[k])
            mirror(hessians[k])

        side_by_side(len(free), make, tell)
        return solve(hessians, gradients, window.translations, window.smooth(self.settings), lambda: tell(len(free)))

    def _likelier(self, t: int, before: PosedSurface) -> PosedSurface:
        if self._predicted is None:
            return before
        misfit, predicted = self.observer.misfit, self.problem.posed(self._followed[t])
        return predicted if misfit(t, predicted) < misfit(t, before) else before

    def _priors(
        self, t: int, before: PosedSurface, moved: np.ndarray
    ) -> list[tuple[float | np.ndarray, np.ndarray, np.ndarray]]:
        """Weights, one or (P,), the places (P, 3) to which they hold the points, and how much by direction (3, 3)."""
        p, s = self.problem, self.settings
        ahead = p.view.rotation[2]
        if self._predicted is not None:
            goal = self._predicted_points(t)
            across = held_across(s, goal - p.points, self._motion)
            return [(across, goal, np.eye(3)), (s.depth_predicted, goal, np.outer(ahead, ahead))]
        # What does not move across the view hardly moves along it: motion has no preferred direction.
        away = moved - p.points
        across = np.linalg.norm(away - (away @ ahead)[:, None] * ahead, axis=1)
        rest = s.depth_rest / (1.0 + (across / s.depth_reach) ** 2)
        along = np.outer(ahead, ahead)
        return [(s.depth, before.points, along), (rest, p.points, along)]

    def _add_rigidity(self, hessian: np.ndarray, gradient: np.ndarray, pose: Pose, weight: float) -> None:
        graph = self.problem.graph
        bent = edge_residuals(pose.rotations, pose.translations, graph.nodes, graph.edges)
        stiffness = graph.edge_weights / np.sqrt(1.0 + (bent / self.settings.rigidity_knee) ** 2)
        stiffness *= weight / len(graph.edges)
        add_rigid_edges(hessian, gradient, pose.rotations, pose.translations, graph.nodes, graph.edges, stiffness)

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
    """One Gauss-Newton step of these equations, as FrameFit.equations has them.

    In single precision, which is exact enough for a step that the next one corrects, and takes half the time.
    """
    at = np.arange(len(hessian))
    own = hessian.astype(np.float32)
    own[at, at] += 1e-6 + 1e-4 * own[at, at]
    change = -solved(factored(own), gradient).astype(np.float64)
    change = change.reshape(-1, 6)
    return Pose(rotated(pose.rotations, change[:, :3]), pose.translations + change[:, 3:])
