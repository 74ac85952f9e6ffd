"""Runs a node model that looks again at what it predicted, without PyTorch: its file by onnxruntime, and its answers,
drawn.

The drawings are what motion324.training.synthesis.drawing makes in training. Letters: T frames, K nodes, N vertices, S
the model's image size.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.core.view import View
from motion324.reconstructors.node_model.config import FARTHEST_BEHIND, NodeModelConfig
from motion324.reconstructors.node_model.onnx_file import (
    CPU,
    NodeMotions,
    OnnxFile,
    explained_opening,
    open_session,
    providers_of,
    read_bytes,
)
from motion324.view.rasteriser import lit_colours, rasterise

SEE, FIRST, LOOK, POINTS, SIZES = "see.onnx", "first_answer.onnx", "look.onnx", "points.onnx", "sizes.json"
FINEST_TEXTURE = 256  # pixels of a side; finer ones would flicker in drawings this small


@dataclass(frozen=True)
class Seen:
    """What frames, or drawings, look like: match and fine maps (1, T, c, h, w), and patches (T, M, d)."""

    match_maps: np.ndarray
    fine_maps: np.ndarray
    patches: np.ndarray


@dataclass(frozen=True)
class LookedAt:
    """motions: of the nodes. tokens (1, T, K, d). doubt (T, K, 2): logarithms of the errors that are expected of the
    nodes' places across and along the view, normalised space; None of a first answer."""

    motions: NodeMotions
    tokens: np.ndarray
    doubt: np.ndarray | None = None


@dataclass(frozen=True)
class Geometry:
    """times (T,), camera (3,), translation (3,), nodes (K, 10), all float32: as NodeInputs has them, for one clip."""

    times: np.ndarray
    camera: np.ndarray
    translation: np.ndarray
    nodes: np.ndarray

    @property
    def feeds(self) -> dict[str, np.ndarray]:
        named = {"times": self.times, "camera": self.camera, "translation": self.translation, "nodes": self.nodes}
        return {name: np.ascontiguousarray(values[None], np.float32) for name, values in named.items()}


def is_looking_file(path: Path) -> bool:
    return zipfile.is_zipfile(path)


class OnnxLookingModel(OnnxFile):
    """The four graphs of a model that looks again."""

    def __init__(self, path: Path, device: str, check: Callable[[], None]) -> None:
        """device: as in AnimateOptions. Raises Motion324Error("weights-missing", "weights-broken", "bad-option")."""
        super().__init__(path)
        providers = providers_of(device)
        packed = read_bytes(path)
        with explained_opening(path, zipfile.BadZipFile, UnicodeDecodeError):
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                parts = {name: archive.read(name) for name in (SEE, FIRST, LOOK, POINTS, SIZES)}
            self.config = NodeModelConfig.from_json(parts[SIZES].decode())
            self._see, self._first, self._main = (
                self._opened(parts[name], providers, check) for name in (SEE, FIRST, LOOK)
            )
            self._points = open_session(parts[POINTS], [CPU])

    def see(self, pictures: np.ndarray, check: Callable[[], None]) -> Seen:
        """pictures (T, 4, S, S): frames as square_frames has them, or drawings."""
        return Seen(*self._run(self._see, {"frames": pictures[None]}, check))

    def first_answer(self, seen: Seen, geometry: Geometry, check: Callable[[], None]) -> LookedAt:
        state, codes, tokens = self._run(self._first, {**_maps(seen), **geometry.feeds}, check)
        return LookedAt(NodeMotions(state, codes), tokens)

    def look_again(
        self,
        seen: Seen,
        drawn: Seen,
        behind: np.ndarray,
        geometry: Geometry,
        first: LookedAt,
        before: LookedAt,
        check: Callable[[], None],
    ) -> LookedAt:
        """before: what was drawn. behind (T, K): see MeshDrawings."""
        feeds = {
            **_maps(seen),
            **_maps(drawn, "drawn_"),
            **geometry.feeds,
            "behind": behind[None],
            "state": before.motions.state,
            "first_tokens": first.tokens,
            "tokens": before.tokens,
        }
        state, codes, tokens, doubt = self._run(self._main, feeds, check)
        return LookedAt(NodeMotions(state, codes), tokens, doubt[0])


def _maps(seen: Seen, prefix: str = "") -> dict[str, np.ndarray]:
    return {
        f"{prefix}match_maps": seen.match_maps,
        f"{prefix}fine_maps": seen.fine_maps,
        f"{prefix}patches": seen.patches,
    }


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
