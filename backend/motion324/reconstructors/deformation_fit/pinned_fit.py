"""Fits the frames around a person's pins again, from an earlier result.

What the frames showed against that result before is not looked at: without pins it is the best that there is, and stays
to the last bit. With them each pinned frame is fitted by itself; what that changed fades over the frames before and
after, which are fitted from there. Near pins, what is seen counts less, since it was what misled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.transform import Rotation

from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, Pose
from motion324.reconstructors.deformation_fit.frame_fit import FOLLOWING_STEPS, FrameFit, hold, solved_step
from motion324.reconstructors.deformation_fit.normal_equations import add_points, rotated
from motion324.reconstructors.deformation_fit.observations import Observation, PointTargets

REACH = 8  # frames before and after a pinned one that change with it
ROUNDS, STEPS = 2, 4  # of looking, and of Gauss-Newton steps after each
PINNED = 60.0  # weight of all pins of a frame, where what is seen of the whole surface has about 3
KEPT = 2.0  # weight of where the pinned frames bring the others, per node
JUMPING_STEPS = 16  # of Gauss-Newton, to the pose of a frame that does not follow the one before it
DISTRUST = 0.97  # of what is seen at a pin itself ...
NEAR = 0.2  # ... and how far along the surface that reaches, of the longest side
MOST = 400  # vertices of one frame's pins that the fit looks at; what it leaves is put right exactly


@dataclass(frozen=True)
class FramePins:
    """What one frame has to meet. Lengths are in normalised space.

    seen (A,) int: vertices that the camera has to see along rays (A, 2): x / z and y / z in its space.
    placed (B,) int: vertices that have to be at places (B, 3). A frame with neither stays as it is.
    """

    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    rays: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    placed: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def __len__(self) -> int:
        return len(self.seen) + len(self.placed)

    @property
    def vertices(self) -> np.ndarray:
        return np.concatenate([self.seen, self.placed])


class PinnedFit:
    """The fit of one scene, whose frames are those around the pins, with others where the fit needs them."""

    def __init__(self, problem: FitProblem, last: np.ndarray, times: np.ndarray, check: Callable[[], None]) -> None:
        """last (T, N, 3): the earlier result of the problem's frames; of the reference frame, the mesh.

        times (T,): the place of each in the result, rising; -1 for one that is not the result's.
        """
        self.problem = problem
        self.last = last
        self.times = times
        jumps = np.diff(times, prepend=times[0] - 1) != 1
        self.fit = FrameFit(problem, last)
        self.followed: list[Pose] = []
        pose = Pose.rest(len(problem.graph.nodes))
        for t, jump in enumerate(jumps):
            self.fit.follow(t, pose, check, JUMPING_STEPS if jump else FOLLOWING_STEPS)
            pose = self.fit.followed(t)
            self.followed.append(pose)
        self._check = check

    def refine(self, pins: Mapping[int, FramePins], told: Callable[[int, int], None]) -> dict[int, np.ndarray]:
        """The vertices (N, 3) of the frames that change, by the frames' indices.

        pins: by the frames' indices. told(done, total): after each frame.
        """
        times = self.times
        pinned = [t for t in range(len(times)) if t in pins and times[t] >= 0]
        free = [t for t in range(len(times)) if times[t] >= 0 and t not in pins]
        total, done = len(pinned) + len(free), 0
        trust = {t: self._trust(pins[t].vertices) for t in pinned}
        corrections: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        remainders: dict[int, np.ndarray] = {}
        moved: dict[int, np.ndarray] = {}
        for t in pinned:
            pose = self.followed[t]
            if len(pins[t]):
                pose = self._fitted(t, pose, pins[t], trust[t])
            corrections[t] = _difference(pose, self.followed[t])
            fitted = self._carried(t, pose)
            moved[t] = self._exact(fitted, pins[t])
            remainders[t] = moved[t] - fitted
            done += 1
            told(done, total)
        for t in free:
            shares = [(p, share) for p, share in _shares(times, t, pinned) if share > 0 and len(pins[p])]
            if shares:
                start = _blended(self.followed[t], [(corrections[p], share) for p, share in shares])
                least = np.min([1 - share * (1 - trust[p]) for p, share in shares], axis=0)
                pose = self._fitted(t, start, FramePins(), least)
                moved[t] = self._carried(t, pose) + sum(share * remainders[p] for p, share in shares)
            done += 1
            told(done, total)
        return {t: vertices for t, vertices in moved.items() if t not in pins or len(pins[t])}

    def _fitted(self, t: int, start: Pose, pins: FramePins, trust: np.ndarray) -> Pose:
        """From `start`; a frame without pins is held there."""
        posed = self.problem.posed
        near = range(max(t - 1, 0), min(t + 2, len(self.followed)))
        before = posed(self.followed[t])
        surfaces = {other: before if other == t else posed(self.followed[other]) for other in near}
        seen = self.fit.observer.observe(t, surfaces)
        _, expected = self.fit.equations(t, before, before, seen, trust=trust)
        pose = start
        for _ in range(ROUNDS):
            if pose is not before.pose:
                seen = self._seen_in(t, pose, seen)
            for _ in range(STEPS):
                self._check()
                hessian, gradient = self.fit.equations(t, posed(pose), before, seen, trust=trust)
                gradient -= expected
                if len(pins):
                    self._add_pins(hessian, gradient, t, pose, pins)
                else:
                    hold(hessian, gradient, pose.translations - start.translations, KEPT / len(pose.translations))
                pose = solved_step(hessian, gradient, pose)
        return pose

    def _seen_in(self, t: int, pose: Pose, seen: Observation[PointTargets]) -> Observation[PointTargets]:
        """What neighbours show was seen from their own poses, which have not changed."""
        surface = self.problem.posed(pose)
        look = self.fit.observer
        return Observation(seen.chained, look.model(t, surface), look.bare(t, surface))

    def _add_pins(self, hessian: np.ndarray, gradient: np.ndarray, t: int, pose: Pose, pins: FramePins) -> None:
        p = self.problem
        placed = slice(None, None, max(1, len(pins.placed) // MOST))
        vertices = np.concatenate([pins.seen, pins.placed[placed]])
        points = self._carried(t, pose)[vertices]
        metric, pull = np.zeros((len(vertices), 3, 3)), np.zeros((len(vertices), 3))
        weight = PINNED / len(vertices)
        count = len(pins.seen)
        if count:
            camera = points[:count] @ p.view.rotation.T + p.view.translation
            depth = np.maximum(camera[:, 2], 1e-2)
            off = camera[:, :2] / depth[:, None] - pins.rays
            # At the vertex's own distance, so that the picture's pixels and space are compared alike.
            jacobian = p.view.rotation[:2] - (camera[:, :2] / depth[:, None])[:, :, None] * p.view.rotation[2]
            metric[:count] = weight * np.einsum("pka,pkb->pab", jacobian, jacobian)
            pull[:count] = weight * np.einsum("pka,pk->pa", jacobian, off * depth[:, None])
        metric[count:] = weight * np.eye(3)
        pull[count:] = weight * (points[count:] - pins.places[placed])
        own, slope = np.zeros_like(hessian), np.zeros_like(gradient)
        rest, nodes, weights = p.vertex_rest[vertices], p.vertex_nodes[vertices], p.vertex_weights[vertices]
        add_points(own, slope, pose.rotations, p.graph.nodes, rest, nodes, weights, metric, pull)
        hessian += own
        gradient += slope

    def _carried(self, t: int, pose: Pose) -> np.ndarray:
        """(N, 3): the earlier result, moved as the pose differs from the one that follows it; what the graph is too
        coarse for stays."""
        if pose is self.followed[t]:
            return self.last[t].astype(np.float64)
        posed = self.problem.posed
        return self.last[t] + (posed(pose).vertices - posed(self.followed[t]).vertices)

    def _exact(self, fitted: np.ndarray, pins: FramePins) -> np.ndarray:
        """With what has its place put there."""
        exact = fitted.copy()
        exact[pins.placed] = pins.places
        return exact

    def _trust(self, vertices: np.ndarray) -> np.ndarray:
        """(P,) of the problem's points: little near these vertices along the surface."""
        if not len(vertices):
            return np.ones(len(self.problem.points))
        surface = self.problem.surface
        sources = np.unique(surface.vertex_point[vertices])
        distance = dijkstra(surface.lengths, indices=sources, min_only=True, limit=4 * NEAR)
        near = np.exp(-((np.where(np.isfinite(distance), distance, 1e3) / NEAR) ** 2))
        return 1.0 - DISTRUST * near[self.problem.chosen]


