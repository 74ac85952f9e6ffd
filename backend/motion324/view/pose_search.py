"""Finds the frame of a video in which a mesh has its own pose, and views of it where no frame shows that pose.

The silhouettes of the mesh from all around are compared with the masks of all frames at once; what looks best is
compared in colour, too, and then refined as the search for the first frame's view does it. From the best frame it goes
on to its neighbours as long as they show the mesh better: a frame beside the right one is what the search meets first,
and costs the result its view and its pose. The camera stands still, so that the view of one frame is that of all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks
from motion324.core.options.animate_options import parse_view_angles
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.view.other_views import apart, covering, from_behind
from motion324.view.rasteriser import rasterise
from motion324.view.view_search import (
    AZIMUTHS,
    COARSE_SIZE,
    ELEVATIONS,
    FINE_SIZE,
    GOOD_OVERLAP,
    RARE_ELEVATIONS,
    RARE_ROLLS,
    REFINED,
    Target,
    framed,
    misplaced,
    overlap_and_colour,
    overlap_of,
    refinements,
    turned_view,
)

CANVAS, DRAWN_SIZE = 96, 36  # pixels of the pictures that are compared; of the silhouettes in them, sides' mean
LOOKED_AT = 32  # pairs of a view and a frame that are compared in colour
FRAMES_APART = 3  # frames next to one another look alike: of these only the best is refined
AROUND, USUAL_ELEVATION = 12, 10.0  # views from all around, and degrees above the horizon
NEIGHBOURS = (-2, -1, 0, 1, 2)  # frames from the best one that are refined from its view; itself once more
MOST_MOVES = 4  # from a frame to a better one near it
ELSEWHERE = 0.03  # by how much a silhouette has to be more like another frame's mask than like the first one's
SAME_PLACE, SAME_LOOK = 0.5, 0.8  # pixels of FINE_SIZE, and how sure: frame and drawing agree point by point
NEAR_PLACE, NEAR_LOOK = 1.2, 0.6  # the same: roughly
COVERED = 0.95  # of both silhouettes together, where a pixel beside does not count


@dataclass(frozen=True)
class PoseMatch:
    """The mesh in its own pose. frame: index of the frame that shows it so. view: the camera. overlap: intersection
    over union of the mesh's silhouette and that frame's mask. score: of overlap and colours, as the search for a view
    has it. agrees: whether flow finds the mesh's surface where the view sees it, whatever the mask says; lies_there:
    whether it does roughly, or the silhouettes differ by a pixel only, which is much of a small object."""

    frame: int
    view: View
    overlap: float
    score: float
    agrees: bool
    lies_there: bool


@dataclass(frozen=True)
class PoseSearch:
    """best: where the mesh has its own pose most likely. views: from where it may be seen, if it is nowhere so, best
    first, each such that the mesh covers the first frame's object as well as another pose can. around: the same from
    all around, for whoever can try many."""

    best: PoseMatch
    views: tuple[View, ...]
    around: tuple[View, ...]


def match_in(mesh: ReferenceMesh, frame: int, view: View, frames: np.ndarray, masks: Masks) -> PoseMatch:
    """How well that frame shows the mesh, by this view."""
    target = Target.of(frames[frame], masks[frame], FINE_SIZE)
    off, sure = misplaced(mesh, view, target)
    agrees, nearly = off < SAME_PLACE and sure > SAME_LOOK, off < NEAR_PLACE and sure > NEAR_LOOK
    lies_there = nearly or overlap_of(mesh, view, masks[frame], within=1) >= COVERED
    score, _ = overlap_and_colour(mesh, view, target)
    return PoseMatch(frame, view, overlap_of(mesh, view, masks[frame]), score, agrees, lies_there)


def shown_elsewhere(mesh: ReferenceMesh, masks: Masks, mode: str, progress: Progress) -> bool:
    """Whether another frame's mask looks clearly more like the mesh, from wherever that may be seen, than the first
    one's: a quick look (0.15 s) that only says whether searching is worth its time."""
    alike = _alike(mesh, _rings(mode)[0], _small_masks(masks, _seen_frames(masks)), progress)
    return float(alike.max()) > float(alike[:, 0].max()) + ELSEWHERE


