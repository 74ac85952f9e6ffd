"""Tells the whole story: a reference mesh and a video go in, the trajectory of every vertex comes out."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_INTERNAL, Motion324Error
from motion324.core.jobs.job_plan import OnPlan, plan_of, unplanned
from motion324.core.motion.pins import Pins, read_pins
from motion324.core.options.animate_options import ANY_POSE, AnimateOptions, names_mask_files
from motion324.core.processes.machine import peak_memory, versions
from motion324.core.progress import OnMatch, Progress, silent, unmatched
from motion324.core.reference_mesh import Normalisation, ReferenceMesh, normalised_mesh
from motion324.core.result import AnimationResult
from motion324.core.view import View
from motion324.mesh.checks import check_mesh
from motion324.mesh.colours import MEANING, REASON
from motion324.pipeline.camera import filmed_by_a_still_camera, first_look
from motion324.pipeline.output_folder import OutputFolder
from motion324.pipeline.pinning import part_of, refined
from motion324.pipeline.reference import (
    FIRST_FRAME,
    Filming,
    Reference,
    find_reference,
    pose_report,
    pose_warnings,
    scene_of,
    scout_of,
    without_reference,
)
from motion324.pipeline.small_motion import pixel_size, repeated_where_still, without_error, without_noise
from motion324.pipeline.stage_clock import StageClock
from motion324.pipeline.trust import Compared, trust_of, with_trust
from motion324.reconstructors.deformation_fit.fit_problem import settings_for
from motion324.reconstructors.interface import FrameBatch, LoadingReconstructor, Reconstructor, Scene
from motion324.reconstructors.registry import get_reconstructor
from motion324.trajectories.result_files import KeepOptions, needed_space, write_report, write_result_files
from motion324.trajectories.smoothing import smooth_trajectory, steadied
from motion324.video.decoding import read_video
from motion324.video.foreground import check_mask_option, find_masks
from motion324.video.foreground.masks import ForegroundMasks, from_first_object
from motion324.video.one_thread import one_thread_each
from motion324.video.shots import from_first_picture, shot_warnings
from motion324.video.source import bad_video
from motion324.view.pose_fit import overlap_warnings
from motion324.view.vertex_colour_choice import with_fitting_colours
from motion324.view.view_search import ViewMatch, find_view, overlap_of

log = logging.getLogger(__name__)

USUAL_PIXELS = 512 * 512  # of a frame, until the first one has been read

OnFrames = Callable[[FrameBatch], None]


def animate(
    mesh: ReferenceMesh,
    video: Path | VideoClip,
    options: AnimateOptions,
    *,
    progress: Progress = silent,
    on_frames: OnFrames | None = None,
    on_plan: OnPlan = unplanned,
    on_match: OnMatch = unmatched,
    keep: KeepOptions | None = None,
    foreground: ForegroundMasks | None = None,
    view: View | None = None,
    pins: Pins | None = None,
) -> AnimationResult:
    """Moves the mesh as the video shows it moving.

    video: a file or a folder of images, of which options.frames are read; or frames, all of which are taken.
    on_frames: gets positions in the mesh's own coordinates as soon as they are known, at first rough, at last with
        final=True; the result differs from those by trembling and smoothing over time, and where a clip hardly moves by
        what was found for its first frame.
    on_plan: gets the job's plan as soon as the number of frames is known, and a better one when they have been read.
    on_match: gets the overlap of the silhouettes of mesh and video, 0..1, in the frame that the mesh's pose is taken
        from, before anything is reconstructed: mesh and video may not belong together.
    keep: leaves files in a folder, all of them at the end or none.
    foreground: the masks of exactly these frames, where they are known; options.mask is not looked at then.
    view: the camera that sees the mesh, in normalised space, as the first frame does, where it is known; it is taken as
        it is, and options.view is not looked at.
    pins: what a person has corrected; None: those of the file that options.pins names, if it names one.
    Raises Motion324Error: what is wrong with mesh, video, options, foreground or folder; Cancelled.
    """

    def plan(frames: int, pixels: int) -> None:
        overlay = keep is not None and keep.overlay
        on_plan(plan_of(options, frames, pixels, len(mesh.positions), foreground is not None, overlay))

    clock = StageClock(progress)
    with contextlib.ExitStack() as stack:
        options.check()
        check_mesh(mesh)
        if foreground is None:
            check_mask_option(options.mask)
        if pins is None and options.pins:
            pins = read_pins(Path(options.pins).expanduser())
        reconstructor = get_reconstructor(options, clock)
        folder = stack.enter_context(OutputFolder(keep.folder)) if keep else None

        clip = (
            video
            if isinstance(video, VideoClip)
            else read_video(video, options.frames, _planning(clock, plan), options.video_fps)
        )
        _check_clip(clip)
        given = foreground is not None or names_mask_files(options.mask)  # one mask for each frame, also of the first
        clip = clip if given else from_first_picture(clip)
        if pins is not None:
            pins.check(mesh, clip.frame_numbers)
        plan(len(clip.frames), int(clip.frames[0, ..., 0].size))
        reconstructor.check_job(len(clip.frames), len(mesh.positions))
        if folder and keep:
            folder.check_space(needed_space(len(clip.frames), mesh, clip, keep))
        if isinstance(reconstructor, LoadingReconstructor):
            reconstructor.load_beforehand()

        foreground = foreground or find_masks(clip, options.mask, clock)
        clip, foreground = from_first_object(clip, foreground)
        limits = stack.enter_context(contextlib.ExitStack())
        limits.enter_context(one_thread_each())
        filmed = filmed_by_a_still_camera(clip, foreground.masks, options, clock)
        remarks = [*shot_warnings(clip, clock), *filmed.warnings]

        clock("sample", 0, 1)
        normalised, normalisation = normalised_mesh(mesh)

        clock("view", 0, 1)
        if view is None:
            match = find_view(normalised, *first_look(video, clip, foreground.masks[0], clock), options.view, clock)
        else:
            match = ViewMatch(view, overlap_of(normalised, view, foreground.masks[0]))
        filming = Filming(filmed.frames, filmed.masks)
        reference = Reference(FIRST_FRAME, 0, filmed.view(match.view), match.overlap)
        fitting = with_fitting_colours(normalised, match.view, clip.frames[0], foreground.masks[0])
        if view is None or options.pose == ANY_POSE:
            fitting, reference = find_reference(fitting, filming, reference, options, scout_of(reconstructor), clock)
        reference = repeated_where_still(reference, filmed.masks)
        on_match(float(reference.overlap))
        if fitting.metadata is not normalised.metadata:
            mesh = dataclasses.replace(mesh, vertex_colour=fitting.vertex_colour, metadata=fitting.metadata)
        _log_vertex_colours(mesh)

        scene = scene_of(fitting, filming, reference, options.seed, clock)
        limits.close()
        positions, expected = _reconstruct(reconstructor, scene, reference, mesh, normalisation, clip, clock, on_frames)

        clock("smooth", 0, 1)
        if reconstructor.trembles:
            steadied(positions, float(np.ptp(mesh.positions, axis=0).max()), clock, out=positions)
        smooth_trajectory(positions, options.smooth, clock, out=positions)

        odd = pose_warnings(reference, mesh.name, clip.name, clip.frame_numbers)
        searched = view is None and options.view == "auto"
        odd = odd or overlap_warnings(reference.overlap, mesh.name, clip.name, searched)
        found_view = filmed.first_frames_view(reference.view)
        warnings = [*mesh.warnings, *clip.warnings, *remarks, *foreground.warnings, *odd]
        result = AnimationResult(
            positions=positions,
            frame_numbers=clip.frame_numbers,
            fps=options.fps or clip.fps,
            view=found_view,
            report={
                "mesh": _describe_mesh(mesh),
                "video": {"name": clip.name, "frames": len(clip.frames), "size": [*clip.frames.shape[2:0:-1]]},
                "reconstructor": reconstructor.name,
                "reconstruction": reconstructor.details(),
                "options": {**options.to_dict(), "frames": list(options.frames)},
                "mask": foreground.method,
                "camera": filmed.report,
                "view": _describe_view(found_view),
                "silhouette_overlap": round(float(reference.overlap), 4),
                "pose": pose_report(reference, options.pose, clip.frame_numbers),
                "warnings": warnings,
                "versions": versions(),
            },
            camera_to_first=filmed.to_first,
        )
        if pins is not None:
            pinned = part_of(scene, reference, pins, clip)
            result = refined(pinned, pins, result, normalisation, settings_for(options.quality), clock)
        compared = Compared(mesh.faces, normalisation, reference.view, filmed.masks)
        with one_thread_each():
            trust = trust_of(result.positions, compared, clock, expected)
        result = with_trust(result, trust, mesh.name, clip.name)
        if folder and keep:
            write_result_files(folder.staging, keep, mesh, clip, foreground.masks, result, clock, filmed.shown)
        result.report["seconds"] = clock.seconds()
        result.report["peak_memory_mb"] = round(peak_memory() / 1e6)
        if folder:
            write_report(folder.staging, result)
    return result


def _planning(progress: Progress, plan: Callable[[int, int], None]) -> Progress:
    """Passes reports of reading on, and plans with the first number of frames that they tell."""
    planned = False

    def told(stage: str, done: int, total: int) -> None:
        nonlocal planned
        if total > 1 and not planned:
            planned = True
            plan(total, USUAL_PIXELS)
        progress(stage, done, total)

    return told


def _check_clip(clip: VideoClip) -> None:
    if len(clip.frames) < 2:
        raise bad_video(
            "video-one-frame",
            f"The video '{clip.name}' has only {len(clip.frames)} frame; at least 2 are needed.",
            "Choose a longer video.",
        )


def _reconstruct(
    reconstructor: Reconstructor,
    scene: Scene,
    reference: Reference,
    mesh: ReferenceMesh,
    normalisation: Normalisation,
    clip: VideoClip,
    progress: Progress,
    on_frames: OnFrames | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """(T, N, 3) float32 in the mesh's own coordinates; where the first frame shows the mesh's own pose, frame 0 is the
    mesh itself, to the last bit. And (T, N) float16, the errors that are expected of it, of the mesh's longest side,
    where the reconstructor tells them."""
    positions = np.empty((len(clip.frames), *mesh.positions.shape), np.float32)
    expected: np.ndarray | None = None
    missing = set(range(len(positions)))
    seen_again: np.ndarray | None = None  # what is found for the frame that shows the mesh's own pose
    batches = reconstructor.reconstruct(scene, progress)
    for batch in without_reference(batches) if reference.is_added else batches:
        if not np.isfinite(batch.positions).all():
            broken = clip.frame_numbers[batch.indices[~np.isfinite(batch.positions).all(axis=(1, 2))][0]]
            raise Motion324Error(
                "reconstruction-failed",
                f"'{reconstructor.name}' found no finite positions for frame {broken} of '{clip.name}'.",
                "Leave that frame out, and please report it with mesh and video.",
                EXIT_INTERNAL,
            )
        positions[batch.indices] = normalisation.to_source(batch.positions)
        if reference.is_added and reference.frame in batch.indices:
            seen_again = positions[reference.frame].copy()
        if batch.expected_error is not None:
            expected = np.zeros(positions.shape[:2], np.float16) if expected is None else expected
            expected[batch.indices] = batch.expected_error
        if reference.kind == FIRST_FRAME:
            positions[0] = mesh.positions
            if expected is not None:
                expected[0] = 0
        if batch.final:
            missing.difference_update(int(index) for index in batch.indices)
        if on_frames:
            told = None if expected is None else expected[batch.indices]
            on_frames(FrameBatch(batch.indices, positions[batch.indices], batch.final, told))
    if missing:
        raise Motion324Error(
            "reconstruction-failed",
            f"'{reconstructor.name}' left out {len(missing)} of the {len(positions)} frames of '{clip.name}'.",
            "This is a defect: please report it with mesh and video.",
            EXIT_INTERNAL,
        )
    if seen_again is not None:
        own = np.s_[1:] if reference.kind == FIRST_FRAME else np.s_[:]
        without_error(positions[own], seen_again, mesh.positions)
        if reference.kind == FIRST_FRAME:
            error = float(np.linalg.norm(seen_again - mesh.positions, axis=1).mean())
            without_noise(positions[own], mesh.positions, pixel_size(scene) / normalisation.scale, error)
    return positions, expected


def _log_vertex_colours(mesh: ReferenceMesh) -> None:
    if MEANING in mesh.metadata:
        said = mesh.metadata[MEANING], mesh.metadata[REASON]
        log.info("The vertex colours of '%s' are taken as %s: %s.", mesh.name, *said)


def _describe_mesh(mesh: ReferenceMesh) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": mesh.name,
        "vertices": len(mesh.positions),
        "faces": len(mesh.faces),
        "up": mesh.up,
    }
    if MEANING in mesh.metadata:
        described["vertex_colours"] = {"taken_as": mesh.metadata[MEANING], "because": mesh.metadata[REASON]}
    return described


def _describe_view(view: View) -> dict[str, Any]:
    return {
        "azimuth": round(view.azimuth, 2),
        "elevation": round(view.elevation, 2),
        "focal": round(float(view.focal), 4),
        "centre": [float(value) for value in view.centre],
        "rotation": np.asarray(view.rotation, float).tolist(),
        "translation": np.asarray(view.translation, float).tolist(),
    }
