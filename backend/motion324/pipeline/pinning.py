"""Refines a result after a person's pins: the frames around them are fitted again, and all others stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.motion.pins import Pins
from motion324.core.progress import Progress
from motion324.core.reference_mesh import Normalisation
from motion324.core.result import AnimationResult
from motion324.pipeline.reference import FIRST_FRAME, Reference
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, FitSettings, working_images
from motion324.reconstructors.deformation_fit.pinned_fit import REACH, FramePins, PinnedFit
from motion324.reconstructors.interface import Scene
from motion324.video.one_thread import one_thread_each

MISSED = 1.0  # pixels from which on a pin's distance is told


@dataclass(frozen=True)
class PinnedScene:
    """scene: of what is looked at. times (S,): the place in the result of each of its frames, -1 of a reference frame
    that is put before them. is_reference: whether frame 0 of the result is the mesh's own pose, which stays.
    picture: width and height of the video's picture in pixels.
    """

    scene: Scene
    times: np.ndarray
    is_reference: bool
    picture: tuple[int, int]


def pinned_times(pins: Pins, frame_numbers: np.ndarray) -> np.ndarray:
    """(P,) the places in the result that pins are about, rising. frame_numbers (T,): of the video."""
    asked = np.zeros(len(frame_numbers), bool)
    for frame in (*(point.frame for point in pins.points), *(pose.frame for pose in pins.poses)):
        asked |= frame_numbers == frame
    for still in pins.stills:
        asked |= _within(still.first, still.last, frame_numbers)
    return np.flatnonzero(asked)


def touched_times(pins: Pins, frame_numbers: np.ndarray) -> np.ndarray:
    """(W,) the places in the result that may change, rising."""
    places = np.arange(len(frame_numbers))
    pinned = pinned_times(pins, frame_numbers)
    return places[(np.abs(places[:, None] - pinned) < REACH).any(axis=1)]


def part_of(scene: Scene, reference: Reference, pins: Pins, clip: VideoClip) -> PinnedScene:
    """Of a scene that `scene_of` made of this reference and all of the clip's frames: what pins touch."""
    times = touched_times(pins, clip.frame_numbers)
    is_own = reference.kind == FIRST_FRAME
    if reference.is_added:
        times = np.concatenate([[-1], np.union1d([0], times) if is_own else times])
    else:
        times = np.union1d([0], times)
    chosen = times + int(reference.is_added)
    part = replace(scene, frames=scene.frames[chosen], masks=scene.masks[chosen])
    return PinnedScene(part, times, is_own, (clip.frames.shape[2], clip.frames.shape[1]))


def refined(
    pinned: PinnedScene,
    pins: Pins,
    last: AnimationResult,
    normalisation: Normalisation,
    settings: FitSettings,
    progress: Progress,
) -> AnimationResult:
    """last: with the frames of the whole result, of which the scene has those that pins touch.

    The report has "pins": how many, the frames that changed, and by how much a pin is missed.
    """
    scene, times = pinned.scene, pinned.times
    rest = scene.mesh.positions
    own = np.stack([rest if t < 0 else normalisation.to_normalised(last.positions[t]) for t in times])
    progress("refine", 0, len(times))
    with one_thread_each():
        images = working_images(scene.frames, scene.masks, scene.view, settings.picture)
        problem = FitProblem(scene.mesh, images, settings, scene.seed, lambda: progress("refine", 0, len(times)))
        fit = PinnedFit(problem, own, times, lambda: progress("refine", 0, len(times)))
        wanted = frame_pins(pinned, pins, last, normalisation)
        moved = fit.refine(wanted, lambda done, total: progress("refine", done, total))
    positions = last.positions.copy()
    for index, vertices in moved.items():
        positions[times[index]] = normalisation.to_source(vertices)
    for t, vertices, places in _given(pins, last):
        positions[t, vertices] = places
    result = replace(last, positions=positions)
    missed, frame = _missed_by(pinned, wanted, result, normalisation)
    remarks = (_missed(missed, frame),) if missed > MISSED else ()
    told = {
        "given": len(pins),
        "frames": sorted({int(last.frame_numbers[times[index]]) for index in moved}),
        "largest_miss": round(missed, 3),
    }
    report = {**last.report, "pins": told, "warnings": [*last.report.get("warnings", []), *remarks]}
    return replace(result, report=report)


