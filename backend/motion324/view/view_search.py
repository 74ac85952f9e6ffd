"""Finds the camera that sees the reference mesh as the first frame shows it.

First a coarse look from all around, scored by how silhouettes and colours overlap; then, from the best few, flow from
the rendered mesh to the frame gives matches between surface and image, and a robust fit of pose and focal length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial import ConvexHull, QhullError

from motion324.core.options.animate_options import parse_view_angles
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View, look_at_origin
from motion324.mesh.colours import colours_at
from motion324.video.optical_flow import DenseFlow
from motion324.view.pose_fit import fit_pose
from motion324.view.rasteriser import Raster, face_normals, rasterise

AZIMUTHS = 24
ELEVATIONS = (0.0, 12.0, 30.0)
# Looked at only where the usual elevations explain the frame badly: from above, from below, and lying meshes.
RARE_ELEVATIONS = (-70.0, -40.0, -18.0, 50.0, 75.0)
RARE_ROLLS = (90.0, 180.0, 270.0)
GOOD_OVERLAP = 0.75
FOCAL = 50.0 / 36.0  # Blender's own default lens, in units of the image; refined afterwards
COARSE_SIZE, FINE_SIZE = 80, 256  # pixels of the object's box
COLOUR_WEIGHT = 0.2  # of differing colours against differing silhouettes; with 0.35 dull things showed their back
FRAMING_POINTS = 4000  # of the mesh, whose box is what counts, are looked at to frame it
ENLARGED = 2.0  # a crop that is enlarged by so much is as soft as a picture can be
REFINED = 5  # candidates that are refined
ROUNDS = 5  # of rendering, flow and pose


@dataclass(frozen=True)
class ViewMatch:
    """view: the camera. overlap: intersection over union of the mesh's silhouette and the mask, 0..1."""

    view: View
    overlap: float


def find_view(mesh: ReferenceMesh, frame: np.ndarray, mask: np.ndarray, mode: str, progress: Progress) -> ViewMatch:
    """mesh in normalised space, frame (H, W, 3) uint8 sRGB, mask (H, W) in [0, 1].

    mode: "auto" looks from everywhere; "front" and "AZIMUTH,ELEVATION" (degrees) start from there and only refine.
    Raises Motion324Error("bad-option") where mode is none of these.
    """
    target = Target.of(frame, mask, COARSE_SIZE)
    if mode == "auto":
        starts = _look_around(mesh, target, progress)
    else:
        azimuth, elevation = (0.0, 0.0) if mode == "front" else parse_view_angles(mode)
        starts = [framed(mesh, turned_view(azimuth, elevation, 0.0), target)]
    fine = Target.of(frame, mask, FINE_SIZE)
    found: list[list[tuple[float, View]]] = [[]] * len(starts)

    def refine(k: int) -> None:
        found[k] = [(score, view) for score, _, view in refinements(mesh, starts[k], fine)]

    side_by_side(len(starts), refine, lambda done: progress("view", done, len(starts)))
    best = max((scored for refined in found for scored in refined), key=lambda scored: scored[0])
    return ViewMatch(best[1], overlap_of(mesh, best[1], mask))


def overlap_of(mesh: ReferenceMesh, view: View, mask: np.ndarray, within: int = 0) -> float:
    """Intersection over union of the mesh's silhouette in `view` and mask (H, W); within: pixels by which either may
    lie beside the other without counting, as masks are hardly more exact than one."""
    seen = rasterise(mesh.positions, mesh.faces, view, *mask.shape).mask
    wanted = mask > 0.5
    beside = (seen & ~_grown(wanted, within)) | (wanted & ~_grown(seen, within))
    either = max(int((seen | wanted).sum()), 1)
    return float(1.0 - beside.sum() / either) if wanted.any() and seen.any() else 0.0


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    around = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), around) > 0 if pixels else mask


