"""Runs the whole way from a video to an animated, coloured mesh."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from motion324.core.files.exclusive_use import Hold
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.progress import Progress, silent
from motion324.from_video.chain import Way
from motion324.from_video.stages import Stage, StageFolder
from motion324.trajectories.result_files import TRAJECTORY


@dataclass(frozen=True)
class FromVideo:
    """stages: in the order in which they were done. warnings: {"code", "sentence"}. licence: of the mesh, if any."""

    folder: Path
    stages: tuple[Stage, ...]
    frames: int
    vertices: int
    warnings: tuple[dict[str, str], ...]
    licence: str

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, of the run that did it."""
        return {stage.name: stage.seconds for stage in self.stages}


def from_video(
    video: Path,
    folder: Path,
    options: AnimateOptions,
    mesh_settings: MeshSettings,
    *,
    blender: Path | None = None,
    again: bool = False,
    progress: Progress = silent,
) -> FromVideo:
    """Leaves frames, masks, crops, mesh.glb, trajectory.npz, animation.pc2, overlay.mp4, animated.glb and index.html in
    `folder`; where Blender is found, animated.fbx and turntable.mp4, too.

    Every stage reads what the ones before have written, and is left out where nothing that it depends on has changed
    since an earlier run, unless all is to be done `again`.
    Raises Motion324Error: what is wrong with video, options, foreground, mesh or folder, before any work where that can
    be known; Cancelled.
    """
    options.check()
    mesh_settings.check()
    with Hold(folder, "output folder"):
        way = Way(video, StageFolder(folder, again), options, mesh_settings, blender, progress)
        way.check()
        clip = way.frames()
        clip, foreground = way.masks(clip)
        way.crops(clip, foreground)
        view = way.mesh(clip, foreground)
        way.animation(clip, foreground, view)
        way.exports()
        way.page(clip, foreground)
        trajectory = load_trajectory(folder / TRAJECTORY)
        told = (way.done[stage].result.get("warnings", ()) for stage in ("mesh", "animation"))
        warnings = [*clip.warnings, *itertools.chain(*told)]
        return FromVideo(
            folder,
            tuple(way.done.values()),
            len(trajectory.positions),
            trajectory.positions.shape[1],
            tuple({warning["sentence"]: warning for warning in warnings}.values()),
            way.done["mesh"].result["licence"],
        )
