"""Takes a quick look at a video, and at how a mesh fits it, before an animation job, in seconds, however long the video
is; and makes a mesh of what its first used frame shows.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.options.animate_options import AnimateOptions, names_mask_files
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh, normalised_mesh
from motion324.core.result import Examination, MadeMesh
from motion324.mesh.checks import check_mesh
from motion324.mesh_providers.interface import ObjectPicture
from motion324.mesh_providers.registry import get_provider
from motion324.pipeline.camera import first_look
from motion324.pipeline.neighbouring_frames import passing_remarks
from motion324.video.foreground import check_mask_option, find_masks
from motion324.video.foreground.given_or_plain import first_given_mask
from motion324.video.foreground.masks import ForegroundMasks, from_first_object, mask_warnings
from motion324.video.sampling import VideoSample, sample_clip, sample_video
from motion324.video.shots import begins_later, blank_frames, first_picture, from_first_picture
from motion324.video.source import FrameRange
from motion324.view.pose_fit import overlap_warnings
from motion324.view.view_search import find_view

SAMPLED_FRAMES = 8


def examine(
    video: Path | VideoClip,
    options: AnimateOptions,
    mesh: ReferenceMesh | None = None,
    *,
    progress: Progress = silent,
) -> Examination:
    """What motion324.pipeline.animate.animate will find in the first frame, from SAMPLED_FRAMES frames of all.

    Of the options, frames, video_fps, mask, view and camera count. Cuts and the camera's motion are looked for as far
    as a few seconds of reading reach. The mask is animate's own as far as it depends on single
    frames or on the background, and differs from it in details where its neighbours in time would have had a say.
    Raises Motion324Error as animate does: what is wrong with video, options, foreground or mesh; Cancelled.
    """
    options.check()
    check_mask_option(options.mask)
    if mesh is not None:
        check_mesh(mesh)
    sample, foreground = look_at_first(video, options, progress)
    clip, mask = sample.clip, foreground.masks[0]
    passing = passing_remarks(video, clip, foreground.masks, options, progress)
    warnings = [*clip.warnings, *passing, *foreground.warnings]
    view = overlap = None
    if mesh is not None:
        progress("view", 0, 1)
        match = find_view(normalised_mesh(mesh)[0], *first_look(video, clip, mask, progress), options.view, progress)
        view, overlap = match.view, float(match.overlap)
        searched = options.view == "auto"
        warnings += [*mesh.warnings, *overlap_warnings(overlap, mesh.name, clip.name, searched)]
    return Examination(
        frame=clip.frames[0],
        mask=mask,
        mask_method=foreground.method,
        frame_number=int(clip.frame_numbers[0]),
        frame_count=sample.frame_count,
        used_count=sample.used,
        fps=sample.fps,
        size=sample.size,
        warnings=tuple(warnings),
        view=view,
        silhouette_overlap=overlap,
    )


def look_at_first(
    video: Path | VideoClip, options: AnimateOptions, progress: Progress
) -> tuple[VideoSample, ForegroundMasks]:
    """SAMPLED_FRAMES frames, the first that shows an object first, and at least that one's mask."""
    if names_mask_files(options.mask):
        sample = _sampled(video, options.frames, options, progress)
        mask = first_given_mask(sample, Path(options.mask), progress)[None]
        remarks = mask_warnings(mask, sample.clip.frame_numbers[:1], sample.clip.name)
        return sample, ForegroundMasks(mask, "given", remarks)
    sample = _from_first_picture(video, options, progress)
    clip, foreground = from_first_object(sample.clip, find_masks(sample.clip, options.mask, progress))
    return dataclasses.replace(sample, clip=clip), foreground


def _sampled(video: Path | VideoClip, frames: FrameRange, options: AnimateOptions, progress: Progress) -> VideoSample:
    if isinstance(video, VideoClip):
        return sample_clip(video, SAMPLED_FRAMES)
    return sample_video(video, frames, SAMPLED_FRAMES, progress, options.video_fps)


def _from_first_picture(video: Path | VideoClip, options: AnimateOptions, progress: Progress) -> VideoSample:
    """As motion324.video.shots.from_first_picture would have it, without reading all frames before that."""
    if isinstance(video, VideoClip):
        return sample_clip(from_first_picture(video), SAMPLED_FRAMES)
    sample = _sampled(video, options.frames, options, progress)
    count = first_picture(blank_frames(sample.clip))
    if not 0 < count < len(sample.clip.frames):
        return sample
    step = options.frames[2]
    start, blank, shown = (int(sample.clip.frame_numbers[k]) for k in (0, count - 1, count))
    while shown - blank > step:
        middle = blank + (shown - blank) // (2 * step) * step
        one = sample_video(video, (middle, middle + 1, 1), 1, progress)
        blank, shown = (middle, shown) if blank_frames(one.clip)[0] else (blank, middle)
    later = _sampled(video, (shown, options.frames[1], step), options, progress)
    if len(later.clip.frames) < 2:
        return sample
    remark = begins_later(np.arange(start, shown, step), shown, later.clip.name)
    return dataclasses.replace(later, clip=dataclasses.replace(later.clip, warnings=(*later.clip.warnings, remark)))


def make_first_mesh(
    video: Path | VideoClip,
    options: AnimateOptions,
    settings: MeshSettings,
    *,
    progress: Progress = silent,
) -> MadeMesh:
    """The mesh that motion324.from_video.run.from_video would animate, from a few frames of all.

    Of the options, frames, video_fps and mask count. The mask is the one that motion324.pipeline.examine.examine
    finds. Raises Motion324Error: what is wrong with video, options, foreground or provider; Cancelled.
    """
    options.check()
    check_mask_option(options.mask)
    provider = get_provider(settings)
    sample, foreground = look_at_first(video, options, progress)
    clip = sample.clip
    provided = provider.provide(ObjectPicture(clip.frames[0], foreground.masks[0], Path(clip.name).stem), progress)
    return MadeMesh(
        mesh=provided.mesh,
        rough_view=provided.rough_view if provided.view is None else "front",
        frame_number=int(clip.frame_numbers[0]),
        mask_method=foreground.method,
        provider=provider.name,
        licence=provider.licence,
        warnings=(*clip.warnings, *foreground.warnings, *provided.mesh.warnings),
        details=provided.details,
    )