def _difference(pose: Pose, before: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Rotation vectors (K, 3) and translations (K, 3) that bring `before` to `pose`."""
    turned = pose.rotations @ before.rotations.transpose(0, 2, 1)
    return Rotation.from_matrix(turned).as_rotvec(), pose.translations - before.translations


def _blended(before: Pose, corrections: list[tuple[tuple[np.ndarray, np.ndarray], float]]) -> Pose:
    turned = np.sum([share * vectors for (vectors, _), share in corrections], axis=0)
    moved = np.sum([share * shifts for (_, shifts), share in corrections], axis=0)
    return Pose(rotated(before.rotations, turned), before.translations + moved)


def _shares(times: np.ndarray, t: int, pinned: list[int]) -> list[tuple[int, float]]:
    """How much of the change of the pinned frames (in the order of their times) before and after frame t it gets.

    Between two near ones it goes from one to the other; away from both it fades.
    """
    now = times[t]
    earlier = [p for p in pinned if times[p] < now]
    later = [p for p in pinned if times[p] > now]
    alone = []
    if earlier:
        alone.append((earlier[-1], _fading((now - times[earlier[-1]]) / REACH)))
    if later:
        alone.append((later[0], _fading((times[later[0]] - now) / REACH)))
    if not (earlier and later):
        return alone
    gap = float(times[later[0]] - times[earlier[-1]])
    way = _fading((now - times[earlier[-1]]) / gap)
    together = _fading(gap / (2 * REACH))
    between = (way, 1 - way)
    return [(p, together * one + (1 - together) * own) for (p, own), one in zip(alone, between, strict=True)]


def _fading(part: float) -> float:
    """1 at 0, 0 from 1 on, level at both ends (smoothstep)."""
    rest = 1.0 - min(max(float(part), 0.0), 1.0)
    return rest * rest * (3.0 - 2.0 * rest)
