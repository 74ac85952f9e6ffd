"""Decides what shows the mesh in its own pose, and makes the scene of it: the video's first frame, another frame of it,
or, where the video shows that pose nowhere, a drawing of the mesh.

A reconstructor takes frame 0 of a scene for what shows the mesh as it is. Where that is not the video's first frame, it
is put before the video's frames; what is found for them is then the result, and no frame of it has the mesh's own pose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from motion324.core.files.frame_storage import Masks, room_for_masks, room_for_pictures
from motion324.core.options.animate_options import ANY_POSE, AnimateOptions
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View
from motion324.mesh.surface import sample_surface
from motion324.reconstructors.deformation_fit.reconstructor import RefinedByFit
from motion324.reconstructors.interface import FrameBatch, QuickReconstructor, Reconstructor, Scene
from motion324.view.other_views import apart, carried_view
from motion324.view.pose_search import match_in, posed_score, search_poses, shown_elsewhere
from motion324.view.rasteriser import render
from motion324.view.vertex_colour_choice import with_fitting_colours

SURFACE_SAMPLES = 16384
FIRST_FRAME, OTHER_FRAME, DRAWN = "first-frame", "other-frame", "drawn"
SURE_OVERLAP = 0.96  # from which on nobody asks whether the first frame shows another pose
USUAL_OVERLAP = 0.9  # from which on a quick look decides whether to ask
SHOWN_OVERLAP = 0.85  # from which on another frame is taken to show the mesh's pose ...
CLEARLY_BETTER = 0.03  # ... if it shows it better than the first one by so much, in overlap and colours
FEW_PIXELS = 600  # of the object: too few to tell another pose than the first frame's, where none of them shows it
VIEWS_TRIED = 3  # for a drawing: from each the motion of a few frames is found, of two frames from any number
FRAMES_TRIED = 4
NEARER = 3  # times that the view is moved to where the first frame's pose is found
MARGIN = 0.1  # around object and drawing, of the larger side of their box
FINER = 2  # pixels and axis that a drawing has for one of the frames


@dataclass(frozen=True)
class Reference:
    """kind: FIRST_FRAME, OTHER_FRAME or DRAWN. frame: index of the frame of the video that shows the mesh's own pose,
    None for DRAWN. view: of the camera, as the frames of `filmed` were taken. overlap: of silhouettes in that frame;
    for DRAWN in the first one, where the mesh has its own pose. repeated: whether the first frame stands before the
    video's frames, too, so that it is looked at once more as one of them."""

    kind: str
    frame: int | None
    view: View
    overlap: float
    repeated: bool = False

    @property
    def is_added(self) -> bool:
        """Whether it stands before the video's frames in the scene."""
        return self.repeated or self.kind != FIRST_FRAME


@dataclass(frozen=True)
class Filming:
    """frames (T, H, W, 3) uint8 and masks (T, H, W) of a camera that stands still."""

    frames: np.ndarray
    masks: Masks


@dataclass(frozen=True)
class Scout:
    """find: roughly (T, N, 3) for a scene of a few frames. quick: it takes so little time that many views can be
    tried."""

    find: Callable[[Scene, Progress], np.ndarray]
    quick: bool = False


def scout_of(reconstructor: Reconstructor) -> Scout:
    quick = reconstructor.predictor if isinstance(reconstructor, RefinedByFit) else reconstructor
    if isinstance(quick, QuickReconstructor):
        return Scout(quick.look_once, quick=True)

    def scout(scene: Scene, progress: Progress) -> np.ndarray:
        positions = np.empty((len(scene.frames), *scene.mesh.positions.shape), np.float32)
        for batch in quick.reconstruct(scene, progress):
            positions[batch.indices] = batch.positions
        return positions

    return Scout(scout)


