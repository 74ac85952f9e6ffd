"""Is one process of a batch: it takes items one after the other, so that what a reconstructor loads is loaded once."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from motion324.batch.items import DONE, FAILED, OWN, RIGGED, BatchItem, Outcome, mark_done
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.input_files import check_inputs_stay, inputs_of_job
from motion324.core.interruption import Interruption, looking
from motion324.core.machine import is_out_of_memory
from motion324.core.mesh_settings import MeshSettings
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.write_aside import system_error

LOG = "log.txt"


@dataclass(frozen=True)
class Task:
    """folder: of the result. blender: reads FBX and .blend, and writes FBX and turntables of meshes that are made.
    overlay: also leave a video beside the input."""

    item: BatchItem
    folder: Path
    blender: Path | None
    overlay: bool


def work(connection: Connection, threads: int) -> None:
    """Takes Tasks until None comes or the other end is gone, and answers each with its Outcome."""
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))  # before anything loads numba or OpenMP
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which then ends us by SIGTERM
    with Interruption() as told, contextlib.suppress(KeyboardInterrupt, Cancelled, EOFError, BrokenPipeError):
        while (task := connection.recv()) is not None:
            outcome = animate_item(task)
            told.look()
            connection.send(outcome)


def animate_item(task: Task) -> Outcome:
    """Leaves the item's files and its log in task.folder; whatever goes wrong is told in the outcome.

    Raises Cancelled.
    """
    began = time.perf_counter()
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        with _logged_to(task.folder / LOG):
            return _animate(task, began)
    except Cancelled:
        raise
    except Motion324Error as error:
        return _failed(task, began, error.code, str(error))
    except Exception as error:  # one item's defect leaves the others alone
        if is_out_of_memory(error):
            return _failed(task, began, "out-of-memory", "The memory of this machine is not enough.")
        if known := system_error(error):
            return _failed(task, began, known.code, str(known))
        return _failed(task, began, "internal", f"A defect of this program: {type(error).__name__}: {error}.")


def _animate(task: Task, began: float) -> Outcome:
    mesh = task.item.mesh
    try:
        outcome, warnings = _from_mesh(task, mesh) if isinstance(mesh, Path) else _from_video(task, mesh)
        mark_done(task.folder, task.item, task.overlay or not isinstance(mesh, Path))  # the way from a video keeps one
    except Exception:
        logging.error("%s", traceback.format_exc())
        raise
    for warning in warnings:
        logging.warning("%s", warning["sentence"])
    return dataclasses.replace(outcome, seconds=round(time.perf_counter() - began, 3))


def _from_mesh(task: Task, path: Path) -> tuple[Outcome, list[dict[str, str]]]:
    """The outcome, and the warnings."""
    from motion324.mesh.files.reading import read_mesh
    from motion324.pipeline.animate import animate
    from motion324.trajectories.result_files import KeepOptions

    item = task.item
    keep = KeepOptions(task.folder, overlay=task.overlay)
    check_inputs_stay(keep.files(), inputs_of_job(path, item.video, item.options))
    mesh = read_mesh(path, blender=task.blender)
    result = animate(mesh, item.video, item.options, progress=looking, keep=keep)
    outcome = Outcome(
        item.name,
        DONE,
        frames=len(result.positions),
        vertices=result.positions.shape[1],
        reconstructor=str(result.report["reconstructor"]),
        overlap=float(result.report["silhouette_overlap"]),
    )
    return outcome, [*result.report["warnings"], *(_rigged(task, mesh, path) if item.rig else ())]


def _rigged(task: Task, mesh: ReferenceMesh, path: Path) -> tuple[dict[str, str], ...]:
    """Leaves the mesh with keyframes on bones beside the result -> warnings."""
    from motion324.core.rig_settings import RigSettings
    from motion324.core.trajectory_file import load_trajectory
    from motion324.pipeline.rig_files import key_rig_of_file, make_rig_file
    from motion324.trajectories.result_files import TRAJECTORY

    trajectory, target = load_trajectory(task.folder / TRAJECTORY), task.folder / RIGGED
    if task.item.rig == OWN:
        rigged = key_rig_of_file(trajectory, path, target, RigSettings(), blender=task.blender, progress=looking)
    else:
        rigged = make_rig_file(trajectory, target, RigSettings(), mesh, blender=task.blender, progress=looking)
    return rigged.motion.warnings


def _from_video(task: Task, settings: MeshSettings) -> tuple[Outcome, list[dict[str, str]]]:
    """The same with a mesh that is made from the video's first frame, and all that the way there leaves."""
    from motion324.from_video.run import from_video

    item = task.item
    result = from_video(item.video, task.folder, item.options, settings, blender=task.blender, progress=looking)
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


def _failed(task: Task, began: float, code: str, sentence: str) -> Outcome:
    seconds = round(time.perf_counter() - began, 3)
    return Outcome(task.item.name, FAILED, seconds=seconds, code=code, sentence=sentence)


@contextlib.contextmanager
def _logged_to(path: Path) -> Iterator[None]:
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
