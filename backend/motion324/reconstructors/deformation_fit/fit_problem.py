"""Holds what stays the same over all frames of one clip: graph, surface points, camera, images, settings.

The images are cropped to the object over the whole clip, of a fixed size, and have one grey channel.

The settings are the weights of the fit, tuned on clips with truth; lengths are in normalised space (longest side 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks, room_for_pictures
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.reconstructors.deformation_fit.appearance import Appearance
from motion324.reconstructors.deformation_fit.deformation_graph import DeformationGraph, build_graph, deform
from motion324.reconstructors.deformation_fit.frame_tree import frame_tree
from motion324.reconstructors.deformation_fit.mask_faults import faults_of
from motion324.reconstructors.deformation_fit.surface_graph import WeldedSurface, weld
from motion324.view.rasteriser import Raster, rasterise

MARGIN = 0.08  # of the object's box, on every side
MASK_LEVEL = 0.5


@dataclass(frozen=True)
class GreyChannel:
    """(colour - offset) . axis, stretched to 0..255: the direction in which the object's colours differ most, so that
    flow sees what luminance may hide. axis (3,)."""

    axis: np.ndarray
    offset: float
    gain: float

    def levels(self, values):
        """Along the axis, arrays or tensors -> grey levels, before those that are too dark or bright are clipped."""
        return (values - self.offset) * self.gain + 144.0

    def of(self, colours: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(h, w, 3) and (h, w) bool -> (h, w) uint8; outside of the mask one even level."""
        value = np.clip(self.levels(colours.astype(np.float32) @ self.axis), 56.0, 232.0)
        value[~mask] = 0.0
        return value.astype(np.uint8)


@dataclass(frozen=True)
class WorkingImages:
    """greys (T, h, w) uint8 and masks (T, h, w) bool of the crop; first_colours (h, w, 3) uint8: of frame 0; view: the
    camera in the crop's coordinates. The other frames' colours are not kept: of a long video they take much memory."""

    greys: np.ndarray
    masks: np.ndarray
    first_colours: np.ndarray
    view: View
    channel: GreyChannel


