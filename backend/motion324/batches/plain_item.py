"""Does an item of a job file that needs no Blender."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motion324.core.files.owned_folder import UNFINISHED, OwnedFolder
from motion324.core.files.point_cache import ONLY_A_CACHE, Pc2Writer
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.jobs.job_file import check_inputs_of
from motion324.core.jobs.job_item import JobItem
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh, turned_z_up
from motion324.core.result import AnimationResult

OF_GLTF = (".glb", ".gltf")  # whose meshes Blender's importer turns, while it leaves others and turns their objects
_FRAMES_AT_ONCE = 16

# (the item, a folder for the files of `motion324 animate` with the overlay or None, progress) -> mesh and result
Animator = Callable[[JobItem, Path | None, Progress], tuple[ReferenceMesh, AnimationResult]]


def animated(item: JobItem, keep: Path | None, progress: Progress) -> tuple[ReferenceMesh, AnimationResult]:
    """By the pipeline. Raises Motion324Error, Cancelled."""
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate
    from motion324.trajectories.result_files import KeepOptions

    mesh = read_mesh(item.path(item.mesh), progress=progress)
    kept = KeepOptions(keep, overlay=True) if keep else None
    return mesh, animate(mesh, item.path(item.video), item.options, progress=progress, keep=kept)


def do_plain_item(item: JobItem, progress: Progress, animator: Animator = animated) -> dict[str, Any]:
    """Writes the outputs; what a record tells of them. Raises Motion324Error, Cancelled.

    Positions are in the axes that a mesh has in Blender after its importer (Z up, where the file is glTF), in the
    file's order of vertices.
    """
    check_inputs_of(item)
    for path in item.outputs.values():
        with explained_write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        keep = None
        if "overlay" in item.outputs:
            with explained_write_errors(item.outputs["overlay"]):
                staging = OwnedFolder(UNFINISHED, item.outputs["overlay"].parent)
            stack.callback(staging.remove)
            keep = staging.path / "result"
        mesh, result = animator(item, keep, progress)
        if Path(item.mesh).suffix.lower() in OF_GLTF:
            result = dataclasses.replace(result, positions=turned_z_up(result.positions))
        for name, path in item.outputs.items():
            if name == "npz":
                save_trajectory(path, result, mesh.faces)
            elif name == "pc2":
                _write_pc2(path, result, item.start)
            else:
                assert keep is not None
                with explained_write_errors(path):
                    (keep / "overlay.mp4").replace(path)
    return {
        "frames": len(result.positions),
        "vertices": result.positions.shape[1],
        "fps": result.fps,
        "outputs": item.told_outputs(),
        "losses": {"pc2": [ONLY_A_CACHE]} if "pc2" in item.outputs else {},
        "report": result.report,
    }


def _write_pc2(path: Path, result: AnimationResult, start: int) -> None:
    with written_aside(path) as aside, Pc2Writer(aside, result.positions.shape[1], float(start), 1.0) as writer:
        for first in range(0, len(result.positions), _FRAMES_AT_ONCE):
            writer.append(result.positions[first : first + _FRAMES_AT_ONCE])