def find_reference(
    mesh: ReferenceMesh,
    filming: Filming,
    first: Reference,
    options: AnimateOptions,
    scout: Scout,
    progress: Progress,
) -> tuple[ReferenceMesh, Reference]:
    """mesh in normalised space. first: how well the first frame shows it. Returns the mesh as well, whose colours may
    be taken otherwise.

    Raises what the scout raises.
    """
    if options.pose not in ("auto", ANY_POSE):
        return mesh, first
    if options.pose == "auto" and not _doubtful(mesh, filming.masks, first, options.view, progress):
        return mesh, first
    search = search_poses(mesh, filming.frames, filming.masks, options.view, VIEWS_TRIED, progress)
    best, own = search.best, match_in(mesh, 0, first.view, filming.frames, filming.masks)
    if best.score >= own.score + CLEARLY_BETTER and (best.overlap >= SHOWN_OVERLAP or best.agrees):
        kind = OTHER_FRAME if best.frame else FIRST_FRAME
        mesh = with_fitting_colours(mesh, best.view, filming.frames[best.frame], filming.masks[best.frame])
        return mesh, Reference(kind, best.frame, best.view, best.overlap)
    if own.lies_there or first.overlap >= SHOWN_OVERLAP:
        return mesh, first
    if options.pose == "auto" and np.count_nonzero(filming.masks[0] > 0.5) < FEW_PIXELS:
        return mesh, first
    views = (*search.views, *search.around) if scout.quick else search.views
    return _drawn_reference(mesh, filming, first, views, options.pose == ANY_POSE, scout, progress)


def _doubtful(mesh: ReferenceMesh, masks: Masks, first: Reference, mode: str, progress: Progress) -> bool:
    """Whether the first frame may show another pose than the mesh's. Its view was found for it: bent fish and figures
    seen from behind then cover it by 0.9 to 0.95, where a frame that shows the mesh's own pose is covered by more."""
    if first.overlap >= SURE_OVERLAP:
        return False
    return first.overlap < USUAL_OVERLAP or shown_elsewhere(mesh, masks, mode, progress)


def _drawn_reference(
    mesh: ReferenceMesh,
    filming: Filming,
    first: Reference,
    views: tuple[View, ...],
    surely: bool,
    scout: Scout,
    progress: Progress,
) -> tuple[ReferenceMesh, Reference]:
    """From several views the motion of a few frames is found: the one from which the moved mesh looks most like them is
    taken. surely: False where the first frame may show the mesh's own pose after all, which is then tried as well."""
    last = len(filming.frames) - 1
    few, fewer = (
        Filming(filming.frames[some], filming.masks[some])
        for some in (np.unique(np.linspace(0, last, count).round().astype(int)) for count in (FRAMES_TRIED, 2))
    )
    most = len(views) + VIEWS_TRIED + NEARER + 1
    number = 0

    def tried(reference: Reference, shown: Filming) -> _Try:
        nonlocal number
        number += 1

        def told(stage: str, done: int, total: int) -> None:
            progress("view", number - 1, most)

        moved = scout.find(scene_of(mesh, shown, reference, 0, told), told)[int(reference.is_added) :]
        score = posed_score(mesh, reference.view, moved, shown.frames, shown.masks)
        return _Try(score, reference.view, moved)

    def drawn_from(view: View, shown: Filming) -> _Try:
        return tried(Reference(DRAWN, None, view, first.overlap), shown)

    if len(views) > VIEWS_TRIED:
        glances = sorted((drawn_from(view, fewer) for view in views), key=lambda one: -one.score)
        views = tuple(apart((one.view for one in glances), VIEWS_TRIED))
    best = max((drawn_from(view, few) for view in views), key=lambda one: one.score)
    for _ in range(NEARER):
        nearer = drawn_from(carried_view(best.view, mesh.positions, best.moved[0]), few)
        if nearer.score <= best.score:
            break
        best = nearer
    if not surely and best.score <= tried(first, few).score:
        return mesh, first
    posed = with_fitting_colours(replace(mesh, positions=best.moved[0]), best.view, few.frames[0], few.masks[0])
    return replace(posed, positions=mesh.positions), Reference(DRAWN, None, best.view, first.overlap)


@dataclass(frozen=True)
class _Try:
    """moved (T, N, 3): what is found for some frames by that view; score: how well it explains them."""

    score: float
    view: View
    moved: np.ndarray


