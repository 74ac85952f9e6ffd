"""Reads what one frame's image says about the surface: flow, and the two ways in which silhouettes can disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import cv2
import numpy as np
from scipy.spatial import cKDTree

from motion324.reconstructors.deformation_fit.carried_points import carry_points
from motion324.reconstructors.deformation_fit.deformation_graph import DeformationGraph
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, PosedSurface
from motion324.video.optical_flow import FlowAroundObject

FIELDS_KEPT = 40  # frames whose MaskField is kept: more than are refined together
FLOW_BYTES_KEPT = 1 << 27  # of flow between frames, to which several fits of a short video come back
JOINT_WINDOW = 24  # frames refined together: some 3 MB each, on a GPU 10; more are no faster there either
FLOWS_KEPT_BESIDE = 16  # of a long one, beside both ways between neighbours that are refined together
STRETCHED, TORN = 1.15, 0.25  # times its length at rest that an edge of a body has; by how much more it counts half
BARE_PIXELS = 500  # of the mask without model, at most so many are looked at


@dataclass(frozen=True)
class PointTargets:
    """Pixels (B, 2) where the points `which` (B,) should appear, with weights (B,), 0 where nothing is known."""

    which: np.ndarray
    pixels: np.ndarray
    weights: np.ndarray


Targets = TypeVar("Targets")  # PointTargets of one frame, or what holds those of several


@dataclass(frozen=True)
class Observation(Generic[Targets]):
    """chained: from neighbouring frames. model: from the rendered model, or None. bare: mask that the model misses."""

    chained: list[Targets]
    model: Targets | None
    bare: Targets


@dataclass(frozen=True)
class MaskField:
    """The way to a mask: nearest (h, w, 2) float32, the middle (x, y) of its nearest pixel; distance (h, w) in pixels,
    0 inside."""

    nearest: np.ndarray
    distance: np.ndarray

    @staticmethod
    def of(mask: np.ndarray) -> MaskField:
        height, width = mask.shape
        if not mask.any():  # a frame where the object was not found pulls nowhere
            ys, xs = np.mgrid[:height, :width].astype(np.float32) + 0.5
            return MaskField(np.stack([xs, ys], axis=2), np.zeros((height, width), np.float32))
        distance, label = cv2.distanceTransformWithLabels(
            (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        ys, xs = np.nonzero(mask)
        where = np.zeros((int(label.max()) + 1, 2), np.float32)
        where[label[ys, xs]] = np.stack([xs + 0.5, ys + 0.5], axis=1)
        return MaskField(where[label], distance)


def unstretched(graph: DeformationGraph, translations: np.ndarray) -> np.ndarray:
    """translations (K, 3) of the graph's nodes -> (K,) in 0..1: 1 where none of a node's edges is longer than at rest
    by more than bodies stretch, the less the longer one is."""
    first, second = graph.edges.T
    moved = graph.nodes + translations
    lengths = [np.linalg.norm(nodes[first] - nodes[second], axis=1) for nodes in (moved, graph.nodes)]
    stretch = np.maximum(lengths[0] / np.maximum(lengths[1], 1e-6) - STRETCHED, 0.0)
    weights = 1.0 / (1.0 + (stretch / TORN) ** 2)
    found = np.ones(len(graph.nodes))
    np.minimum.at(found, first, weights)
    np.minimum.at(found, second, weights)
    return found


class Observer:
    """Looks at the working images of one problem."""

    def __init__(self, problem: FitProblem) -> None:
        self.problem = problem
        self.settings = problem.settings
        self._flows = FlowAroundObject(self.settings.flow_finest)
        images = problem.images
        self.greys = images.greys
        self.field = lru_cache(maxsize=FIELDS_KEPT)(lambda t: MaskField.of(images.masks[t]))
        all_pairs = 2 * 2 * len(images.masks)  # along the tree of frames, and along time
        fit = all_pairs * 8 * images.masks[0].size <= FLOW_BYTES_KEPT
        kept = all_pairs if fit else 2 * JOINT_WINDOW + FLOWS_KEPT_BESIDE
        self._flow = lru_cache(maxsize=kept)(lambda first, second: self._flow_between(first, second))

    def observe(self, t: int, surfaces: Mapping[int, PosedSurface]) -> Observation[PointTargets]:
        """What frame t says, given good poses of itself and of its neighbours in time, as far as there are any."""
        return Observation(
            [self.chained(t, other, surfaces[other]) for other in (t - 1, t + 1) if other in surfaces],
            self.model(t, surfaces[t]),
            self.bare(t, surfaces[t]),
        )

    def way(self, neighbour: int, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Flow (h, w, 2) from another frame to frame t, and back."""
        return self._flow(neighbour, t), self._flow(t, neighbour)

    def chained(
        self, t: int, neighbour: int, surface: PosedSurface, way: tuple[np.ndarray, np.ndarray] | None = None
    ) -> PointTargets:
        """Points seen in another frame, in whose pose `surface` is, carried to frame t by the flow between both.
        way: that flow, there and back, where it is known already."""
        return self._carried(surface, way or self.way(neighbour, t), self.problem.images.masks[neighbour], t)

    def model(self, t: int, surface: PosedSurface, checked: bool = True) -> PointTargets:
        """Points seen in the rendered surface, carried by the flow from that rendering to frame t. checked: whether the
        flow back has its say in how much each counts, which takes as long again."""
        drawn, frame = surface.grey, self.greys[t]
        back = self._flows.between(frame, drawn) if checked else np.empty((0, 0, 2), np.float32)
        return self._carried(surface, (self._flows.between(drawn, frame), back), surface.mask, t)

    def misfit(self, t: int, surface: PosedSurface) -> float:
        """How unlike frame t the surface looks: the mean difference of grey levels where either shows the object."""
        p = self.problem
        either = surface.mask | p.images.masks[t]
        difference = np.abs(surface.grey[either].astype(np.float32) - self.greys[t][either])
        return float(difference.mean()) if len(difference) else 0.0

    def bare(self, t: int, surface: PosedSurface) -> PointTargets:
        """For pixels of the mask where the model is not: the surface point that appears nearest to each. What would
        have to be stretched to cover them does not lie there: the mesh may lack that part."""
        p = self.problem
        masks = p.images.masks
        ys, xs = np.nonzero(masks[t] & ~surface.mask)
        step = max(1, len(ys) // BARE_PIXELS)
        wanted = np.stack([xs[::step] + 0.5, ys[::step] + 0.5], axis=1)
        if len(wanted) == 0:
            return PointTargets(np.zeros(0, np.int64), wanted, np.zeros(0))
        own, _ = p.project(surface.points)
        nearest = cKDTree(own).query(wanted)[1]
        share = step / max(int(masks[t].sum()), 1)
        follows = p.point_nodes[nearest]
        whole = (p.point_weights[nearest] * unstretched(p.graph, surface.pose.translations)[follows]).sum(axis=1)
        return PointTargets(nearest, wanted, share * whole * ~p.mask_faults.surplus[nearest])

    def outside(self, t: int, points: np.ndarray) -> PointTargets:
        """For moved points (P, 3) that appear outside of the mask: its nearest pixel; not for those that the reference
        frame's mask lacks."""
        p = self.problem
        pixels, _ = p.project(points)
        x, y = p.clipped(pixels)
        field = self.field(t)
        weights = (field.distance[y, x] > 0.5) * p.outlined_area
        return PointTargets(np.arange(len(points)), field.nearest[y, x], weights)

    def _flow_between(self, first: int, second: int) -> np.ndarray:
        return self._flows.between(self.greys[first], self.greys[second])

    def _carried(
        self, surface: PosedSurface, way: tuple[np.ndarray, np.ndarray], inside: np.ndarray, t: int
    ) -> PointTargets:
        p = self.problem
        pixels, own_depth = p.project(surface.points)
        moved, weights = carry_points(
            pixels, own_depth, p.point_area, surface.depth, inside, *way, p.images.masks[t], self.settings.flow_trust
        )
        return PointTargets(np.arange(len(pixels)), moved, weights)
