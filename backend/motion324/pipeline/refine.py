"""Tells the story of a correction: a mesh, its video, an earlier result and pins go in, and the same result comes out
with the frames around the pins fitted again. Only those are read, so that it takes seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.frame_storage import Masks
from motion324.core.motion.pins import Pins
from motion324.core.options.animate_options import AnimateOptions, names_mask_files
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh, normalised_mesh
from motion324.core.result import AnimationResult
from motion324.mesh.checks import check_mesh
from motion324.pipeline.camera import steadied_by
from motion324.pipeline.output_folder import OutputFolder
from motion324.pipeline.pinning import PinnedScene, refined, touched_times
from motion324.pipeline.reference import DRAWN, FIRST_FRAME, Filming, Reference, scene_of
from motion324.pipeline.stage_clock import StageClock
from motion324.pipeline.trust import Compared, trust_after, with_trust
from motion324.reconstructors.deformation_fit.fit_problem import settings_for
from motion324.reconstructors.interface import FrameBatch
from motion324.trajectories.result_files import KeepOptions, write_report, write_result_files
from motion324.video.decoding import read_numbered
from motion324.video.foreground import check_mask_option, find_masks
from motion324.video.foreground.given_or_plain import given_masks
from motion324.view.vertex_colour_choice import with_fitting_colours

SAME = 1e-4  # of the mesh's longest side, by which the result's first frame may differ from its own pose

OnFrames = Callable[[FrameBatch], None]


def refine(
    mesh: ReferenceMesh,
    video: Path | VideoClip,
    options: AnimateOptions,
    last: AnimationResult,
    pins: Pins,
    *,
    progress: Progress = silent,
    on_frames: OnFrames | None = None,
    keep: KeepOptions | None = None,
) -> AnimationResult:
    """The earlier result `last` of this mesh and video, corrected by the pins.

    options: those of the job that it came from; mask, quality and seed count. on_frames: gets the whole corrected
    result once. keep: leaves the files of a result, but neither cutouts nor an overlay.
    Raises Motion324Error: what is wrong with mesh, video, masks or folder, "bad-pins", or "mesh-differs"; Cancelled.
    """
    clock = StageClock(progress)
    with contextlib.ExitStack() as stack:
        options.check()
        check_mesh(mesh)
        check_mask_option(options.mask)
        check_is_of(last, mesh)
        pins.check(mesh, last.frame_numbers)
        folder = stack.enter_context(OutputFolder(keep.folder)) if keep else None

        clock("sample", 0, 1)
        normalised, normalisation = normalised_mesh(mesh)
        extent = 1.0 / normalisation.scale
        own_pose_first = bool(np.abs(last.positions[0] - mesh.positions).max() <= SAME * extent)
        times = touched_times(pins, last.frame_numbers)
        if own_pose_first:  # what the object looks like is seen there
            times = np.union1d([0], times)
        clip, there = _frames_of(video, last.frame_numbers[times], clock)
        times = times[there]
        masks = _masks_of(clip, times, options, last, clock)

        clock("view", 0, 1)
        to_first = None if last.camera_to_first is None else last.camera_to_first[times]
        filmed = steadied_by(clip, masks, to_first, clock)
        kind = FIRST_FRAME if own_pose_first else DRAWN
        reference = Reference(kind, 0 if own_pose_first else None, filmed.view(last.view), 1.0)
        fitting = with_fitting_colours(normalised, last.view, clip.frames[0], masks[0])
        scene = scene_of(fitting, Filming(filmed.frames, filmed.masks), reference, options.seed, clock)
        picture = (clip.frames.shape[2], clip.frames.shape[1])
        seen = np.concatenate([[-1], times]) if reference.is_added else times
        pinned = PinnedScene(scene, seen, own_pose_first, picture)
        result = refined(pinned, pins, last, normalisation, settings_for(options.quality), clock)
        compared = Compared(mesh.faces, normalisation, reference.view, filmed.masks)
        trust = trust_after(last, result.positions, times, compared, clock)
        result = with_trust(result, trust, mesh.name, clip.name)
        if on_frames:
            on_frames(FrameBatch(np.arange(len(result.positions)), result.positions, final=True))
        if folder and keep:
            write_result_files(folder.staging, keep, mesh, clip, masks, result, clock)
        result.report["seconds"] = clock.seconds()
        if folder:
            write_report(folder.staging, result)
    return result


def _masks_of(
    clip: VideoClip, times: np.ndarray, options: AnimateOptions, last: AnimationResult, progress: Progress
) -> Masks:
    """(W, H, W). Given ones are counted as the frames of the whole result are."""
    if not names_mask_files(options.mask):
        return find_masks(clip, options.mask, progress).masks
    shape = (len(last.frame_numbers), *clip.frames.shape[1:])
    whole = replace(clip, frames=np.broadcast_to(clip.frames[:1], shape), frame_numbers=last.frame_numbers, alpha=None)
    return given_masks(whole, Path(options.mask).expanduser(), progress)[times]


def check_is_of(last: AnimationResult, mesh: ReferenceMesh) -> None:
    """Raises Motion324Error("mesh-differs") where the result cannot be that of the mesh."""
    vertices = last.positions.shape[1]
    if vertices != len(mesh.positions):
        raise Motion324Error(
            "mesh-differs",
            f"The result to be refined has {vertices} vertices, but '{mesh.name}' has {len(mesh.positions)}.",
            "Give the mesh that was animated.",
            EXIT_BAD_MESH,
        )


def _frames_of(video: Path | VideoClip, numbers: np.ndarray, progress: Progress) -> tuple[VideoClip, np.ndarray]:
    """The frames of these numbers (W,), in any order, as of a loop; and (W,) bool: which of them the video has."""
    clip = video if isinstance(video, VideoClip) else read_numbered(video, np.unique(numbers), progress)
    places = {int(number): index for index, number in enumerate(clip.frame_numbers)}
    there = np.array([int(number) in places for number in numbers])
    chosen = [places[int(number)] for number in numbers[there]]
    alpha = None if clip.alpha is None else clip.alpha[chosen]
    frames = VideoClip(clip.frames[chosen], clip.fps, clip.frame_numbers[chosen], alpha, clip.name, clip.warnings)
    return frames, there