def frame_pins(
    pinned: PinnedScene, pins: Pins, last: AnimationResult, normalisation: Normalisation
) -> dict[int, FramePins]:
    """What each pinned frame of the scene has to meet, by its index; nothing, where it has to stay."""
    found: dict[int, FramePins] = {}
    indices = {int(t): index for index, t in enumerate(pinned.times) if t >= 0}
    if pinned.is_reference and 0 in indices:
        found[indices[0]] = FramePins()
    width, height = pinned.picture
    for point in pins.points:
        for t in np.flatnonzero(last.frame_numbers == point.frame).tolist():
            ray = _ray(np.array(point.at), last, t, width / height)
            before = found.get(indices[t], FramePins())
            seen, rays = np.append(before.seen, point.vertex), np.vstack([before.rays, ray])
            found[indices[t]] = replace(before, seen=seen, rays=rays)
    for t, vertices, places in _given(pins, last):
        before = found.get(indices[t], FramePins())
        keep = ~np.isin(before.placed, vertices)
        placed = np.concatenate([before.placed[keep], vertices])
        put = np.concatenate([before.places[keep], normalisation.to_normalised(places)])
        found[indices[t]] = replace(before, placed=placed, places=put)
    return found


def _given(pins: Pins, last: AnimationResult) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Place in the result, vertices (B,), and where they have to be (B, 3) in the mesh's own coordinates."""
    for still in pins.stills:
        within = np.flatnonzero(_within(still.first, still.last, last.frame_numbers))
        middle = last.positions[np.ix_(within, still.vertices)].astype(np.float64).mean(axis=0)
        for t in within.tolist():
            yield t, still.vertices, middle
    for pose in pins.poses:
        vertices = np.arange(len(pose.positions)) if pose.vertices is None else pose.vertices
        for t in np.flatnonzero(last.frame_numbers == pose.frame).tolist():
            yield t, vertices, pose.positions


def _missed_by(
    pinned: PinnedScene, wanted: dict[int, FramePins], result: AnimationResult, normalisation: Normalisation
) -> tuple[float, int]:
    """The largest distance of a point from its pin, in pixels of the video's picture, and the video's frame."""
    largest, frame = 0.0, -1
    view, height = result.view, pinned.picture[1]
    for index, pins in wanted.items():
        if len(pins.seen):
            t = int(pinned.times[index])
            points = normalisation.to_normalised(result.positions[t, pins.seen]).astype(np.float64)
            camera = points @ view.rotation.T + view.translation
            off = np.linalg.norm(camera[:, :2] / camera[:, 2:] - pins.rays, axis=1).max() * view.focal * height
            if off > largest:
                largest, frame = float(off), int(result.frame_numbers[t])
    return largest, frame


def _ray(at: np.ndarray, last: AnimationResult, t: int, aspect: float) -> np.ndarray:
    """x / z and y / z, in the space of the first frame's camera, of a place in the picture of frame t. at (2,): in
    parts of the picture; aspect: its width over its height."""
    place = np.array([at[0] * aspect, at[1], 1.0])
    if last.camera_to_first is not None:
        place = last.camera_to_first[t] @ place
    centre = np.array([last.view.centre[0] * aspect, last.view.centre[1]])
    return np.asarray((place[:2] / place[2] - centre) / last.view.focal)


def _within(first: int, last: int, frame_numbers: np.ndarray) -> np.ndarray:
    return np.asarray((frame_numbers >= first) & (frame_numbers <= last))


def _missed(distance: float, frame: int) -> dict[str, str]:
    sentence = (
        f"A pin of frame {frame} is missed by {distance:.1f} pixels: other pins of that frame ask for something else, "
        "or it lies too far off."
    )
    return {"code": "pin-missed", "sentence": sentence}
