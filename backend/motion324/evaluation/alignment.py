"""Finds the turn, shift and scale that lay a prediction's first frame onto the truth's: iterative closest points.

`align_as_published` does it as Motion80's published script does, which composes its rotations in the wrong order: for
the table of that script only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from motion324.core.progress import Progress, silent
from motion324.evaluation.mesh_sequence import Similarity, best_rotation, cube_rotations, sample_places
from motion324.evaluation.neighbours import nearest_tree
from motion324.evaluation.triangle_tree import TriangleTree

SCALE_LIMITS = (0.95, 1.05)  # as published, around what each side's bounding box says
ROUGH_POINTS, FINE_POINTS = 800, 8000
ROUGH_ROUNDS, FINE_ROUNDS = 40, 60
REFINED_STARTS = 4  # the best of the rough ones
GOOD_ENOUGH = 1e-6  # mean distance between the surfaces, longest side 2: nothing to align
SETTLED = 1e-10  # change of the mean distance at which the fine rounds stop
LONGEST_SIDE = 2.0


@dataclass(frozen=True)
class Alignment:
    """transform: predicted -> true. error: mean distance of the surfaces, of both ways' means, in the truth's unit."""

    transform: Similarity
    error: float

    def described(self) -> dict[str, Any]:
        """Plain values, for results."""
        return {
            "rotation": self.transform.rotation.tolist(),
            "shift": self.transform.shift.tolist(),
            "scale": float(self.transform.scale),
            "degrees": self.transform.angle,
            "first_frame_distance": self.error,
        }


class Surface(Protocol):
    """What can be searched for the places that are closest to points."""

    def closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """points (P, 3) -> distances (P,), closest places (P, 3), and numbers (P,) that `normals` understands."""

    def normals(self, found: np.ndarray) -> np.ndarray:
        """found (P,) -> unit normals (P, 3) there."""


class Target:
    """The true surface that something is aligned to, with points (P, 3) on it, ready to be searched."""

    def __init__(self, surface: Surface, points: np.ndarray) -> None:
        self.surface, self.points = surface, points
        self.rough = cKDTree(points)


def mesh_target(positions: np.ndarray, faces: np.ndarray, seed: tuple[int, ...]) -> Target:
    """positions (N, 3), faces (F, 3)."""
    points = sample_places(positions, faces, FINE_POINTS, (*seed, 7)).on(positions)
    return Target(TriangleTree(positions, faces), points)


class Source:
    """The predicted surface that is laid onto a Target."""

    def __init__(self, positions: np.ndarray, faces: np.ndarray, seed: tuple[int, ...]) -> None:
        """positions (N, 3), faces (F, 3)."""
        self.positions, self.faces = positions, faces
        places = sample_places(positions, faces, FINE_POINTS, (*seed, 11))
        self.points = places.on(positions)
        self.few = places.some(ROUGH_POINTS).on(positions)
        self.surface = TriangleTree(positions, faces)


def align(
    source: Source,
    target: Target,
    known: tuple[Similarity, ...] = (Similarity(),),
    starts: np.ndarray | None = None,
    scale_limits: tuple[float, float] | None = SCALE_LIMITS,
    progress: Progress = silent,
) -> Alignment:
    """Lays source onto target: the best of `known`, as they are and refined, and of what is found from `starts`.

    starts (K, 3, 3): rotations, the cube's 24 if None. Each is turned a little at a time towards nearest sampled
    points; the best ones then settle on the surface itself, so that a copy of the target comes to lie on it exactly,
    whatever its triangles and samples are.
    scale_limits: how far the scale may lie from the one at which the turned source's bounding box has the longest side
        2, as the target's has; None keeps the source's own scale.
    """
    found = [_judged(source, target, transform) for transform in known]
    if min(alignment.error for alignment in found) < GOOD_ENOUGH:
        return min(found, key=lambda alignment: alignment.error)
    rotations = cube_rotations() if starts is None else starts
    total = len(rotations) + REFINED_STARTS + len(known)
    rough = []
    for index, rotation in enumerate(rotations):
        progress("align", index, total)
        begin = Similarity(rotation, target.points.mean(axis=0) - rotation @ source.points.mean(axis=0))
        rough.append(_rough_rounds(source, target, begin, scale_limits))
    rough.sort(key=lambda reached: reached[1])
    for transform in (*known, *(reached for reached, _ in rough[:REFINED_STARTS])):
        progress("align", len(rotations) + len(found) - len(known), total)
        found.append(_judged(source, target, _fine_rounds(source, target, transform, scale_limits)))
        if found[-1].error < GOOD_ENOUGH:
            break
    return min(found, key=lambda alignment: alignment.error)


def _rough_rounds(
    source: Source, target: Target, transform: Similarity, limits: tuple[float, float] | None
) -> tuple[Similarity, float]:
    """Point to nearest sampled point, both ways, so that no part of either side is left out."""
    few = target.points[:: max(1, FINE_POINTS // ROUGH_POINTS)]
    before = np.inf
    for _ in range(ROUGH_ROUNDS):
        moved = transform.apply(source.few)
        there, onto = target.rough.query(moved)
        back, origin = cKDTree(moved).query(few)
        error = float(there.mean() + back.mean())
        if before - error < 1e-4 * error:
            break
        before = error
        from_points = np.concatenate([source.few, source.few[origin]])
        to_points = np.concatenate([target.points[onto], few])
        transform = _fitted(source, from_points, to_points, transform, limits)
    return transform, error


def _fitted(
    source: Source, points: np.ndarray, wanted: np.ndarray, transform: Similarity, limits: tuple[float, float] | None
) -> Similarity:
    """The similarity that moves points (P, 3), as they are in the source, onto wanted (P, 3) with the least squares.

    S. Umeyama, Least-squares estimation of transformation parameters between two point patterns (1991).
    """
    middle, goal = points.mean(axis=0), wanted.mean(axis=0)
    rotation = best_rotation(points - middle, wanted - goal)
    scale = transform.scale
    if limits is not None:
        turned = (points - middle) @ rotation.T
        scale = float(np.sum(turned * (wanted - goal)) / np.sum(turned**2))
        scale = _limited(source, rotation, scale, limits)
    return Similarity(rotation, goal - scale * rotation @ middle, scale)


def _limited(source: Source, rotation: np.ndarray, scale: float, limits: tuple[float, float]) -> float:
    """A turned copy has another bounding box, so that the limits hold around what that one would be scaled by."""
    own = LONGEST_SIDE / float(np.ptp(source.positions @ rotation.T, axis=0).max())
    return float(np.clip(scale, limits[0] * own, limits[1] * own))


def _fine_rounds(
    source: Source, target: Target, transform: Similarity, limits: tuple[float, float] | None
) -> Similarity:
    """Gauss-Newton on the distances along the target's normals, with a step of plain closest points where that fails.

    Y. Chen and G. Medioni, Object modelling by registration of multiple range images (1992).
    """
    best, least = transform, np.inf
    for _ in range(FINE_ROUNDS):
        moved = transform.apply(source.points)
        distances, places, faces = target.surface.closest(moved)
        error = float(distances.mean())
        if error < least - SETTLED:
            best, least = transform, error
        elif error > least + SETTLED:  # overshot: closest points never do
            moved = best.apply(source.points)
            _, places, _ = target.surface.closest(moved)
            transform = _fitted(source, source.points, places, best, limits)
            settled = float(target.surface.closest(transform.apply(source.points))[0].mean())
            if settled >= least - SETTLED:
                break
            continue
        else:
            break
        normals = target.surface.normals(faces)
        transform = _along_normals(source, moved, places, normals, transform, limits)
    return best


def _along_normals(
    source: Source,
    moved: np.ndarray,
    places: np.ndarray,
    normals: np.ndarray,
    transform: Similarity,
    limits: tuple[float, float] | None,
) -> Similarity:
    """One step: small turn w, shift v and growth g with normals . (w x moved + v + g moved) = normals . gap."""
    columns = [np.cross(moved, normals), normals]
    if limits is not None:
        columns.append(np.sum(moved * normals, axis=1)[:, None])
    gap = np.sum((places - moved) * normals, axis=1)
    matrix = np.concatenate(columns, axis=1)
    step = np.linalg.lstsq(matrix, gap, rcond=1e-6)[0]
    turn = Similarity(
        Rotation.from_rotvec(step[:3]).as_matrix(), step[3:6], 1.0 + float(step[6]) if limits is not None else 1.0
    )
    raw = turn.after(transform)
    if limits is None:
        return raw
    scale = _limited(source, raw.rotation, raw.scale, limits)
    middle = source.points.mean(axis=0)
    return Similarity(raw.rotation, raw.apply(middle) - scale * raw.rotation @ middle, scale)


def _judged(source: Source, target: Target, transform: Similarity) -> Alignment:
    """With the mean distance of the surfaces both ways."""
    there = target.surface.closest(transform.apply(source.points))[0]
    back = source.surface.moved(transform.apply(source.positions)).closest(target.points)[0]
    return Alignment(transform, float(there.mean() + back.mean()) / 2)


SAMPLES = 10_000  # of the side that stays
ROUNDS = 1000
TOLERANCE = 1e-7


def align_as_published(vertices: np.ndarray, truth: np.ndarray, right_order: bool = False) -> Similarity:
    """vertices (N, 3) of the first frame of the side that moves -> truth (P, 3), points on the other; both normalised.

    The scale comes from the longer of the bounding boxes' x and y sides, within SCALE_LIMITS, and stays. Each round
    turns and shifts what earlier rounds have moved, so that its rotation belongs to the left of theirs; the script puts
    it to the right, and what it returns is then not the motion that it has measured. right_order=True shows the
    difference.
    """
    sides = [np.ptp(points[:, :2], axis=0).max() for points in (vertices, truth)]
    scale = float(np.clip(sides[1] / sides[0], *SCALE_LIMITS)) if sides[0] > 1e-10 else 1.0
    rotation, shift = np.eye(3), np.zeros(3)
    tree = nearest_tree(truth)
    before = np.inf
    for _ in range(ROUNDS):
        moved = scale * vertices @ rotation.T + shift
        distances, indices = tree.query(moved, workers=-1)
        error = float(distances.mean())
        if abs(before - error) < TOLERANCE:
            break
        before = error
        matched = truth[indices]
        turn = best_rotation(moved - moved.mean(axis=0), matched - matched.mean(axis=0))
        rotation = turn @ rotation if right_order else rotation @ turn
        shift = turn @ shift + matched.mean(axis=0) - turn @ moved.mean(axis=0)
        u, _, vt = np.linalg.svd(rotation)
        rotation = u @ vt
    return Similarity(rotation, shift, scale)
