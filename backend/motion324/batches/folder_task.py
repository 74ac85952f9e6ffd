"""Does one item of a batch of folders, and keeps its log beside the result."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from motion324.batches.executor import Workplace
from motion324.batches.items import DONE, FAILED, OWN, RIGGED, BatchItem, Outcome, mark_done
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.input_files import check_inputs_stay, inputs_of_job
from motion324.core.files.write_aside import system_error
from motion324.core.jobs.job_resources import JobResources, Resources
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.processes.machine import is_out_of_memory
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh

LOG = "log.txt"


@dataclass(frozen=True)
class FolderTask:
    """A Task that leaves an item's files in a folder. blender: reads FBX and .blend, and writes FBX and turntables of
    meshes that are made. overlay: also leave a video beside the input."""

    item: BatchItem
    folder: Path
    blender: Path | None
    overlay: bool

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def resources(self) -> Resources:
        return JobResources().found(self.item.options, needs_blender=False)

    @property
    def needs_blender(self) -> bool:
        return False  # what it takes one for, it starts by itself

    def run(self, workplace: Workplace, progress: Progress) -> Outcome:
        """Leaves the item's files and its log; whatever goes wrong is told in the outcome. Raises Cancelled."""
        began = time.perf_counter()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with logged_to(self.folder / LOG):
                return _animate(self, progress, began)
        except Cancelled:
            raise
        except Exception as error:  # one item's defect leaves the others alone
            told = explained(error)
            return _failed(self, began, told.code, str(told))


def explained(error: Exception) -> Motion324Error:
    """What people are told of what an item has raised."""
    if isinstance(error, Motion324Error):
        return error
    if is_out_of_memory(error):
        return Motion324Error("out-of-memory", "The memory of this machine is not enough.")
    known = system_error(error)
    return known or Motion324Error("internal", f"A defect of this program: {type(error).__name__}: {error}.")


def _animate(task: FolderTask, progress: Progress, began: float) -> Outcome:
    mesh = task.item.mesh
    try:
        outcome, warnings = (
            _from_mesh(task, mesh, progress) if isinstance(mesh, Path) else _from_video(task, mesh, progress)
        )
        mark_done(task.folder, task.item, task.overlay or not isinstance(mesh, Path))  # the way from a video keeps one
    except Exception:
        logging.error("%s", traceback.format_exc())
        raise
    for warning in warnings:
        logging.warning("%s", warning["sentence"])
    return dataclasses.replace(outcome, seconds=round(time.perf_counter() - began, 3))


def _from_mesh(task: FolderTask, path: Path, progress: Progress) -> tuple[Outcome, list[dict[str, str]]]:
    """The outcome, and the warnings."""
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate
    from motion324.trajectories.result_files import KeepOptions

    item = task.item
    keep = KeepOptions(task.folder, overlay=task.overlay)
    check_inputs_stay(keep.files(), inputs_of_job(path, item.video, item.options))
    mesh = read_mesh(path, blender=task.blender)
    result = animate(mesh, item.video, item.options, progress=progress, keep=keep)
    outcome = Outcome(
        item.name,
        DONE,
        frames=len(result.positions),
        vertices=result.positions.shape[1],
        reconstructor=str(result.report["reconstructor"]),
        overlap=float(result.report["silhouette_overlap"]),
    )
    return outcome, [*result.report["warnings"], *(_rigged(task, mesh, path, progress) if item.rig else ())]


def _rigged(task: FolderTask, mesh: ReferenceMesh, path: Path, progress: Progress) -> tuple[dict[str, str], ...]:
    """Leaves the mesh with keyframes on bones beside the result -> warnings."""
    from motion324.core.files.trajectory_file import load_trajectory
    from motion324.pipeline.rig_files import key_rig_of_file, make_rig_file
    from motion324.trajectories.result_files import TRAJECTORY

    trajectory, target = load_trajectory(task.folder / TRAJECTORY), task.folder / RIGGED
    settings = task.item.rig_settings
    if task.item.rig == OWN:
        rigged = key_rig_of_file(trajectory, path, target, settings, blender=task.blender, progress=progress)
    else:
        rigged = make_rig_file(trajectory, target, settings, mesh, blender=task.blender, progress=progress)
    return rigged.motion.warnings


def _from_video(task: FolderTask, settings: MeshSettings, progress: Progress) -> tuple[Outcome, list[dict[str, str]]]:
    """The same with a mesh that is made from the video's first frame, and all that the way there leaves."""
    from motion324.from_video.run import from_video

    item = task.item
    result = from_video(item.video, task.folder, item.options, settings, blender=task.blender, progress=progress)
    found = next(stage.result for stage in result.stages if stage.name == "animation")
    outcome = Outcome(
        item.name,
        DONE,
        frames=result.frames,
        vertices=result.vertices,
        reconstructor=str(found["reconstructor"]),
        overlap=float(found["silhouette_overlap"]),
    )
    return outcome, list(result.warnings)


def _failed(task: FolderTask, began: float, code: str, sentence: str) -> Outcome:
    seconds = round(time.perf_counter() - began, 3)
    return Outcome(task.item.name, FAILED, seconds=seconds, code=code, sentence=sentence)


@contextlib.contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Logging of the block goes into a file, replacing an earlier one."""
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
