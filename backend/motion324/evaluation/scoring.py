"""Scores one clip: truth and prediction in, values over the sequence and by frame out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from motion324.core.progress import Progress, silent
from motion324.evaluation.alignment import SAMPLES as PUBLISHED_SAMPLES
from motion324.evaluation.alignment import (
    SCALE_LIMITS,
    Alignment,
    Source,
    Target,
    align,
    align_as_published,
    mesh_target,
)
from motion324.evaluation.correspondence import TrackedPoints, point_target, vertex_errors, what_differs
from motion324.evaluation.mesh_sequence import (
    MeshSequence,
    Similarity,
    SurfacePlaces,
    about_x,
    normalised_by_first_frame,
    sample_places,
)
from motion324.evaluation.protocols import Protocol
from motion324.evaluation.surface_scores import (
    accelerations,
    aligned_frame_by_frame,
    chamfer_over_time,
    motion_chamfer,
    self_intersection_rate,
    stretches,
    surface_distances,
    surface_scores,
    vertex_areas,
    welded,
)
from motion324.evaluation.triangle_tree import TriangleTree

SURFACE_POINTS = 10_000  # for distances to the surface itself, which need fewer than the Chamfer distance
CUT_FRAMES = 12  # at most, evenly spread: the only measure that does not look at all of them
TRUTH, PREDICTION = 0, 1  # in seeds: both sides draw their own


@dataclass
class Scores:
    """values: by metric, over the sequence. per_frame: by metric (T,). differs: why vertices do not correspond."""

    values: dict[str, float] = field(default_factory=dict)
    per_frame: dict[str, np.ndarray] = field(default_factory=dict)
    alignment: dict[str, Any] = field(default_factory=dict)
    differs: str = ""

    def add(self, metric: str, by_frame: np.ndarray) -> None:
        self.per_frame[metric] = by_frame
        self.values[metric] = float(np.nanmean(by_frame)) if np.isfinite(by_frame).any() else np.nan


@dataclass(frozen=True)
class Pair:
    """Both sides normalised: true (T, N, 3) and ours (T, M, 3), with their triangles."""

    true: np.ndarray
    true_faces: np.ndarray
    ours: np.ndarray
    faces: np.ndarray
    seed: int


def score(
    truth: MeshSequence,
    predicted: MeshSequence,
    protocol: Protocol,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> Scores:
    """Both have passed check_sequence. For the published protocols they may differ in the number of frames."""
    scores = Scores()
    pair = Pair(
        normalised_by_first_frame(truth.positions),
        truth.faces,
        Similarity(about_x(protocol.turn)).apply(normalised_by_first_frame(predicted.positions)),
        predicted.faces,
        seed,
    )
    first = _alignment(pair, protocol, progress)
    scores.alignment = first.described()
    if protocol.towards_truth:
        aligned = first.transform.apply(pair.ours)
    else:
        pair, aligned = replace(pair, true=first.transform.apply(pair.true)), pair.ours
    if protocol.name == "actionbench":

        def target_of(index: int) -> Target:
            return mesh_target(pair.true[index], pair.true_faces, (seed, TRUTH))

        true_places = sample_places(pair.true[0], pair.true_faces, protocol.samples, (seed, TRUTH))
        _actionmesh(scores, pair, true_places, target_of, first, protocol, device, progress)
        return scores
    _surfaces(scores, pair, aligned, protocol, device, progress)
    if protocol.alignment != "published":
        scores.values["chamfer_floor"] = _floor(pair, protocol, device)
        scores.differs = what_differs(truth, predicted)
        if not scores.differs:
            _correspondence(scores, pair.true, aligned)
        _regularity(scores, pair, aligned, progress)
    return scores


def _alignment(pair: Pair, protocol: Protocol, progress: Progress) -> Alignment:
    if protocol.alignment == "none":
        return Alignment(Similarity(), np.nan)
    if protocol.alignment == "published":
        progress("align", 0, 1)
        if not protocol.towards_truth:
            places = sample_places(pair.ours[0], pair.faces, PUBLISHED_SAMPLES, (pair.seed, PREDICTION))
            return Alignment(align_as_published(pair.true[0], places.on(pair.ours[0])), np.nan)
        places = sample_places(pair.true[0], pair.true_faces, PUBLISHED_SAMPLES, (pair.seed, TRUTH))
        return Alignment(align_as_published(pair.ours[0], places.on(pair.true[0])), np.nan)
    target = mesh_target(pair.true[0], pair.true_faces, (pair.seed, TRUTH))
    source = Source(pair.ours[0], pair.faces, (pair.seed, PREDICTION))
    limits = None if protocol.alignment == "rigid" else SCALE_LIMITS
    return align(source, target, scale_limits=limits, progress=progress)


def _floor(pair: Pair, protocol: Protocol, device: str) -> float:
    """The Chamfer distance of the truth's first frame from itself, other samples against samples."""
    first = pair.true[0]
    both = [
        sample_places(first, pair.true_faces, protocol.samples, (pair.seed, side, 0)).on(first)
        for side in (TRUTH, PREDICTION)
    ]
    return surface_scores(both[0], both[1], (), device).distance


