"""Makes of a scene what the node model wants: exactly what motion324.training.node_model.batches gives it in training.

Letters: T frames, K nodes, P points, S the model's image size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.view import View
from motion324.mesh.surface import vertex_attributes
from motion324.reconstructors.interface import Scene
from motion324.reconstructors.node_model.config import HIDDEN_BEHIND, TRACK_VALUES, NodeModelConfig
from motion324.reconstructors.scene_frames import square_of
from motion324.view.rasteriser import depths_seen

MARGIN = 1.15  # side of the frames over the object's; in training nearly always from 1.05 to 1.3
NODE_CANDIDATES = 1024  # surface samples of which nodes are chosen; as many as in training
RASTER_SCALE = 2  # pixels per pixel and axis where visibility is judged


@dataclass(frozen=True)
class Square:
    """What is cut out of every frame, in pixels; it may reach beyond the image."""

    top: int
    left: int
    side: int


@dataclass(frozen=True)
class SceneInputs:
    """What the model is given of a scene besides its frames, all float32; see NodeInputs and geometry.py.

    camera (3,), translation (3,), nodes (K, 10), points (N, 9): the mesh's vertices in their order.
    samples (K,): of the scene's surface, the nodes.
    rotation (3, 3) float64: from normalised space to the inputs' coordinates.
    """

    camera: np.ndarray
    translation: np.ndarray
    nodes: np.ndarray
    points: np.ndarray
    samples: np.ndarray
    rotation: np.ndarray

    def to_normalised(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., 3) in the inputs' coordinates -> normalised space, float32."""
        return (positions.astype(np.float64) @ self.rotation).astype(np.float32)


@dataclass(frozen=True)
class Look:
    """One of several ways to show the same scene to the model, whose answers are averaged.

    mirrored: left and right swapped. turn: 0, 1, 2, ...: another choice of nodes.
    """

    mirrored: bool = False
    turn: int = 0