def scene_of(mesh: ReferenceMesh, filming: Filming, reference: Reference, seed: int, progress: Progress) -> Scene:
    """With what shows the mesh in its own pose before the video's frames, where that is not their first one."""
    surface = sample_surface(mesh, SURFACE_SAMPLES, seed)
    if not reference.is_added:
        return Scene(mesh, surface, filming.frames, filming.masks, reference.view, seed)
    height, width = filming.frames.shape[1:3]
    top, bottom, left, right = _box(mesh, filming, reference)
    view = reference.view.of_part((top, bottom, left, right), (height, width))
    frames = room_for_pictures((1 + len(filming.frames), bottom - top, right - left, 3))
    masks = room_for_masks(frames.shape[:3])
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    for index, (frame, mask) in enumerate(zip(filming.frames, filming.masks, strict=True), start=1):
        progress("view", index, len(filming.frames))
        frames[(index, *inside)], masks[(index, *inside)] = frame[rows, columns], mask[rows, columns]
    if reference.frame is None:
        frames[0], masks[0] = _drawing(mesh, view, *masks.shape[1:])
    else:
        frames[0], masks[0] = frames[1 + reference.frame], masks[1 + reference.frame]
    return Scene(mesh, surface, frames, masks, view, seed)


def without_reference(batches: Iterator[FrameBatch]) -> Iterator[FrameBatch]:
    """Of a scene whose frame 0 was put before the video's: these alone, counted from 0."""
    for batch in batches:
        own = batch.indices > 0
        if own.any():
            expected = None if batch.expected_error is None else batch.expected_error[own]
            yield FrameBatch(batch.indices[own] - 1, batch.positions[own], batch.final, expected)


def _box(mesh: ReferenceMesh, filming: Filming, reference: Reference) -> tuple[int, int, int, int]:
    """Top, bottom, left and right in pixels of what the scene needs of the frames; it may reach beyond them."""
    height, width = filming.masks.shape[1:]
    seen = np.zeros((height, width), bool)
    for mask in filming.masks:
        seen |= mask > 0.05
    left, top, wide, high = cv2.boundingRect(seen.view(np.uint8))
    low, up = np.array([left, top], float), np.array([left + wide, top + high], float)
    if reference.frame is None:
        pixels, _ = reference.view.project(mesh.positions[np.unique(mesh.faces)], height, width)
        reach = np.array([width, height])
        low = np.minimum(low, np.maximum(pixels.min(axis=0), -reach))
        up = np.maximum(up, np.minimum(pixels.max(axis=0), 2 * reach))
    margin = MARGIN * float((up - low).max()) + 4
    x0, y0 = np.floor(low - margin).astype(int).tolist()
    x1, y1 = np.ceil(up + margin).astype(int).tolist()
    return y0, y1, x0, x1


def _drawing(mesh: ReferenceMesh, view: View, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 on black, and the mask (H, W) float32."""
    picture, seen = render(mesh.positions, mesh, view, FINER * height, FINER * width, background=(0, 0, 0))
    size = (width, height)
    mask = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    # Pixels of the border are partly black, which frames are not: their own colours count, and the mask tells the rest.
    return np.clip(small / np.maximum(mask, 1e-3)[..., None] + 0.5, 0, 255).astype(np.uint8), mask


def pose_report(reference: Reference, asked: str, frame_numbers: np.ndarray) -> dict[str, Any]:
    """Plain JSON values."""
    told: dict[str, Any] = {"asked": asked, "taken": reference.kind}
    if reference.kind == OTHER_FRAME:
        told["frame"] = int(frame_numbers[reference.frame])
    return told


def pose_warnings(
    reference: Reference, mesh_name: str, video_name: str, frame_numbers: np.ndarray
) -> tuple[dict[str, str], ...]:
    """One {"code", "sentence"} where the mesh has another pose than the first frame shows."""
    if reference.kind == FIRST_FRAME:
        return ()
    first = int(frame_numbers[0])
    begins = f"not that of frame {first}: the result begins with the pose of frame {first}"
    if reference.kind == OTHER_FRAME:
        sentence = (
            f"The mesh '{mesh_name}' has the pose of frame {int(frame_numbers[reference.frame])} of '{video_name}' "
            f"(silhouettes overlap by {reference.overlap:.2f}), {begins}."
        )
    else:
        azimuth, elevation = reference.view.azimuth, reference.view.elevation
        sentence = (
            f"The mesh '{mesh_name}' has a pose that no frame of '{video_name}' shows (silhouettes overlap by "
            f"{reference.overlap:.2f} at most), {begins}, found from a drawing of the mesh, which is less sure than "
            f"from a frame, and seen from azimuth {azimuth:.0f} and elevation {elevation:.0f} degrees: where that is a "
            f"wrong side, give the view (--view AZIMUTH,ELEVATION); surest is a mesh in the pose of frame {first}."
        )
    told = f"{sentence} If it has that pose after all, use --pose first-frame."
    return ({"code": "other-pose", "sentence": told},)
