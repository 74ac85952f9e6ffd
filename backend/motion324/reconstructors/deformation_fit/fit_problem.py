"""What stays the same over all frames of one clip: graph, surface points, camera, images, first-frame appearance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.mesh.colours import colours_at
from motion324.reconstructors.deformation_fit.deformation_graph import DeformationGraph, build_graph, deform
from motion324.reconstructors.deformation_fit.settings import FitSettings
from motion324.reconstructors.deformation_fit.surface_graph import WeldedSurface, weld
from motion324.reconstructors.deformation_fit.working_images import WorkingImages
from motion324.view.rasteriser import Raster, rasterise


@dataclass(frozen=True)
class Pose:
    """One frame's deformation: rotations (K, 3, 3) and translations (K, 3) of the nodes."""

    rotations: np.ndarray
    translations: np.ndarray

    @staticmethod
    def rest(count: int) -> Pose:
        return Pose(np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)))


class PosedSurface:
    """The surface in one pose; what is asked of it is computed once."""

    def __init__(self, problem: FitProblem, pose: Pose) -> None:
        self._problem = problem
        self.pose = pose

    @cached_property
    def points(self) -> np.ndarray:
        """(P, 3) the problem's surface points, moved."""
        p = self._problem
        return deform(p.graph, *self._motion, p.points, p.point_nodes, p.point_weights)

    @cached_property
    def vertices(self) -> np.ndarray:
        """(N, 3) in the reference mesh's vertex order."""
        p = self._problem
        return deform(p.graph, *self._motion, p.vertex_rest, p.vertex_nodes, p.vertex_weights)

    @cached_property
    def raster(self) -> Raster:
        """What the working images would show of it."""
        p = self._problem
        return rasterise(self.vertices, p.mesh.faces, p.view, p.height, p.width)

    @property
    def _motion(self) -> tuple[np.ndarray, np.ndarray]:
        return self.pose.rotations, self.pose.translations


class FitProblem:
    """points (P, 3): surface points at rest, with the nodes that they follow and a weight each (sum 1)."""

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
        self.view: View = images.view
        self.height, self.width = images.masks.shape[1:]
        check()
        self.surface: WeldedSurface = weld(mesh.positions, mesh.faces)
        self.graph: DeformationGraph = build_graph(self.surface, seed, settings.nodes, check)
        chosen, weights = _surface_points(self.surface, settings.points, seed)
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
        self._remember_first_frame()

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

    def appearance(self, raster: Raster) -> np.ndarray:
        """(h, w, 3) uint8: the model as it would look: in the first frame's own colours where that shows the spot,
        else in the mesh's colours, brought to the video's tones."""
        seen = raster.mask
        face, barycentric = raster.face[seen], raster.barycentric[seen]
        corners = self.mesh.faces[face]
        rest = np.einsum("pk,pka->pa", barycentric, self.vertex_rest[corners])
        pixels, depth = self.project(rest)
        x, y = self.clipped(pixels)
        visible = (depth < self._first_depth[y, x] + 0.02) & self.images.masks[0][y, x]
        own = self._tones(colours_at(self.mesh, face, barycentric))
        colours = np.where(visible[:, None], self.images.colours[0][y, x], own)
        image = np.zeros((self.height, self.width, 3), np.uint8)
        image[seen] = colours
        return image

    def _remember_first_frame(self) -> None:
        raster = self.posed(Pose.rest(len(self.graph.nodes))).raster
        self._first_depth = raster.depth
        both = raster.mask & self.images.masks[0]
        own = colours_at(self.mesh, raster.face[both], raster.barycentric[both]) * 255.0
        shown = self.images.colours[0][both].astype(np.float64)
        # One gain and offset per channel, from mesh colours to the video's (light and exposure), kept sane.
        self._gain, self._offset = np.ones(3), np.zeros(3)
        if len(own) > 100:
            for c in range(3):
                spread = own[:, c].var() + 50.0
                gain = float(np.clip(np.cov(own[:, c], shown[:, c])[0, 1] / spread, 0.4, 1.6))
                self._gain[c], self._offset[c] = gain, shown[:, c].mean() - gain * own[:, c].mean()

    def _tones(self, colours: np.ndarray) -> np.ndarray:
        return np.clip(colours * 255.0 * self._gain + self._offset, 0, 255).astype(np.uint8)


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
