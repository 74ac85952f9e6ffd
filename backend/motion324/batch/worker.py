"""A process of a batch: it takes items one after the other, so that what a reconstructor loads is loaded once."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from motion324.batch.items import BatchItem
from motion324.batch.outcomes import DONE, FAILED, Outcome, mark_done
from motion324.errors import Motion324Error

LOG = "log.txt"


@dataclass(frozen=True)
class Task:
    """folder: of the result. blender: reads FBX and .blend. overlay: also leave a video beside the input."""

    item: BatchItem
    folder: Path
    blender: Path | None
    overlay: bool


def work(connection: Connection, threads: int) -> None:
    """Takes Tasks until None comes or the other end is gone, and answers each with its Outcome."""
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))  # before anything loads numba or OpenMP
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which then ends us by SIGTERM
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        while (task := connection.recv()) is not None:
            connection.send(animate_item(task))


def animate_item(task: Task) -> Outcome:
    """Leaves the item's files and its log in task.folder; whatever goes wrong is told in the outcome."""
    began = time.perf_counter()
    try:
        task.folder.mkdir(parents=True, exist_ok=True)
        with _logged_to(task.folder / LOG):
            return _animate(task, began)
    except Motion324Error as error:
        return _failed(task, began, error.code, str(error))
    except MemoryError:
        return _failed(task, began, "out-of-memory", "The memory of this machine is not enough.")
    except Exception as error:  # one item's defect leaves the others alone
        return _failed(task, began, "internal", f"A defect of this program: {type(error).__name__}: {error}.")


def _animate(task: Task, began: float) -> Outcome:
    from motion324.mesh.reading import read_mesh
    from motion324.pipeline import animate
    from motion324.trajectories.result_files import KeepOptions

    item = task.item
    try:
        mesh = read_mesh(item.mesh, blender=task.blender)
        keep = KeepOptions(task.folder, overlay=task.overlay)
        result = animate(mesh, item.video, item.options, keep=keep)
        mark_done(task.folder, item)
    except Exception:
        logging.error("%s", traceback.format_exc())
        raise
    for warning in result.report["warnings"]:
        logging.warning("%s", warning["sentence"])
    return Outcome(
        item.name,
        DONE,
        frames=len(result.positions),
        vertices=result.positions.shape[1],
        seconds=round(time.perf_counter() - began, 3),
        reconstructor=str(result.report["reconstructor"]),
        overlap=float(result.report["silhouette_overlap"]),
    )


def _failed(task: Task, began: float, code: str, sentence: str) -> Outcome:
    seconds = round(time.perf_counter() - began, 3)
    return Outcome(task.item.name, FAILED, seconds=seconds, code=code, sentence=sentence)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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
