"""A quick look at a video, and at how a mesh fits it, before an animation job: seconds, however long the video is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.normalisation import normalised_mesh
from motion324.core.options import AnimateOptions, names_mask_files
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.result import Examination
from motion324.mesh.checks import check_mesh
from motion324.video.foreground import check_mask_option, find_masks
from motion324.video.foreground.given import first_given_mask
from motion324.video.foreground.masks import mask_warnings
from motion324.video.sampling import VideoSample, sample_clip, sample_video
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

    Of the options, frames, video_fps, mask and view count. The mask is animate's own as far as it depends on single
    frames or on the background, and differs from it in details where its neighbours in time would have had a say.
    Raises Motion324Error as animate does: what is wrong with video, options, foreground or mesh; Cancelled.
    """
    options.check()
    check_mask_option(options.mask)
    if mesh is not None:
        check_mesh(mesh)
    if isinstance(video, VideoClip):
        sample = sample_clip(video, SAMPLED_FRAMES)
    else:
        sample = sample_video(video, options.frames, SAMPLED_FRAMES, progress, options.video_fps)
    mask, method, mask_remarks = first_mask(sample, options, progress)
    clip = sample.clip
    warnings = [*clip.warnings, *mask_remarks]
    view = overlap = None
    if mesh is not None:
        progress("view", 0, 1)
        match = find_view(normalised_mesh(mesh)[0], clip.frames[0], mask, options.view, progress)
        view, overlap = match.view, float(match.overlap)
        warnings += [*mesh.warnings, *overlap_warnings(overlap, mesh.name, clip.name)]
    return Examination(
        frame=clip.frames[0],
        mask=mask,
        mask_method=method,
        frame_number=int(clip.frame_numbers[0]),
        frame_count=sample.frame_count,
        used_count=sample.used,
        fps=sample.fps,
        size=sample.size,
        warnings=tuple(warnings),
        view=view,
        silhouette_overlap=overlap,
    )


def first_mask(
    sample: VideoSample, options: AnimateOptions, progress: Progress
) -> tuple[np.ndarray, str, tuple[dict[str, str], ...]]:
    """The mask (H, W) float32 of the first frame, how it was found, and warnings."""
    clip = sample.clip
    if not names_mask_files(options.mask):
        found = find_masks(clip, options.mask, progress)
        return found.masks[0], found.method, found.warnings
    mask = first_given_mask(sample, Path(options.mask), progress)
    return mask, "given", mask_warnings(mask[None], clip.frame_numbers[:1], clip.name)
