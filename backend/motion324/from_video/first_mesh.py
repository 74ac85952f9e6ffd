"""Makes a mesh of what a video's first used frame shows, without reading the whole video."""

from __future__ import annotations

from pathlib import Path

from motion324.core.clip import VideoClip
from motion324.core.mesh_settings import MeshSettings
from motion324.core.options import AnimateOptions
from motion324.core.progress import Progress, silent
from motion324.core.result import MadeMesh
from motion324.mesh_providers.interface import ObjectPicture
from motion324.mesh_providers.registry import get_provider
from motion324.pipeline.examine import look_at_first
from motion324.video.foreground import check_mask_option


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