def search_poses(
    mesh: ReferenceMesh, frames: np.ndarray, masks: Masks, mode: str, most_views: int, progress: Progress
) -> PoseSearch:
    """mesh in normalised space, frames (T, H, W, 3) uint8 sRGB, masks (T, H, W) in [0, 1]; mode: as find_view has it.

    Raises Motion324Error("bad-option").
    """
    seen = _seen_frames(masks)
    usual, rare = _rings(mode)
    wanted = _small_masks(masks, seen)
    turned, alike = usual, _alike(mesh, usual, wanted, progress)
    if rare and alike.max() < GOOD_OVERLAP:
        turned, alike = usual + rare, np.concatenate([alike, _alike(mesh, rare, wanted, progress)])
    looked = _in_colour(mesh, turned, alike, seen, frames, masks, progress)
    view, frame = np.unravel_index(int(alike.argmax()), alike.shape)
    starts = [*_starts(turned, looked), (turned[int(view)], seen[int(frame)])]
    best = _climbed(mesh, _best_of(mesh, starts, frames, masks, progress), frames, masks, progress)
    likely = [turned[number] for _, number, _ in looked]
    if mode == "auto":
        likely.insert(1, from_behind(likely[0]))  # silhouettes hardly tell front from back, least of all a T-pose's
    views = apart(likely, most_views)
    first = Target.of(frames[seen[0]], masks[seen[0]], COARSE_SIZE)
    around = [
        turned_view(360.0 * step / AROUND, USUAL_ELEVATION, 0.0) for step in range(AROUND if mode == "auto" else 0)
    ]
    return PoseSearch(best, *(tuple(covering(mesh, view, first) for view in each) for each in (views, around)))


def posed_score(mesh: ReferenceMesh, view: View, positions: np.ndarray, frames: np.ndarray, masks: Masks) -> float:
    """How well the moved mesh, positions (T, N, 3), covers the masks (T, H, W) and looks like the frames (T, H, W, 3):
    the mean over them of what the search for a view calls its score."""
    scores = []
    for moved, frame, mask in zip(positions, frames, masks, strict=True):
        if (mask > 0.5).any():
            target = Target.of(frame, mask, COARSE_SIZE)
            scores.append(overlap_and_colour(replace(mesh, positions=moved), view, target)[0])
    return float(np.mean(scores)) if scores else 0.0


def _rings(mode: str) -> list[list[View]]:
    """The usual views, and those that are looked at where no usual one will do."""
    if mode != "auto":
        azimuth, elevation = (0.0, 0.0) if mode == "front" else parse_view_angles(mode)
        return [[turned_view(azimuth, elevation, 0.0)], []]
    usual = [(elevation, 0.0) for elevation in ELEVATIONS]
    rare = [(e, 0.0) for e in RARE_ELEVATIONS] + [(e, roll) for e in (0.0, 30.0) for roll in RARE_ROLLS]
    return [
        [
            turned_view(360.0 * (step + 0.5 * (k % 2)) / AZIMUTHS, elevation, roll)
            for k, (elevation, roll) in enumerate(ring)
            for step in range(AZIMUTHS)
        ]
        for ring in (usual, rare)
    ]


def _seen_frames(masks: Masks) -> list[int]:
    """Those that show the object; the first one where none does."""
    return [index for index, mask in enumerate(masks) if (mask > 0.5).any()] or [0]


def _small_masks(masks: Masks, seen: list[int]) -> np.ndarray:
    return np.stack([_small(masks[index] > 0.5) for index in seen])


def _alike(mesh: ReferenceMesh, views: list[View], wanted: np.ndarray, progress: Progress) -> np.ndarray:
    """(V, seen frames): intersection over union of the mesh's silhouette and the small masks, all of one size."""
    drawn = []
    for view in views:
        progress("view", 0, REFINED)
        drawn.append(_small_silhouette(mesh, view))
    return _overlaps(np.stack(drawn), wanted)


def _small_silhouette(mesh: ReferenceMesh, view: View) -> np.ndarray:
    """(CANVAS, CANVAS) bool: the mesh, as `_small` shows a mask."""
    box = np.zeros((CANVAS, CANVAS), np.float32)
    low, high = (CANVAS - DRAWN_SIZE) // 2, (CANVAS + DRAWN_SIZE) // 2
    box[low:high, low:high] = 1
    target = Target(np.zeros((CANVAS, CANVAS, 3), np.uint8), box > 0, (0, CANVAS, 0, CANVAS), box.shape)
    return rasterise(mesh.positions, mesh.faces, framed(mesh, view, target), CANVAS, CANVAS).mask