@dataclass(frozen=True)
class Target:
    """The frame cut to the object's box, h x w pixels; `of_crop` turns a view of the image into one of the crop."""

    colours: np.ndarray
    mask: np.ndarray
    box: tuple[int, int, int, int]
    whole: tuple[int, int]

    @staticmethod
    def of(frame: np.ndarray, mask: np.ndarray, size: int) -> Target:
        inside = mask > 0.5
        ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if len(ys) == 0:
            ys, xs = np.arange(mask.shape[0]), np.arange(mask.shape[1])
        margin = 0.12 * max(ys[-1] - ys[0] + 1, xs[-1] - xs[0] + 1) + 2
        y0, y1 = int(ys[0] - margin), int(ys[-1] + 1 + margin)
        x0, x1 = int(xs[0] - margin), int(xs[-1] + 1 + margin)
        scale = size / max(y1 - y0, x1 - x0)
        shape = (max(round((x1 - x0) * scale), 8), max(round((y1 - y0) * scale), 8))
        # The box may reach beyond the image: the object may touch its border.
        pad = ((max(-y0, 0), max(y1 - mask.shape[0], 0)), (max(-x0, 0), max(x1 - mask.shape[1], 0)))
        top, left = pad[0][0], pad[1][0]
        colours = np.pad(frame, (*pad, (0, 0)), mode="edge")[y0 + top : y1 + top, x0 + left : x1 + left]
        soft = np.pad(mask.astype(np.float32), pad)[y0 + top : y1 + top, x0 + left : x1 + left]
        way = cv2.INTER_AREA if scale < ENLARGED else cv2.INTER_CUBIC  # that, enlarging, leaves steps
        return Target(
            cv2.resize(colours, shape, interpolation=way),
            cv2.resize(soft, shape, interpolation=way) > 0.5,
            (y0, y1, x0, x1),
            mask.shape,
        )

    def of_crop(self, view: View) -> View:
        return view.of_part(self.box, self.whole)


def _look_around(mesh: ReferenceMesh, target: Target, progress: Progress) -> list[View]:
    """The most promising views, best first."""
    rings = [(e, 0.0) for e in ELEVATIONS]
    rare = [(e, 0.0) for e in RARE_ELEVATIONS] + [(e, r) for e in (0.0, 30.0) for r in RARE_ROLLS]
    outermost = framing_points(mesh)
    scored: list[tuple[float, float, View]] = []
    for elevations in (rings, rare):
        turns = [
            (360.0 * (azimuth + 0.5 * (k % 2)) / AZIMUTHS, elevation, roll)
            for k, (elevation, roll) in enumerate(elevations)
            for azimuth in range(AZIMUTHS)
        ]
        scored += _scored(mesh, target, turns, outermost, progress)
        if max(overlap for _, overlap, _ in scored) >= GOOD_OVERLAP:
            break
    scored.sort(key=lambda row: -row[0])
    return [view for _, _, view in scored[:REFINED]]


def _scored(
    mesh: ReferenceMesh,
    target: Target,
    turns: list[tuple[float, float, float]],
    outermost: np.ndarray,
    progress: Progress,
) -> list[tuple[float, float, View]]:
    """turns: of turned_view -> of each its score, the silhouettes' overlap, and the view."""
    found: list[tuple[float, float, View] | None] = [None] * len(turns)

    def look(number: int) -> None:
        view = framed(mesh, turned_view(*turns[number]), target, outermost)
        found[number] = (*overlap_and_colour(mesh, view, target), view)

    side_by_side(len(turns), look, lambda done: progress("view", 0, REFINED))
    return [row for row in found if row is not None]


def turned_view(azimuth: float, elevation: float, roll: float) -> View:
    view = look_at_origin(azimuth, elevation, 2.0, FOCAL)
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return replace(view, rotation=turn @ view.rotation, translation=turn @ view.translation)


