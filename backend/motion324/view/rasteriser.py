"""Draws meshes by a small z-buffer: which triangle, and where on it, does every pixel of a view show?

It is written here and compiled by numba: renderers that are installed by pip want a GPU or a display, and finding the
view takes many small pictures on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.mesh.colours import colours_at

NEAR = 1e-3  # points closer to the camera than this (normalised space) are not drawn
AMBIENT = 0.45  # light on a surface that is seen from the side; from the front it is 1


@dataclass(frozen=True)
class Raster:
    """face (H, W) int32: index of the triangle seen, -1 where there is none.
    barycentric (H, W, 3) float32: perspective-correct position on it. depth (H, W) float32: inf where nothing is seen.
    """

    face: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, True where the mesh is seen."""
        return self.face >= 0


def rasterise(positions: np.ndarray, faces: np.ndarray, view: View, height: int, width: int) -> Raster:
    """positions (N, 3) in normalised space, faces (F, 3). Both sides of a triangle are drawn; the nearest one wins."""
    pixels, depth = view.project(np.asarray(positions, np.float64), height, width)
    return rasterise_projected(pixels, depth, faces, height, width)


def rasterise_projected(pixels: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int) -> Raster:
    """The same from pixels (N, 2) and depth (N,), as View.project gives them."""
    face, inverse_depth = _nearest_faces(pixels, depth, faces, height, width)
    return Raster(face, *_barycentric_and_depth(pixels, depth, faces, face, inverse_depth))


def faces_seen(pixels: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """Raster.face alone, in about half the time."""
    face: np.ndarray = _nearest_faces(pixels, depth, faces, height, width)[0]
    return face


def depths_seen(positions: np.ndarray, faces: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
    """Raster.depth alone, of what `rasterise` is given, in about half the time."""
    pixels, depth = view.project(np.asarray(positions, np.float64), height, width)
    nearness: np.ndarray = _nearest_faces(pixels, depth, faces, height, width)[1]
    return np.divide(1.0, nearness, out=np.full_like(nearness, np.inf), where=nearness > 0).astype(np.float32)


def render(
    positions: np.ndarray,
    mesh: ReferenceMesh,
    view: View,
    height: int,
    width: int,
    background: tuple[int, int, int] = (255, 255, 255),
) -> tuple[np.ndarray, np.ndarray]:
    """The mesh's own colours with a light at the camera -> (H, W, 3) uint8 and (H, W) bool.

    positions (N, 3) in normalised space replace the mesh's own, so that any frame of an animation can be drawn.
    """
    raster = rasterise(positions, mesh.faces, view, height, width)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = background
    seen = raster.mask
    image[seen] = np.clip(lit_colours(mesh, positions, raster, view) * 255 + 0.5, 0, 255).astype(np.uint8)
    return image, seen


def lit_colours(mesh: ReferenceMesh, positions: np.ndarray, raster: Raster, view: View) -> np.ndarray:
    """The colours of all pixels that show the mesh, lit from the camera: (S, 3) in 0..1, sRGB."""
    faces = raster.face[raster.mask]
    facing = np.abs(face_normals(positions, mesh.faces[faces]) @ view.rotation[2])
    light = AMBIENT + (1 - AMBIENT) * facing[:, None]
    return np.asarray(colours_at(mesh, faces, raster.barycentric[raster.mask]) * light)


def face_normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """positions (N, 3), faces (F, 3) -> unit normals (F, 3); zero where a triangle has no area."""
    a, b, c = (positions[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


@njit(cache=True, nogil=True)
def _nearest_faces(pixels, depth, faces, height, width):
    face = np.full((height, width), -1, np.int32)
    nearest = np.zeros((height, width), np.float64)  # largest 1 / depth so far
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        zi, zj, zk = depth[i], depth[j], depth[k]
        if zi < NEAR or zj < NEAR or zk < NEAR:
            continue
        xi, yi, xj, yj, xk, yk = (
            pixels[i, 0],
            pixels[i, 1],
            pixels[j, 0],
            pixels[j, 1],
            pixels[k, 0],
            pixels[k, 1],
        )
        area = (xj - xi) * (yk - yi) - (xk - xi) * (yj - yi)
        if abs(area) < 1e-12:
            continue
        share, wi, wj, wk = 1.0 / area, 1.0 / zi, 1.0 / zj, 1.0 / zk
        x0 = max(int(np.ceil(min(xi, xj, xk) - 0.5)), 0)
        x1 = min(int(np.floor(max(xi, xj, xk) - 0.5)), width - 1)
        y0 = max(int(np.ceil(min(yi, yj, yk) - 0.5)), 0)
        y1 = min(int(np.floor(max(yi, yj, yk) - 0.5)), height - 1)
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                a = ((xj - px) * (yk - py) - (xk - px) * (yj - py)) * share
                b = ((xk - px) * (yi - py) - (xi - px) * (yk - py)) * share
                c = 1.0 - a - b
                if a < 0.0 or b < 0.0 or c < 0.0:
                    continue
                inverse = a * wi + b * wj + c * wk
                if inverse > nearest[y, x]:
                    nearest[y, x] = inverse
                    face[y, x] = f
    return face, nearest


@njit(cache=True, nogil=True)
def _barycentric_and_depth(pixels, depth, faces, face, inverse_depth):
    height, width = face.shape
    out = np.zeros((height, width, 3), np.float32)
    seen_depth = np.full((height, width), np.inf, np.float32)
    for y in range(height):
        for x in range(width):
            f = face[y, x]
            if f < 0:
                continue
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            px, py = x + 0.5, y + 0.5
            area = (pixels[j, 0] - pixels[i, 0]) * (pixels[k, 1] - pixels[i, 1]) - (pixels[k, 0] - pixels[i, 0]) * (
                pixels[j, 1] - pixels[i, 1]
            )
            a = ((pixels[j, 0] - px) * (pixels[k, 1] - py) - (pixels[k, 0] - px) * (pixels[j, 1] - py)) / area
            b = ((pixels[k, 0] - px) * (pixels[i, 1] - py) - (pixels[i, 0] - px) * (pixels[k, 1] - py)) / area
            a, b, c = a / depth[i], b / depth[j], (1.0 - a - b) / depth[k]
            total = a + b + c
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = a / total, b / total, c / total
            seen_depth[y, x] = 1.0 / inverse_depth[y, x]
    return out, seen_depth