def _small(mask: np.ndarray) -> np.ndarray:
    """mask (H, W) bool -> (CANVAS, CANVAS) bool: its box in the middle, the mean of whose sides is DRAWN_SIZE."""
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    scale = DRAWN_SIZE / math.sqrt(max(width * height, 1))
    middle = np.array([left + width / 2, top + height / 2])
    shift = CANVAS / 2 - scale * middle
    matrix = np.array([[scale, 0, shift[0] + 0.5 * scale - 0.5], [0, scale, shift[1] + 0.5 * scale - 0.5]])
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.4 / scale, 0.1)) if scale < 1 else mask * 1.0
    return np.asarray(cv2.warpAffine(soft.astype(np.float32), matrix, (CANVAS, CANVAS)) > 0.5)


def _overlaps(drawn: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """drawn (V, h, w), wanted (T, h, w) bool -> (V, T): intersection over union of each with each."""
    a, b = (each.reshape(len(each), -1).astype(np.float32) for each in (drawn, wanted))
    both = a @ b.T
    return np.asarray(both / np.maximum(a.sum(axis=1)[:, None] + b.sum(axis=1) - both, 1))


def _in_colour(
    mesh: ReferenceMesh,
    views: list[View],
    alike: np.ndarray,
    seen: list[int],
    frames: np.ndarray,
    masks: Masks,
    progress: Progress,
) -> list[tuple[float, int, int]]:
    """The likeliest pairs as (score, number of the view, frame), best first."""
    of_view, of_frame = alike.argmax(axis=1), alike.argmax(axis=0)
    pairs = {(v, int(t)) for v, t in enumerate(of_view)} | {(int(v), t) for t, v in enumerate(of_frame)}
    likeliest = sorted(pairs, key=lambda pair: -alike[pair])[:LOOKED_AT]
    scored = []
    for v, t in likeliest:
        progress("view", 0, REFINED)
        target = Target.of(frames[seen[t]], masks[seen[t]], COARSE_SIZE)
        score, _ = overlap_and_colour(mesh, framed(mesh, views[v], target), target)
        scored.append((score, v, seen[t]))
    return sorted(scored, key=lambda row: -row[0])


def _starts(views: list[View], looked: list[tuple[float, int, int]]) -> list[tuple[View, int]]:
    """Views and frames to refine, the likeliest first."""
    chosen: list[tuple[View, int]] = []
    for _, number, frame in looked:
        if all(abs(frame - other) >= FRAMES_APART for _, other in chosen):
            chosen.append((views[number], frame))
    return chosen[:REFINED]


def _best_of(
    mesh: ReferenceMesh, starts: list[tuple[View, int]], frames: np.ndarray, masks: Masks, progress: Progress
) -> PoseMatch:
    """starts: views, and the frames for which they are refined."""
    found: list[PoseMatch | None] = [None] * len(starts)

    def refine(k: int) -> None:
        view, frame = starts[k]
        target = Target.of(frames[frame], masks[frame], FINE_SIZE)
        refined = refinements(mesh, framed(mesh, view, target), target)
        _, _, best = max(refined, key=lambda row: row[0])
        found[k] = match_in(mesh, frame, best, frames, masks)

    side_by_side(len(starts), refine, lambda done: progress("view", min(done, REFINED), REFINED))
    return max((match for match in found if match is not None), key=lambda match: match.score)


def _climbed(mesh: ReferenceMesh, best: PoseMatch, frames: np.ndarray, masks: Masks, progress: Progress) -> PoseMatch:
    """From the best frame to the best one near it, and on from there; the first frame is asked as well, by a view that
    its own search may have missed."""
    tried: set[int] = set()
    for _ in range(MOST_MOVES):
        near = [best.frame + step for step in NEIGHBOURS] + ([] if 0 in tried else [0])
        new = sorted({t for t in near if 0 <= t < len(masks) and t not in tried and (masks[t] > 0.5).any()})
        if not new:
            break
        tried.update(new)
        better = _best_of(mesh, [(best.view, t) for t in new], frames, masks, progress)
        if better.score <= best.score:
            break
        best = better
    return best