def working_images(frames: np.ndarray, masks: Masks, view: View, longer_side: int) -> WorkingImages:
    """frames (T, H, W, 3) uint8, masks (T, H, W) in [0, 1], view of the whole image; longer_side: of the crop, at most,
    in pixels.
    """
    total, height, width = masks.shape
    seen = np.zeros((height, width), bool)
    for mask in masks:
        seen |= mask > MASK_LEVEL
    ys, xs = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    margin = MARGIN * max(ys[-1] - ys[0], xs[-1] - xs[0]) + 4
    y0, y1 = int(max(ys[0] - margin, 0)), int(min(ys[-1] + 1 + margin, height))
    x0, x1 = int(max(xs[0] - margin, 0)), int(min(xs[-1] + 1 + margin, width))
    scale = min(1.0, longer_side / max(y1 - y0, x1 - x0))
    h, w = max(round((y1 - y0) * scale), 16), max(round((x1 - x0) * scale), 16)

    def small(t: int) -> tuple[np.ndarray, np.ndarray]:
        colours = cv2.resize(frames[t, y0:y1, x0:x1], (w, h), interpolation=cv2.INTER_AREA)
        soft = cv2.resize(masks[t, y0:y1, x0:x1].astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
        return colours, soft > MASK_LEVEL

    some = [small(t) for t in range(0, total, max(1, total // 8))]
    channel = _contrast_channel(np.stack([colours for colours, _ in some]), np.stack([mask for _, mask in some]))
    greys, inside = room_for_pictures((total, h, w)), room_for_pictures((total, h, w)).view(bool)

    def keep(t: int) -> None:
        colours, inside[t] = small(t)
        greys[t] = channel.of(colours, inside[t])

    side_by_side(total, keep, lambda done: None)
    return WorkingImages(greys, inside, some[0][0], view.of_part((y0, y1, x0, x1), (height, width)), channel)


def _contrast_channel(colours: np.ndarray, masks: np.ndarray) -> GreyChannel:
    inside = colours[masks].astype(np.float64)
    if len(inside) < 10:
        return GreyChannel(np.full(3, 1 / 3, np.float32), 127.0, 1.0)
    inside = inside[:: max(1, len(inside) // 20000)]
    # Luminance plus the direction of largest variance: noise in a dull direction is not blown up.
    _, vectors = np.linalg.eigh(np.cov(inside.T) + 25.0 * np.eye(3))
    axis = vectors[:, -1] * np.sign(vectors[:, -1].sum() or 1.0)
    values = inside @ axis
    return GreyChannel(axis.astype(np.float32), float(values.mean()), float(min(4.0, 40.0 / (values.std() + 1e-6))))


@dataclass(frozen=True)
class FitSettings:
    picture: int = 320  # pixels of the working images' longer side
    nodes: int = 96  # of the deformation graph
    points: int = 3000  # surface points that see the image
    rigidity: float = 1.0  # of the graph's edges against the data, whose weights sum to about 1
    rigidity_knee: float = 0.02  # edges bent by more than this give way, as joints do
    flow: float = 0.5  # frame-to-frame flow
    model_flow: float = 2.0  # flow from the rendered model to the frame
    flow_tolerance: float = 0.16
    flow_trust: float = 1.5  # pixels that flow may miss on its way there and back
    flow_finest: int = 1  # finest level of the flow's pyramid: 0 is every pixel
    silhouette: float = 0.5  # points outside the mask
    cover: float = 2.0  # mask pixels that the model leaves bare
    silhouette_tolerance: float = 0.4
    depth: float = 0.03  # against motion along the viewing axis between frames
    depth_rest: float = 0.05  # against being moved along it at all
    depth_reach: float = 0.03  # points moved across the view by more than this are freer along it
    depth_predicted: float = 1.2  # for motion along it as a prediction has it, in place of both above
    predicted: float = 0.15  # for being where a prediction has a point, in every direction, ...
    predicted_reach: float = 0.0  # ... and twice that for points that are moved by so much where all are
    hold: float = 0.02  # against moving between frames
    anneal: float = 2.0  # tolerances of a round over those of the next
    rounds: int = 5  # of rendering and flow per frame
    steps: int = 3  # Gauss-Newton steps per round
    joint_rounds: int = 1
    joint_steps: int = 2
    joint_smooth: float = 0.003  # acceleration of the nodes


STANDARD = FitSettings()
DRAFT = FitSettings(picture=240, rounds=3, steps=2)
FINE = FitSettings(picture=448, joint_rounds=2)


def following(settings: FitSettings) -> FitSettings:
    """Of a fit that starts from a prediction, and so from near: fewer rounds and steps, and less trust in stiffness and
    more in the images than where nothing else holds the surface. Chosen on clips of rigs that no model was trained on.
    """
    return replace(
        settings,
        rounds=DRAFT.rounds,
        steps=DRAFT.steps,
        predicted_reach=0.07,
        rigidity=0.5 * settings.rigidity,
        model_flow=4 * settings.model_flow,
        silhouette=4 * settings.silhouette,
        cover=4 * settings.cover,
    )


def settings_for(quality: str) -> FitSettings:
    """quality: one of core.options' QUALITIES; what each gains and costs is in benchmarks/results.md."""
    return {"draft": DRAFT, "standard": STANDARD, "fine": FINE}[quality]


@dataclass(frozen=True)
class Pose:
    """One frame's deformation: rotations (K, 3, 3) and translations (K, 3) of the nodes."""

    rotations: np.ndarray
    translations: np.ndarray

    @staticmethod
    def rest(count: int) -> Pose:
        return Pose(np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)))


class PosedSurface:
    """The surface in one pose; what is asked of it is computed once.

    Not by functools.cached_property, whose lock all instances share in Python 3.11: frames are fitted side by side.
    """

    def __init__(self, problem: FitProblem, pose: Pose) -> None:
        self._problem = problem
        self.pose = pose
        self._points: np.ndarray | None = None
        self._vertices: np.ndarray | None = None
        self._raster: Raster | None = None
        self._grey: np.ndarray | None = None

    @property
    def points(self) -> np.ndarray:
        """(P, 3) the problem's surface points, moved."""
        if self._points is None:
            p = self._problem
            self._points = self._deformed(p.points, p.point_nodes, p.point_weights)
        return self._points

    @property
    def vertices(self) -> np.ndarray:
        """(N, 3) in the reference mesh's vertex order."""
        if self._vertices is None:
            p = self._problem
            self._vertices = self._deformed(p.vertex_rest, p.vertex_nodes, p.vertex_weights)
        return self._vertices

    @property
    def raster(self) -> Raster:
        """What the working images would show of it."""
        if self._raster is None:
            p = self._problem
            self._raster = rasterise(self.vertices, p.mesh.faces, p.view, p.height, p.width)
        return self._raster

    @property
    def mask(self) -> np.ndarray:
        """(h, w) bool: where the working images would show it."""
        return self.raster.mask

    @property
    def depth(self) -> np.ndarray:
        """(h, w) float32: of what they would show; inf where that is nothing."""
        return self.raster.depth

    @property
    def grey(self) -> np.ndarray:
        """(h, w) uint8: how it would look in the working images' grey channel."""
        if self._grey is None:
            p = self._problem
            self._grey = p.images.channel.of(p.appearance.of(self.raster), self.raster.mask)
        return self._grey

    def _deformed(self, points: np.ndarray, nodes: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return deform(self._problem.graph, self.pose.rotations, self.pose.translations, points, nodes, weights)


class FitProblem:
    """points (P, 3): surface points at rest, with the nodes that they follow and a weight each (sum 1); chosen (P,):
    which of the welded surface's they are."""

    def __init__(
        self,
        mesh: ReferenceMesh,
        images: WorkingImages,
        settings: FitSettings,
        seed: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.mesh = mesh
        self.images = images
        self.settings = settings
        self._tree: tuple[list[int], np.ndarray] | None = None
        self.view: View = images.view
        self.height, self.width = images.masks.shape[1:]
        check()
        self.surface: WeldedSurface = weld(mesh.positions, mesh.faces, check)
        self.graph: DeformationGraph = build_graph(self.surface, seed, settings.nodes, check)
        chosen, weights = _surface_points(self.surface, settings.points, seed)
        self.chosen = chosen
        self.points = self.surface.points[chosen]
        self.point_nodes = self.graph.point_nodes[chosen]
        self.point_weights = self.graph.point_weights[chosen]
        self.point_area = weights
        vertices = self.surface.vertex_point
        self.vertex_rest = np.asarray(mesh.positions, np.float64)
        self.vertex_nodes = self.graph.point_nodes[vertices]
        self.vertex_weights = self.graph.point_weights[vertices]
        matrix = self.view.matrix(self.height, self.width)
        self.intrinsics = (matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2])
        distance = float((self.view.rotation @ self.vertex_rest.mean(axis=0) + self.view.translation)[2])
        self.unit = distance / matrix[1, 1]  # size of a pixel at the object's distance
        first = self.posed(Pose.rest(len(self.graph.nodes))).raster
        self.mask_faults = faults_of(images.masks[0], first.mask, self.project(self.points)[0])
        self.outlined_area = self.point_area * ~self.mask_faults.lacking  # of points that belong inside of masks
        self.appearance = Appearance(mesh, self.vertex_rest, self.view, first, images.first_colours, images.masks[0])

    def tree(self) -> tuple[list[int], np.ndarray]:
        """The frames' order and parents, as frame_tree has them; for all fits of this problem found once."""
        if self._tree is None:
            self._tree = frame_tree(self.images.greys)
        return self._tree

    def posed(self, pose: Pose) -> PosedSurface:
        return PosedSurface(self, pose)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P, 3) -> pixels (P, 2), depth (P,) in the working images."""
        return self.view.project(points, self.height, self.width)

    def clipped(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns x and rows y (P,) int of the pixels (P, 2), moved to the border where they lie beyond it."""
        x = np.clip(pixels[:, 0], 0, self.width - 1).astype(np.int64)
        return x, np.clip(pixels[:, 1], 0, self.height - 1).astype(np.int64)

    def within(self, pixels: np.ndarray) -> np.ndarray:
        """(P,) bool: which pixels (P, 2) lie in the working images."""
        inside = (pixels >= 0) & (pixels < np.array([self.width, self.height]))
        return np.asarray(inside.all(axis=1))


def _surface_points(surface: WeldedSurface, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of welded points hit by area-weighted samples, and their share of the hits."""
    rng = np.random.default_rng(seed)
    a, b, c = (surface.points[surface.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    face = rng.choice(len(area), 4 * count, p=area / area.sum())
    corner = surface.faces[face, rng.integers(0, 3, len(face))]
    chosen, hits = np.unique(corner, return_counts=True)
    if len(chosen) > count:
        keep = np.sort(rng.choice(len(chosen), count, replace=False))
        chosen, hits = chosen[keep], hits[keep]
    return chosen, hits / hits.sum()
