"""Draws the surface in many poses at once, as PosedSurface is drawn one by one, on the device.

Letters: B frames, N vertices, F triangles, Q pixels of all frames that show the surface, (h, w) the images' size.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from motion324.core.reference_mesh import ReferenceMesh
from motion324.reconstructors.deformation_fit.appearance import SHOWN_WITHIN
from motion324.reconstructors.deformation_fit.by_torch.point_set import PointSet, Poses, apart
from motion324.reconstructors.deformation_fit.by_torch.pulls import Camera
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, Pose, PosedSurface
from motion324.view.torch_rasteriser import perspective_weights, rasterise

TRIANGLES_AT_ONCE = 4_000_000  # some 100 bytes each


class DrawnSurface(PosedSurface):
    """A surface whose points and picture came from the device."""

    def __init__(
        self, problem: FitProblem, pose: Pose, points: np.ndarray, grey: np.ndarray, depth: np.ndarray
    ) -> None:
        super().__init__(problem, pose)
        self._points, self._grey, self._depth = points, grey, depth

    @property
    def depth(self) -> np.ndarray:
        return self._depth

    @property
    def mask(self) -> np.ndarray:
        found: np.ndarray = np.isfinite(self._depth)
        return found


class Drawings:
    def __init__(self, problem: FitProblem, points: PointSet, like: Tensor) -> None:
        """points: the problem's own."""
        p = problem
        self._problem, self._points = p, points
        self._vertices = PointSet(p.graph, p.vertex_rest, p.vertex_nodes, p.vertex_weights, like)
        self._camera = Camera(p, like)
        self._faces = torch.as_tensor(p.mesh.faces.astype(np.int64)).to(like.device)
        self._colours = _Colours(p, self._camera, like)

    def of(self, poses: Poses) -> list[PosedSurface]:
        step = max(1, TRIANGLES_AT_ONCE // len(self._faces))
        surfaces: list[PosedSurface] = []
        for start in range(0, len(poses.rotations), step):
            some = poses[start : start + step]
            depth, grey = self._drawn(self._vertices.moved(some))
            parts = (self._points.moved(some).double(), grey, depth)
            arrays = (part.cpu().numpy() for part in parts)
            surfaces += [DrawnSurface(self._problem, *each) for each in zip(apart(some), *arrays, strict=True)]
        return surfaces

    def _drawn(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """vertices (B, N, 3) -> depth (B, h, w) float32, inf where nothing is, and grey levels (B, h, w) uint8."""
        p = self._problem
        size, frames, count = (p.height, p.width), len(vertices), len(self._faces)
        corners = self._camera.pixels(vertices)[:, self._faces].flatten(0, 1)  # (B * F, 3, 2)
        depths = self._camera.depths(vertices)[:, self._faces].flatten(0, 1)
        frame = torch.arange(frames, device=vertices.device).repeat_interleave(count)
        seen = rasterise(corners, depths, frame, frames, size)
        weights = perspective_weights(corners, depths, seen.pixel, seen.triangle, size)
        grey = torch.zeros(frames * p.height * p.width, dtype=torch.uint8, device=vertices.device)
        grey[seen.pixel] = self._colours.grey(seen.triangle % count, weights)
        depth = torch.where(seen.nearness > 0, 1 / seen.nearness, torch.full_like(seen.nearness, float("inf")))
        return depth, grey.view(frames, *size)


class _Colours:
    """The grey levels that appearance.Appearance and the working images' channel give spots of the surface."""

    def __init__(self, problem: FitProblem, camera: Camera, like: Tensor) -> None:
        p, shown = problem, problem.appearance
        self._camera, self._size = camera, (p.height, p.width)
        self._rest, self._faces = (
            torch.as_tensor(p.vertex_rest).to(like),
            torch.as_tensor(p.mesh.faces.astype(np.int64)),
        )
        self._faces = self._faces.to(like.device)
        self._shown_depth, self._first = torch.as_tensor(shown.depth).to(like), torch.as_tensor(shown.colours).to(like)
        self._shown_mask = torch.as_tensor(shown.mask).to(like.device)
        self._gain, self._offset = torch.as_tensor(shown.gain).to(like), torch.as_tensor(shown.offset).to(like)
        self._own = _SurfaceColours(p.mesh, like)
        channel = p.images.channel
        self._axis, self._channel = torch.as_tensor(channel.axis).to(like), channel

    def grey(self, face: Tensor, weights: Tensor) -> Tensor:
        """face (Q,) and barycentric weights (Q, 3) -> (Q,) uint8."""
        spots = (weights[..., None] * self._rest[self._faces[face]]).sum(dim=1)
        x, y = self._camera.clipped(self._camera.pixels(spots))
        shown = self._camera.depths(spots) < self._shown_depth[y, x] + SHOWN_WITHIN
        shown &= self._shown_mask[y, x]
        own = (self._own.at(face, weights) * 255.0 * self._gain + self._offset).clamp(0, 255).floor()
        colours = torch.where(shown[:, None], self._first[y, x], own)
        return self._channel.levels(colours @ self._axis).clamp(56.0, 232.0).to(torch.uint8)


class _SurfaceColours:
    """As mesh.colours.colours_at: material times texture times vertex colour, sRGB."""

    def __init__(self, mesh: ReferenceMesh, like: Tensor) -> None:
        def there(values: np.ndarray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(values)).to(like)

        self._base = there(np.array([material.base_colour[:3] for material in mesh.materials], np.float32))
        self._material = torch.as_tensor(mesh.face_material.astype(np.int64)).to(like.device)
        self._faces = torch.as_tensor(mesh.faces.astype(np.int64)).to(like.device)
        self._uv = None if mesh.corner_uv is None else there(mesh.corner_uv)
        self._vertices = None if mesh.vertex_colour is None else there(mesh.vertex_colour)
        self._textures = {
            index: there(material.texture[..., :3] / np.float32(255.0))
            for index, material in enumerate(mesh.materials)
            if material.texture is not None
        }

    def at(self, face: Tensor, weights: Tensor) -> Tensor:
        """(Q, 3) in [0, 1]."""
        material = self._material[face]
        colours = self._base[material]
        if self._uv is not None:
            for index, texture in self._textures.items():
                here = (material == index).nonzero().squeeze(1)
                places = (weights[here, :, None] * self._uv[face[here]]).sum(dim=1)
                colours[here] *= _sampled(texture, places)
        if self._vertices is not None:
            colours = colours * (weights[..., None] * self._vertices[self._faces[face]]).sum(dim=1)
        return colours.clamp(0, 1)


def _sampled(texture: Tensor, places: Tensor) -> Tensor:
    """Bilinear look-up with wrap-around, as mesh.colours.sample_texture. texture (H, W, 3), places (Q, 2), v up."""
    height, width = texture.shape[:2]
    x, y = places[:, 0] * width - 0.5, (1.0 - places[:, 1]) * height - 0.5
    left, top = x.floor(), y.floor()
    across, down = (x - left)[:, None], (y - top)[:, None]
    x0, y0 = left.long() % width, top.long() % height
    x1, y1 = (x0 + 1) % width, (y0 + 1) % height
    upper = texture[y0, x0] * (1 - across) + texture[y0, x1] * across
    lower = texture[y1, x0] * (1 - across) + texture[y1, x1] * across
    return upper * (1 - down) + lower * down