def square_around(masks: Masks, margin: float = MARGIN) -> Square:
    """masks (T, H, W) -> a square around the object's box over all frames.

    Raises Motion324Error("no-foreground") where the masks are empty.
    """
    top, left, tight = square_of(masks)
    side = max(round(tight * margin), 2)
    return Square(top - (side - tight) // 2, left - (side - tight) // 2, side)


def square_view(view: View, square: Square, height: int, width: int) -> View:
    """The camera of what is cut out, of a view that sees images of this height and width."""
    centre = (
        (view.centre[0] * width - square.left) / square.side,
        (view.centre[1] * height - square.top) / square.side,
    )
    return View(view.rotation, view.translation, view.focal * height / square.side, centre)


def square_frames(
    frames: np.ndarray, masks: np.ndarray, square: Square, size: int, mirrored: bool = False
) -> np.ndarray:
    """frames (T, H, W, 3) uint8, masks (T, H, W) -> (T, 4, size, size) float32: the cut-outs on black, and masks."""
    out = np.empty((len(frames), 4, size, size), np.float32)

    def cut(index: int) -> None:
        small = _cut(frames[index], square, size).astype(np.float32) / 255.0
        soft = np.clip(_cut(np.asarray(masks[index], np.float32), square, size), 0.0, 1.0)
        out[index, :3] = (small * soft[..., None]).transpose(2, 0, 1)
        out[index, 3] = soft

    side_by_side(len(frames), cut, lambda done: None)
    return np.ascontiguousarray(out[..., ::-1]) if mirrored else out


class LooksInputs:
    """Geometry, colours and camera of a scene whose frames are cut along `square`, for any look at it: what looks share
    is computed once, and so is each look."""

    def __init__(self, scene: Scene, square: Square, config: NodeModelConfig) -> None:
        self._scene, self._config = scene, config
        self._view = square_view(scene.view, square, *scene.frames.shape[1:3])
        self._depth = _depth(scene, scene.mesh.positions, self._view, config)
        self._attributes = vertex_attributes(scene.mesh, scene.surface)
        self._found: dict[Look, SceneInputs] = {}

    def of(self, look: Look) -> SceneInputs:
        if look not in self._found:
            self._found[look] = self._inputs(look)
        return self._found[look]

    def _inputs(self, look: Look) -> SceneInputs:
        view, surface = self._view, self._scene.surface
        axes = np.array([-1.0, 1.0, 1.0]) if look.mirrored else np.ones(3)
        rotation = axes[:, None] * np.asarray(view.rotation, np.float64)
        centre = (1 - view.centre[0] if look.mirrored else view.centre[0], view.centre[1])
        candidates = np.linspace(0, len(surface.points) - 1, min(NODE_CANDIDATES, len(surface.points))).astype(int)
        candidates = np.roll(candidates, -look.turn * len(candidates) // 4)  # the first is the first node
        chosen = candidates[farthest_points(surface.points[candidates], self._config.nodes)]
        seen = _seen(surface.points[chosen], self._depth, view)
        normals, colours = self._attributes
        return SceneInputs(
            camera=np.array([view.focal, *centre], np.float32),
            translation=(axes * np.asarray(view.translation)).astype(np.float32),
            nodes=np.concatenate(
                [
                    _turned(surface.points[chosen], surface.normals[chosen], rotation),
                    surface.colours[chosen],
                    seen[:, None],
                ],
                axis=1,
            ).astype(np.float32),
            points=np.concatenate([_turned(self._scene.mesh.positions, normals, rotation), colours], axis=1).astype(
                np.float32
            ),
            samples=chosen,
            rotation=rotation,
        )


def node_tracks(
    scene: Scene,
    square: Square,
    looks: Sequence[SceneInputs],
    positions: np.ndarray,
    config: NodeModelConfig,
    check: Callable[[], None],
) -> list[np.ndarray]:
    """positions (T, N, 3): where the vertices are believed to be, normalised space -> of each look (T, K, 5):
    NodeInputs.tracks. check: called ten times a second, and may raise to stop."""
    view = square_view(scene.view, square, *scene.frames.shape[1:3])
    surface = scene.surface
    tracks = [np.zeros((len(positions), len(inputs.samples), TRACK_VALUES), np.float32) for inputs in looks]

    def track(t: int) -> None:
        vertices = positions[t]
        depth = _depth(scene, vertices, view, config)
        for inputs, told in zip(looks, tracks, strict=True):
            corners = scene.mesh.faces[surface.faces[inputs.samples]]
            weights = surface.barycentric[inputs.samples]
            moved = np.einsum("kc,kca->ka", weights, vertices[corners].astype(np.float64))
            home = inputs.nodes[:, :3] + inputs.translation
            now = moved @ inputs.rotation.T + inputs.translation
            if t > 0:
                told[t, :, :2] = home[:, 2:] * (now[:, :2] / np.maximum(now[:, 2:], 1e-2) - home[:, :2] / home[:, 2:])
            told[t, :, 3] = _seen(moved, depth, view)
            told[t, :, 4] = 1.0

    side_by_side(len(positions), track, lambda done: check())
    return tracks


def farthest_points(points: np.ndarray, count: int) -> np.ndarray:
    """points (P, 3) -> (count,): indices, each the farthest from those before it; the first is point 0."""
    chosen = np.zeros(count, np.int64)
    nearest = np.full(len(points), np.inf)
    for number in range(1, count):
        nearest = np.minimum(nearest, ((points - points[chosen[number - 1]]) ** 2).sum(axis=1))
        chosen[number] = nearest.argmax()
    return chosen


def _turned(points: np.ndarray, normals: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    return np.concatenate([points @ rotation.T, normals @ rotation.T], axis=1)


def _depth(scene: Scene, vertices: np.ndarray, view: View, config: NodeModelConfig) -> np.ndarray:
    """(S', S'): of the mesh with these vertices (N, 3); infinite where it does not show."""
    side = RASTER_SCALE * config.image_size
    return depths_seen(vertices, scene.mesh.faces, view, side, side)


def _seen(points: np.ndarray, depth: np.ndarray, view: View) -> np.ndarray:
    """points (K, 3) -> (K,) bool: which of them show in a picture of these depths."""
    side = len(depth)
    pixels, own = view.project(points, side, side)
    inside = ((pixels > 0) & (pixels < side)).all(axis=1)
    x, y = np.clip(pixels, 0, side - 1).astype(np.int64).T
    return np.asarray(inside & np.isfinite(depth[y, x]) & (own < depth[y, x] + HIDDEN_BEHIND))


def _cut(image: np.ndarray, square: Square, size: int) -> np.ndarray:
    """image (H, W) or (H, W, 3) -> the square of it at size x size, 0 beyond its borders."""
    height, width = image.shape[:2]
    whole = np.zeros((square.side, square.side, *image.shape[2:]), image.dtype)
    rows = slice(max(square.top, 0), min(square.top + square.side, height))
    columns = slice(max(square.left, 0), min(square.left + square.side, width))
    whole[
        rows.start - square.top : rows.stop - square.top, columns.start - square.left : columns.stop - square.left
    ] = image[rows, columns]
    shrink = cv2.INTER_AREA if square.side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(whole, (size, size), interpolation=shrink))
