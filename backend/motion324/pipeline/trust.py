"""Says how far a finished result can be trusted, frame by frame and vertex by vertex.

How well it lies on the video is plain geometry, by the masks. How far vertices lie off is told by the reconstructor,
where it can; else what the masks show of them has to do. A result that pins have corrected is looked at again where it
has changed; of the other frames it is known what was found before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks
from motion324.core.motion.doubt import doubt_of
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import Progress
from motion324.core.reference_mesh import Normalisation
from motion324.core.result import AnimationResult
from motion324.core.view import View
from motion324.view.rasteriser import faces_seen

LONGER_SIDE = 256  # pixels of the pictures that are compared; limbs of a few pixels still count
SEEN_ENOUGH = 0.2  # of the frames: what is seen in so many is well known
BARELY_SEEN = 0.5  # doubt about what is seen in hardly any frame; what is never seen has 1
MARGIN = 0.008  # of the longer side, by which a vertex may lie beside the mask
BELONGS = 0.65  # mean overlap from which on mesh and video show the same thing; right pairs lie above 0.8
WORST = 3  # frames that are told
POOR_FIT = "poor-fit"
HALF_PRECISION = 1e-3  # by which doubt may be off that was kept
SAID_ALREADY = frozenset({"low-overlap", "other-pose"})  # codes of warnings that tell the same from the first frame


@dataclass(frozen=True)
class Trust:
    """overlap (T,) float32: intersection over union of the silhouettes of result and mask, per frame.

    doubt (T, N) or (1, N) float16 in [0, 1]: by the error that is expected of each vertex in each frame; or for all
    frames, 0 for a vertex that was often seen and always inside of the mask, 1 for one that was never seen, or never
    inside. None where neither is known.
    """

    overlap: np.ndarray
    doubt: np.ndarray | None

    @property
    def report(self) -> dict[str, object]:
        """Plain JSON values. worst: result frames, counted from 0, the worst first. doubt: each frame's mean, where it
        is known by frames."""
        told: dict[str, object] = {
            "overlap": [round(float(value), 3) for value in self.overlap],
            "mean": round(float(self.overlap.mean()), 3),
            "worst": [int(index) for index in np.argsort(self.overlap, kind="stable")[:WORST]],
        }
        if self.doubt is not None:
            told["doubtful_vertices"] = round(float((self.doubt > 0.5).mean()), 3)
            if len(self.doubt) == len(self.overlap):
                told["doubt"] = [round(float(value), 3) for value in self.doubt.mean(axis=1, dtype=np.float32)]
        return told


@dataclass(frozen=True)
class Compared:
    """What results are compared with. masks (T, H, W) in [0, 1]: as the view sees them; faces (F, 3)."""

    faces: np.ndarray
    normalisation: Normalisation
    view: View
    masks: Masks


@dataclass(frozen=True)
class _Counts:
    """overlap (T,) float32: as Trust has it. seen, outside (N,) int32: in how many frames a vertex was."""

    overlap: np.ndarray
    seen: np.ndarray
    outside: np.ndarray


def trust_of(
    positions: np.ndarray, compared: Compared, progress: Progress, expected_error: np.ndarray | None = None
) -> Trust:
    """positions (T, N, 3) in the mesh's own space. expected_error (T, N): of them, of the mesh's longest side; None
    where the reconstructor does not tell it."""
    found = _counted(positions, compared, progress)
    if expected_error is not None:
        return Trust(found.overlap, doubt_of(expected_error))
    return Trust(found.overlap, _doubt(found.seen, found.outside, len(positions)))


def trust_after(
    before: AnimationResult, now: np.ndarray, times: np.ndarray, compared: Compared, progress: Progress
) -> Trust | None:
    """Of a result `before` whose frames `times` (W,) may have changed to those of `now` (T, N, 3), and no others.

    compared: with the masks of these frames only. None where too little is known of the others.
    """
    told = before.report.get("fit", {}).get("overlap", ())
    overlap = np.array(told, np.float32) if len(told) == len(now) else np.full(len(now), np.nan, np.float32)
    new = _counted(now[times], compared, progress)
    overlap[times] = new.overlap
    if np.isnan(overlap).any():
        return None
    if before.doubt is None or len(before.doubt) > 1:  # what was expected of the answer that the pins correct
        return Trust(overlap, before.doubt)
    count, old = len(now), _counted(before.positions[times], compared, progress)
    others = np.setdiff1d(np.arange(count), times)
    elsewhere = _seen(now[others], compared, progress)
    rarely = _rarely(elsewhere + old.seen, count)
    # Where doubt was more than being seen rarely gives, it is the part of the frames in which a vertex lay outside.
    doubt = before.doubt[0].astype(np.float32)
    known = (elsewhere + old.seen > 0) & (doubt > rarely + HALF_PRECISION)
    outside = np.where(known, np.maximum(np.rint(doubt * count).astype(np.int32) - old.outside, 0), 0)
    return Trust(overlap, _doubt(elsewhere + new.seen, outside + new.outside, count))


def with_trust(result: AnimationResult, trust: Trust | None, mesh_name: str, video_name: str) -> AnimationResult:
    """The result with this trust, and the warning that comes of it, in the place of what it had."""
    report = {key: value for key, value in result.report.items() if key != "fit"}
    if trust is None:
        return replace(result, report=report, doubt=None)
    others = [each for each in report.get("warnings", ()) if each.get("code") != POOR_FIT]
    is_said = any(each.get("code") in SAID_ALREADY for each in others)
    warnings = () if is_said else trust_warnings(trust, mesh_name, video_name)
    return replace(result, report={**report, "fit": trust.report, "warnings": [*others, *warnings]}, doubt=trust.doubt)


def _doubt(seen: np.ndarray, outside: np.ndarray, count: int) -> np.ndarray:
    """seen, outside (N,): in how many of `count` frames a vertex was -> (1, N) float16."""
    doubt = np.where(seen == 0, 1.0, np.maximum(_rarely(seen, count), outside / count))
    return np.asarray(doubt[None], np.float16)


def _rarely(seen: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(BARELY_SEEN * (1 - np.minimum(seen / (SEEN_ENOUGH * count), 1)))


def _counted(positions: np.ndarray, compared: Compared, progress: Progress) -> _Counts:
    """positions (T, N, 3): of the frames of compared.masks."""
    count, vertices = positions.shape[:2]
    size = _size(compared)
    margin = 1 + 2 * max(1, round(MARGIN * max(size)))
    kernel = np.ones((margin, margin), np.uint8)
    overlap = np.zeros(count, np.float32)
    seen, outside = np.zeros(vertices, np.int32), np.zeros(vertices, np.int32)
    adding = Lock()

    def look(index: int) -> None:
        pixels, drawn, shown = _drawn(positions[index], compared, size)
        mask = cv2.resize(compared.masks[index].astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0.5
        overlap[index] = (drawn & mask).sum() / max(int((drawn | mask).sum()), 1)
        column, row = np.floor(pixels).astype(np.int64).T
        inside = (column >= 0) & (column < size[1]) & (row >= 0) & (row < size[0])  # beyond the picture nobody knows
        near = cv2.dilate(mask.astype(np.uint8), kernel) > 0
        beside = np.zeros(vertices, bool)
        beside[inside] = ~near[row[inside], column[inside]]
        with adding:
            np.add(seen, shown, out=seen)
            np.add(outside, beside, out=outside)

    side_by_side(count, look, lambda done: progress("smooth", done, count))
    return _Counts(overlap, seen, outside)


def _seen(positions: np.ndarray, compared: Compared, progress: Progress) -> np.ndarray:
    """(N,) int32: in how many of positions (T, N, 3) each vertex is seen."""
    seen = np.zeros(positions.shape[1], np.int32)
    for index, vertices in enumerate(positions):
        progress("smooth", index, len(positions))
        seen += _drawn(vertices, compared, _size(compared))[2]
    return seen


def _size(compared: Compared) -> tuple[int, int]:
    """Height and width of the pictures that are compared."""
    height, width = compared.masks.shape[1:]
    scale = min(1.0, LONGER_SIDE / max(height, width))
    return max(round(height * scale), 8), max(round(width * scale), 8)


def _drawn(
    vertices: np.ndarray, compared: Compared, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """vertices (N, 3) -> pixels (N, 2), the silhouette (H, W) bool, and which vertices are seen (N,) bool."""
    pixels, depth = compared.view.project(compared.normalisation.to_normalised(vertices).astype(np.float64), *size)
    face = faces_seen(pixels, depth, compared.faces, *size)
    shown = np.zeros(len(vertices), bool)
    shown[compared.faces[np.unique(face[face >= 0])].ravel()] = True
    return pixels, face >= 0, shown


def trust_warnings(trust: Trust, mesh_name: str, video_name: str) -> tuple[dict[str, str], ...]:
    """A warning {"code", "sentence"} where mesh and video do not belong together; none otherwise."""
    mean = float(trust.overlap.mean())
    if mean >= BELONGS:
        return ()
    sentence = (
        f"The mesh '{mesh_name}' and '{video_name}' may not show the same thing: over all frames their silhouettes "
        f"overlap by {mean:.2f}, where right pairs lie above 0.8. Check both, and the mask."
    )
    return ({"code": POOR_FIT, "sentence": sentence},)
