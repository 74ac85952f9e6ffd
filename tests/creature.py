"""A small textured creature with limbs, made by a few lines, and films of it: inputs with known truth."""

from __future__ import annotations

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View, look_at_origin
from motion324.view.rasteriser import render


def creature() -> ReferenceMesh:
    """A long body with a bump for a head and one arm; Y up, longest side 1; spotted, so that flow sees it move."""
    body = tube(np.array([-0.5, 0.0, 0.0]), np.array([0.5, 0.0, 0.0]), 0.13, rings=28)
    arm = tube(np.array([0.15, 0.1, 0.0]), np.array([0.15, 0.45, 0.0]), 0.05, rings=14)
    head = tube(np.array([-0.4, 0.05, 0.0]), np.array([-0.4, 0.3, 0.1]), 0.09, rings=10)
    parts = [body, arm, head]
    starts = np.cumsum([0, *[len(p) for p, _ in parts]])[:-1]
    positions = np.concatenate([p for p, _ in parts]).astype(np.float32)
    faces = np.concatenate([f + start for (_, f), start in zip(parts, starts, strict=True)]).astype(np.int32)
    return ReferenceMesh(positions, faces, np.zeros(len(faces), np.int32), vertex_colour=spots(positions))


def spots(positions: np.ndarray) -> np.ndarray:
    """(N, 3) colours that vary over a few hundredths of the size in all directions."""
    waves = np.sin(positions @ np.array([[41.0, 13.0, 29.0], [17.0, 37.0, 11.0], [23.0, 19.0, 43.0]]))
    return (0.5 + 0.35 * waves).astype(np.float32)


def tube(start: np.ndarray, end: np.ndarray, radius: float, rings: int, sides: int = 16):
    """A closed tube -> positions (M, 3), faces (F, 3)."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.cross(along, [0.0, 0.0, 1.0])
    across /= np.linalg.norm(across)
    up = np.cross(along, across)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.cos(angle)[:, None] * across + np.sin(angle)[:, None] * up
    t = np.linspace(0, 1, rings)[:, None, None]
    points = (start + t * (end - start) + radius * np.sin(np.pi * (0.1 + 0.8 * t)) * circle).reshape(-1, 3)
    quads = []
    for ring in range(rings - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            quads += [(a, b, b + sides), (a, b + sides, a + sides)]
    caps = [(start, 0, False), (end, (rings - 1) * sides, True)]
    for k, (middle, first, turned) in enumerate(caps):
        points = np.concatenate([points, middle[None]])
        centre = rings * sides + k
        for side in range(sides):
            a, b = first + side, first + (side + 1) % sides
            quads.append((centre, a, b) if turned else (centre, b, a))
    return points, np.array(quads)


def waving(mesh: ReferenceMesh, frames: int = 8, reach: float = 0.7) -> np.ndarray:
    """(T, N, 3): the arm turns about its root and the body's tail end bends, in the plane that a front view sees."""
    out = np.repeat(mesh.positions[None].astype(np.float64), frames, axis=0)
    arm = np.clip((mesh.positions[:, 1] - 0.12) / 0.06, 0, 1) * (mesh.positions[:, 0] > 0)
    tail = np.clip((mesh.positions[:, 0] - 0.25) / 0.25, 0, 1) * (mesh.positions[:, 1] < 0.13)
    for t in range(frames):
        phase = np.sin(2 * np.pi * t / (2 * frames))
        for weight, pivot, angle in ((arm, (0.15, 0.1), -reach * phase), (tail, (0.25, 0.0), 0.5 * reach * phase)):
            c, s = np.cos(angle * weight), np.sin(angle * weight)
            x, y = out[t, :, 0] - pivot[0], out[t, :, 1] - pivot[1]
            out[t, :, 0], out[t, :, 1] = pivot[0] + c * x - s * y, pivot[1] + s * x + c * y
    return out.astype(np.float32)


def film(mesh: ReferenceMesh, trajectory: np.ndarray, view: View | None = None, size: int = 192):
    """frames (T, size, size, 3) uint8 on white and masks (T, size, size) float32."""
    view = view or look_at_origin(0.0, 5.0, 2.0, 1.3)
    drawn = [render(positions, mesh, view, size, size) for positions in trajectory]
    return np.stack([image for image, _ in drawn]), np.stack([seen for _, seen in drawn]).astype(np.float32)
