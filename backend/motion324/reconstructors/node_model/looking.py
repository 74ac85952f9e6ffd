"""Draws what a node model that looks again has answered, to be shown to it.

The drawings are what motion324.training.synthesis.drawing makes in training. Letters: T frames, K nodes, N vertices, S
the model's image size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.view import View
from motion324.reconstructors.node_model.config import FARTHEST_BEHIND
from motion324.view.rasteriser import lit_colours, rasterise

FINEST_TEXTURE = 256  # pixels of a side; finer ones would flicker in drawings this small


@dataclass(frozen=True)
class MeshDrawings:
    """pictures (T, 4, S, S) float32: own colours on black, and the mask. behind (T, K) float32: how far each node lies
    behind what is drawn at its place, 0..FARTHEST_BEHIND; that much where nothing is drawn."""

    pictures: np.ndarray
    behind: np.ndarray


def drawable_mesh(mesh: ReferenceMesh) -> ReferenceMesh:
    """The mesh with textures that are no finer than a drawing shows."""
    return replace(mesh, materials=tuple(_coarse(material) for material in mesh.materials))


def draw_positions(
    mesh: ReferenceMesh,
    view: View,
    positions: np.ndarray,
    nodes: np.ndarray,
    side: int,
    mirrored: bool,
    check: Callable[[], None],
) -> MeshDrawings:
    """positions (T, N, 3), nodes (T, K, 3): normalised space. view: sees the square that is drawn. mirrored: left and
    right are swapped in the pictures. check: called for every frame, and may raise to stop."""
    pictures = np.zeros((len(positions), 4, side, side), np.float32)
    behind = np.empty(nodes.shape[:2], np.float32)
    for index, (vertices, own) in enumerate(zip(positions, nodes, strict=True)):
        check()
        raster = rasterise(vertices, mesh.faces, view, side, side)
        seen = raster.mask
        pictures[index, :3, seen] = np.clip(lit_colours(mesh, vertices, raster, view), 0, 1)
        pictures[index, 3] = seen
        behind[index] = _behind(own, raster.depth, view)
    return MeshDrawings(np.ascontiguousarray(pictures[..., ::-1]) if mirrored else pictures, behind)


def _behind(points: np.ndarray, depth: np.ndarray, view: View) -> np.ndarray:
    side = len(depth)
    pixels, own = view.project(points, side, side)
    x, y = np.clip(pixels, 0, side - 1).astype(np.int64).T
    at = depth[y, x]
    shown = ((pixels > 0) & (pixels < side)).all(axis=1) & np.isfinite(at)
    return np.where(shown, np.clip(own - np.where(shown, at, 0.0), 0.0, FARTHEST_BEHIND), FARTHEST_BEHIND)


def _coarse(material: Material) -> Material:
    if material.texture is None or max(material.texture.shape[:2]) <= FINEST_TEXTURE:
        return material
    height, width = material.texture.shape[:2]
    scale = FINEST_TEXTURE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return replace(material, texture=cv2.resize(material.texture, size, interpolation=cv2.INTER_AREA))
