"""Makes views of other ones, for a mesh in another pose than the frame: from behind, clearly apart, with the camera
where the silhouette covers the mask, or where a posed mesh says that it stood."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.view.rasteriser import rasterise
from motion324.view.view_search import Target, framed

FARTHEST_APART = 60.0  # degrees; views that are nearer to one another count as one


def apart(views: Iterable[View], most: int) -> list[View]:
    """The first of them, and those that look from clearly elsewhere."""
    kept: list[View] = []
    for view in views:
        if len(kept) < most and all(_angle(view, other) > FARTHEST_APART for other in kept):
            kept.append(view)
    return kept


def from_behind(view: View) -> View:
    """As if the mesh had been turned about by half a turn."""
    return replace(view, rotation=view.rotation @ np.diag([-1.0, 1.0, -1.0]))


def _angle(a: View, b: View) -> float:
    cosine = (float(np.trace(a.rotation @ b.rotation.T)) - 1) / 2
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


def covering(mesh: ReferenceMesh, view: View, target: Target) -> View:
    """With the camera where the silhouette has the mask's area and its middle: a box says little of another pose."""
    height, width = target.mask.shape
    wanted = _area_and_middle(target.mask)
    view = framed(mesh, view, target)
    for _ in range(3):
        now = _area_and_middle(rasterise(mesh.positions, mesh.faces, target.of_crop(view), height, width).mask)
        if not now[0] or not wanted[0]:
            break
        depth = view.translation[2] * math.sqrt(now[0] / wanted[0])
        per_pixel = depth / (target.of_crop(view).focal * height)
        across = view.translation[:2] * (depth / view.translation[2]) + (wanted[1] - now[1]) * per_pixel
        view = replace(view, translation=np.array([*across, depth]))
    return view


def _area_and_middle(mask: np.ndarray) -> tuple[int, np.ndarray]:
    """Pixels, and (2,) their mean place x, y."""
    ys, xs = np.nonzero(mask)
    return len(xs), np.array([xs.mean(), ys.mean()]) if len(xs) else np.zeros(2)


def carried_view(view: View, own: np.ndarray, posed: np.ndarray) -> View:
    """The camera that sees own (N, 3) where and as large as `view` sees posed (N, 3), as far as a rigid motion and a
    scale can bring one to the other (Kabsch's rotation; the scale is the ratio of both spreads)."""
    a, b = own.astype(np.float64), posed.astype(np.float64)
    from_middle, to_middle = a.mean(axis=0), b.mean(axis=0)
    a, b = a - from_middle, b - to_middle
    u, _, v = np.linalg.svd(b.T @ a)
    rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
    scale = math.sqrt(float((b**2).sum()) / max(float((a**2).sum()), 1e-12))
    shift = to_middle - scale * rotation @ from_middle
    # A camera sees a scaled world as one that is nearer sees the world itself.
    translation = (view.rotation @ shift + view.translation) / scale
    return replace(view, rotation=view.rotation @ rotation, translation=translation)
