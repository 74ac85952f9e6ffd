"""Is one worker of a Ray cluster: an actor that does one item after the other, so that models are loaded once."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324 import __version__
from motion324.batches.executor import Task, Workplace
from motion324.batches.moving import Needs, Parcel, Seen, moved, outputs_packed, seen_here, unpacked
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.owned_folder import OwnedFolder, remove_abandoned

SCRATCH = "motion324-item-"
PATIENCE = 2.0  # seconds in which an item that is stopped may clean up


@dataclass(frozen=True)
class Hello:
    """What a worker says of itself. blender: whether there is one."""

    node: str
    version: str
    blender: bool


@dataclass(frozen=True)
class Done:
    """answer: what the task returned. sent: outputs and log, where the driver's folders are not seen here."""

    answer: Any
    sent: Parcel | None = None


class RayWorker:
    """The actor. Its methods run side by side: `look` and `stop` while `run` is at work."""

    def __init__(self, threads: int) -> None:
        for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):  # before anything loads numba or OpenMP
            os.environ[name] = str(threads)
        self._workplace = Workplace()
        self._state = ("", 0, 0)
        self._stopped = False
        self._working = threading.Lock()
        remove_abandoned(SCRATCH, Path(tempfile.gettempdir()))  # of workers that were killed

    def hello(self, blender: Path | None) -> Hello:
        import ray

        context = ray.get_runtime_context()
        from motion324.blender.blender_reading import find_blender

        try:
            there = find_blender(blender) is not None
        except Motion324Error:
            there = False
        return Hello(f"{ray.util.get_node_ip_address()} {context.get_node_id()[:6]}", __version__, there)

    def sees(self, needs: Needs) -> Seen:
        return seen_here(needs)

    def run(self, task: Task, sent: dict[str, Parcel], outputs_seen: bool) -> Done:
        """sent: the inputs that are not seen here, by their paths. Raises Cancelled."""
        self._state = ("", 0, 0)
        with self._working:
            if not sent and outputs_seen:
                return Done(task.run(self._workplace, self._progress))
            return self._run_moved(task, sent, outputs_seen)

    def look(self) -> tuple[str, int, int]:
        """Stage, done and total of the item that is at work."""
        return self._state

    def stop(self) -> None:
        """Has the item at work end as soon as it looks, and then this process, which waits for no cluster to do so."""
        self._stopped = True
        threading.Thread(target=self._end, name="end", daemon=True).start()

    def _end(self) -> None:
        if self._working.acquire(timeout=PATIENCE):
            self._workplace.close()
        os._exit(0)

    def _progress(self, stage: str, done: int, total: int) -> None:
        if self._stopped:
            raise Cancelled
        self._state = (stage, done, total)

    def _run_moved(self, task: Any, sent: dict[str, Parcel], outputs_seen: bool) -> Done:
        import ray

        scratch = OwnedFolder(SCRATCH, Path(tempfile.gettempdir()))
        try:
            places = {}
            for number, (path, parcel) in enumerate(sent.items()):
                folder = scratch.path / "inputs" / str(number)
                single = Path(path).name in parcel.files
                folder = folder if single else folder / Path(path).name
                unpacked(parcel, folder, ray.get)
                places[path] = folder / Path(path).name if single else folder
            other = moved(task, places, None if outputs_seen else scratch.path / "outputs")
            answer = other.run(self._workplace, self._progress)
            return Done(answer, None if outputs_seen else outputs_packed(other, task, ray.put))
        finally:
            shutil.rmtree(scratch.path / "inputs", ignore_errors=True)
            scratch.remove()