def framing_points(mesh: ReferenceMesh) -> np.ndarray:
    """Points (P, 3) of the mesh that are outermost in any picture of it: corners of its convex hull."""
    points = mesh.positions[:: max(1, len(mesh.positions) // FRAMING_POINTS)]
    try:
        return points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # of what is flat or has hardly any points
        return points


def framed(mesh: ReferenceMesh, view: View, target: Target, outermost: np.ndarray | None = None) -> View:
    """Moves the camera until the mesh's box fills the mask's box. outermost: the mesh's framing_points, of whoever
    frames it often."""
    crop_height, crop_width = target.mask.shape
    ys, xs = np.flatnonzero(target.mask.any(axis=1)), np.flatnonzero(target.mask.any(axis=0))
    if len(ys) == 0:
        return view
    wanted_size = math.sqrt((ys[-1] - ys[0] + 1) * (xs[-1] - xs[0] + 1))
    wanted = np.array([(xs[0] + xs[-1] + 1) / 2, (ys[0] + ys[-1] + 1) / 2])
    positions = framing_points(mesh) if outermost is None else outermost
    for _ in range(3):
        pixels, _ = target.of_crop(view).project(positions, crop_height, crop_width)
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        size = math.sqrt(max(float(np.prod(high - low)), 1e-9))
        depth = view.translation[2] * size / wanted_size
        # What the box's middle is off, at the new distance, in normalised units.
        per_pixel = depth / (target.of_crop(view).focal * crop_height)
        now = target.of_crop(replace(view, translation=np.array([*view.translation[:2], depth])))
        pixels, _ = now.project(positions, crop_height, crop_width)
        shift = (wanted - (pixels.min(axis=0) + pixels.max(axis=0)) / 2) * per_pixel
        view = replace(view, translation=np.array([*(view.translation[:2] + shift), depth]))
    return view


def overlap_and_colour(mesh: ReferenceMesh, view: View, target: Target) -> tuple[float, float]:
    """A score (higher is better) and the silhouettes' overlap."""
    return _alike(*_drawn(mesh, target.of_crop(view), target), target)


def _alike(image: np.ndarray, raster: Raster, target: Target) -> tuple[float, float]:
    """As overlap_and_colour, of what was drawn."""
    seen = raster.mask
    both = seen & target.mask
    overlap = float(both.sum() / max(int((seen | target.mask).sum()), 1))
    if both.sum() < 20:
        return overlap - 1.0, overlap
    difference = image[both].astype(np.float32) - target.colours[both]
    difference -= difference.mean(axis=0)  # exposure does not count, pattern does
    spread = target.colours[both].astype(np.float32).std(axis=0).mean() + 12.0
    return overlap - COLOUR_WEIGHT * min(float(np.abs(difference).mean()) / spread, 1.5), overlap


def misplaced(mesh: ReferenceMesh, view: View, target: Target) -> tuple[float, float]:
    """How far flow from the drawn mesh to the frame carries its surface, mean in pixels of the target, and how sure
    that flow is, 0..1: where both show the same pose from the same side, hardly, and sure."""
    drawn, raster = _drawn(mesh, target.of_crop(view), target)
    both = raster.mask & target.mask
    if not both.any():
        return math.inf, 0.0
    flow, returned = DenseFlow().checked(_grey(drawn, raster.mask), _grey(target.colours, target.mask))
    sure = 1.0 / (1.0 + returned[both] ** 2)
    length = np.linalg.norm(flow[both], axis=1)
    return float((sure * length).sum() / sure.sum()), float(sure.mean())


def _drawn(mesh: ReferenceMesh, view: View, target: Target) -> tuple[np.ndarray, Raster]:
    """The mesh as seen in the crop, (h, w, 3) uint8, brought to the frame's tones."""
    height, width = target.mask.shape
    raster = rasterise(mesh.positions, mesh.faces, view, height, width)
    seen = raster.mask
    colours = colours_at(mesh, raster.face[seen], raster.barycentric[seen]) * 255.0
    facing = np.abs(face_normals(mesh.positions, mesh.faces[raster.face[seen]]) @ view.rotation[2])
    colours = colours * (0.7 + 0.3 * facing[:, None])
    image = np.zeros((height, width, 3), np.float32)
    image[seen] = colours
    both = seen & target.mask
    if both.sum() > 20:
        image[seen] += target.colours[both].astype(np.float32).mean(axis=0) - image[both].mean(axis=0)
    return np.clip(image, 0, 255).astype(np.uint8), raster


def refinements(mesh: ReferenceMesh, view: View, target: Target) -> Iterator[tuple[float, float, View]]:
    """A score and the silhouettes' overlap, as overlap_and_colour has them, and the view: at the start and after every
    round."""
    height, width = target.mask.shape
    optical_flow = DenseFlow()
    rng = np.random.default_rng(0)
    wanted = _grey(target.colours, target.mask)
    for round_ in range(ROUNDS + 1):
        image, raster = _drawn(mesh, target.of_crop(view), target)
        yield (*_alike(image, raster, target), view)
        seen = raster.mask
        ys, xs = np.nonzero(seen)
        if len(ys) < 50 or round_ == ROUNDS:
            return
        flow, returned = optical_flow.checked(_grey(image, seen), wanted)
        keep = rng.permutation(len(ys))[:1500]
        ys, xs = ys[keep], xs[keep]
        goal = np.stack([xs + 0.5, ys + 0.5], axis=1) + flow[ys, xs]
        gx = np.clip(goal[:, 0].astype(int), 0, width - 1)
        gy = np.clip(goal[:, 1].astype(int), 0, height - 1)
        sure = target.mask[gy, gx] / (1.0 + returned[ys, xs] ** 2)
        points = np.einsum(
            "pk,pka->pa", raster.barycentric[ys, xs], mesh.positions[mesh.faces[raster.face[ys, xs]]]
        ).astype(np.float64)
        view = fit_pose(view, points, _whole_pixels(goal, target), sure, target.whole, free_focal=round_ >= 2)


def _whole_pixels(pixels: np.ndarray, target: Target) -> np.ndarray:
    y0, y1, x0, x1 = target.box
    height, width = target.mask.shape
    return pixels * np.array([(x1 - x0) / width, (y1 - y0) / height]) + np.array([x0, y0])


def _grey(colours: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(h, w) uint8, stretched to the object's range, black outside."""
    grey = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if mask.any():
        grey = (grey - grey[mask].mean()) * min(3.0, 36.0 / (grey[mask].std() + 1e-3)) + 144.0
    grey = np.clip(grey, 56, 232)
    grey[~mask] = 0
    return grey.astype(np.uint8)