def _surfaces(
    scores: Scores,
    pair: Pair,
    aligned: np.ndarray,
    protocol: Protocol,
    device: str,
    progress: Progress,
) -> None:
    """Each frame draws its own samples: their chance then averages out over the frames."""
    true_tree = TriangleTree(pair.true[0], pair.true_faces)
    tree = TriangleTree(aligned[0], pair.faces)
    found, completeness, accuracy = [], [], []
    for index, frame in enumerate(aligned):
        progress("compare", index, len(aligned))
        true_frame = pair.true[min(index, len(pair.true) - 1)]
        true_places = sample_places(true_frame, pair.true_faces, protocol.samples, (pair.seed, TRUTH, index))
        places = sample_places(frame, pair.faces, protocol.samples, (pair.seed, PREDICTION, index))
        found.append(surface_scores(true_places.on(true_frame), places.on(frame), protocol.thresholds, device))
        if protocol.alignment != "published":
            there, back = surface_distances(
                true_frame, true_tree, true_places.some(SURFACE_POINTS), frame, tree, places.some(SURFACE_POINTS)
            )
            completeness.append(there)
            accuracy.append(back)
    scores.add("chamfer", np.array([one.distance for one in found]))
    for threshold in protocol.thresholds:
        scores.add(f"f_{threshold:g}", np.array([one.f[threshold] for one in found]))
    if accuracy:
        scores.add("surface_accuracy", np.array(accuracy))
        scores.add("surface_completeness", np.array(completeness))
        scores.add("surface_distance", np.array(accuracy) + np.array(completeness))


def _correspondence(scores: Scores, true: np.ndarray, aligned: np.ndarray) -> None:
    errors = vertex_errors(true, aligned)
    scores.add("vertex_error", errors.vertex)
    scores.add("trajectory_error", errors.trajectory)
    still = float(errors.still.mean())
    for metric in ("vertex_error", "trajectory_error"):
        scores.values[f"{metric}_ratio"] = _ratio(scores.values[metric], still)


def _regularity(scores: Scores, pair: Pair, aligned: np.ndarray, progress: Progress) -> None:
    true_jitter = accelerations(pair.true, vertex_areas(pair.true[0], pair.true_faces))
    scores.add("jitter", accelerations(aligned, vertex_areas(aligned[0], pair.faces)))
    scores.add("stretch", stretches(aligned, pair.faces))
    if len(aligned) >= 3:
        scores.values["jitter_ratio"] = _ratio(scores.values["jitter"], float(np.nanmean(true_jitter)))
    scores.values["stretch_ratio"] = _ratio(
        scores.values["stretch"], float(stretches(pair.true, pair.true_faces).mean())
    )
    chosen = np.unique(np.linspace(0, len(aligned) - 1, CUT_FRAMES).round().astype(int))
    for metric, positions, faces in (
        ("self_intersection", aligned, pair.faces),
        ("self_intersection_truth", pair.true, pair.true_faces),
    ):
        tree, weld = TriangleTree(positions[0], faces), welded(positions[0])
        rates = np.full(len(positions), np.nan)
        for done, index in enumerate(chosen):
            progress("cuts", done, len(chosen))
            rates[index] = self_intersection_rate(tree, positions[index], weld)
        scores.add(metric, rates)


def _ratio(value: float, by: float) -> float:
    return value / by if by > 0 else np.nan


def score_tracked(
    truth: TrackedPoints,
    predicted: MeshSequence,
    protocol: Protocol,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> Scores:
    """The same by the protocol "actionbench" where the truth is points; both have as many frames."""
    none = np.empty((0, 3), np.int32)
    ours = normalised_by_first_frame(predicted.positions)
    pair = Pair(truth.normalised(), none, ours, predicted.faces, seed)

    def target_of(index: int) -> Target:
        return point_target(pair.true[index], truth.normals[index])

    source = Source(ours[0], predicted.faces, (seed, PREDICTION))
    first = align(source, target_of(0), scale_limits=None, progress=progress)
    scores = Scores(alignment=first.described())
    _actionmesh(scores, pair, truth.places(protocol.samples), target_of, first, protocol, device, progress)
    return scores


def _actionmesh(
    scores: Scores,
    pair: Pair,
    true_places: SurfacePlaces,
    target_of: Callable[[int], Target],
    first: Alignment,
    protocol: Protocol,
    device: str,
    progress: Progress,
) -> None:
    """Points stay at their place on the surface, which CD-M needs. target_of: the truth's surface by frame."""
    aligned = first.transform.apply(pair.ours)
    places = sample_places(aligned[0], pair.faces, protocol.samples, (pair.seed, PREDICTION))
    frames = aligned_frame_by_frame(target_of, pair.ours, pair.faces, first, pair.seed, progress)
    for metric, found in (
        ("cd_3d", chamfer_over_time(pair.true, true_places, frames, places, device, progress)),
        ("cd_4d", chamfer_over_time(pair.true, true_places, aligned, places, device, progress)),
        ("cd_m", motion_chamfer(pair.true, true_places, aligned, places, device)),
    ):
        scores.add(metric, found.squared)
        scores.add(f"{metric}_plain", found.plain)
