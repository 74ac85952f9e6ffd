"""Works items off on a Ray cluster: workers on all its machines, new ones where machines come, and the items of those
that go are done again by the scheduler.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from motion324 import __version__
from motion324.batches.executor import Beat, Ended, Lost, Running, Task
from motion324.batches.job_task import JobTask
from motion324.batches.moving import Needs, Parcel, Seen, needs_of, packed, unpacked
from motion324.batches.ray_connection import AUTO, connect, has_answered, why_it_failed
from motion324.batches.ray_worker import RayWorker
from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.jobs.job_resources import Resources

PATIENCE = 2.5  # seconds that workers get to clean up before they are killed
GONE = 1.5  # seconds in which those that were killed have to be gone
LOOK_AT_NODES = 1.0  # seconds between two looks at the cluster's machines, and at what workers are doing
ANSWER = 30.0  # seconds in which a worker says what it sees
FIRST_WORKER = 120.0  # seconds in which the first one has to be there
MOST_FAILURES = 4


@dataclass
class _Worker:
    """node: "" until it has said its hello. given: the item at work, with its reference."""

    actor: Any
    resources: Resources
    hello: Any
    node: str = ""
    has_blender: bool = False
    state: Running | None = None
    task: Task | None = None
    reference: Any = None
    looked: Any = None


class RayCluster:
    """An Executor; see there. Inputs and outputs go by shared paths where workers see them, else through Ray."""

    def __init__(
        self, address: str = AUTO, *, limit: int | None = None, blender: Path | None = None, lock: Path | None = None
    ) -> None:
        """address: host:port, or AUTO for the cluster that this machine belongs to. limit: workers at the most; None
        for as many as the machines hold, while a number has an autoscaler bring machines for them. lock: with which the
        record is held."""
        self._address, self._limit, self._blender, self._lock = address, limit, blender, lock
        self._workers: list[_Worker] = []
        self._events: list[Ended | Lost] = []
        self._nodes: list[Resources] = []
        self._looked = -math.inf
        self._failures = 0  # of workers that could not be started, since one could

    def __enter__(self) -> Self:
        """Raises Motion324Error("ray-missing", "ray-unreachable")."""
        connect(self._address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        if kind is not None:
            for worker in self._workers:
                with contextlib.suppress(Exception):
                    worker.actor.stop.remote()
            self._until_gone(self._workers, PATIENCE)
        for worker in self._workers:
            with contextlib.suppress(Exception):
                ray.kill(worker.actor)
        self._until_gone(self._workers, GONE)
        self._workers.clear()

    def _until_gone(self, workers: list[_Worker], patience: float) -> None:
        """What a worker is asked has an answer, an error, as soon as it has gone."""
        import ray

        with contextlib.suppress(Exception):
            until = time.monotonic() + patience
            left = list(workers)
            while left and time.monotonic() < until:
                asked = {worker.actor.look.remote(): worker for worker in left}
                ready, waiting = ray.wait(list(asked), num_returns=len(asked), timeout=max(0, until - time.monotonic()))
                left = [asked[each] for each in waiting] + [asked[each] for each in ready if has_answered(each)]
                time.sleep(0.05)

    def has_room(self, task: Task) -> bool:
        if self._idle(task):
            return True
        self._grow(task)
        return False

    def start(self, key: int, task: Task) -> None:
        worker = self._idle(task)
        assert worker is not None
        worker.state, worker.task = Running(key, task.name, worker.node), task
        try:
            worker.reference = self._sent(worker, task)
        except Motion324Error as error:  # a disk or a file of this machine
            self._give_up(worker, str(error))
        except Exception as error:
            self._give_up(worker, why_it_failed(error))

    def wait(self, seconds: float, beat: Beat) -> list[Ended | Lost]:
        import ray

        self._look()
        awaited = {}
        for worker in self._workers:
            for reference in (worker.reference, None if worker.node else worker.hello):
                if reference is not None:
                    awaited[reference] = worker
        if awaited:
            ready, _ = ray.wait(list(awaited), num_returns=1, timeout=0 if self._events else seconds)
            for reference in ready:
                self._ready(awaited[reference], reference)
        elif not self._events:
            time.sleep(seconds)
        events, self._events = self._events, []
        return events

    def running(self) -> list[Running]:
        return [worker.state for worker in self._workers if worker.state]

    def workers(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for worker in self._workers:
            if worker.node:
                found[worker.node] = found.get(worker.node, 0) + 1
        return found

    def _idle(self, task: Task) -> _Worker | None:
        fitting = (worker for worker in self._workers if worker.node and worker.state is None)
        fitting = (worker for worker in fitting if worker.resources == task.resources)
        return next((worker for worker in fitting if worker.has_blender or not task.needs_blender), None)

    def _grow(self, task: Task) -> None:
        """Starts workers as the cluster holds, and ends idle ones that stand in the way."""
        import ray

        self._see_nodes()
        wanted = sum(_count(node, task.resources) for node in self._nodes)
        wanted = wanted if self._limit is None else self._limit
        while len(self._workers) < wanted:
            self._workers.append(self._started(task.resources))
        other = next((w for w in self._workers if w.state is None and w.node and w.resources != task.resources), None)
        if other is not None:
            self._workers.remove(other)
            ray.kill(other.actor)
            self._workers.append(self._started(task.resources))

    def _started(self, needed: Resources) -> _Worker:
        import ray

        options: dict[str, Any] = {
            "num_cpus": needed.cpus,
            "num_gpus": needed.gpus,
            "memory": int(needed.memory * 1e9),
            "max_restarts": 0,
            "max_concurrency": 4,  # that it answers while an item is at work
        }
        kind: Any = ray.remote(**options)(RayWorker)
        actor = kind.remote(max(1, int(needed.cpus)))
        return _Worker(actor, needed, actor.hello.remote(self._blender))

    def _sent(self, worker: _Worker, task: Task) -> Any:
        """The reference of the item at work. Raises what Ray raises where the worker has gone."""
        import ray

        parcels: dict[str, Parcel] = {}
        seen = Seen()
        if isinstance(task, JobTask) and self._lock is not None:
            needs: Needs = needs_of(task, self._lock)
            seen = ray.get(worker.actor.sees.remote(needs), timeout=ANSWER)
            parcels = {path: packed(Path(path), ray.put) for path in seen.lacks}
        return worker.actor.run.remote(task, parcels, seen.outputs)

    def _ready(self, worker: _Worker, reference: Any) -> None:
        """Something has come of what a worker was asked."""
        import ray

        try:
            answer = ray.get(reference)
            if reference is worker.hello:
                self._greet(worker, answer)
                return
            if answer.sent is not None:
                unpacked(answer.sent, Path(), ray.get)
        except Motion324Error as error:
            self._give_up(worker, str(error))
            return
        except ray.exceptions.RayTaskError as error:
            if worker.state is None:
                self._give_up(worker, why_it_failed(error))
                return
            # The worker itself lives on.
            self._events.append(Lost(worker.state.key, why_it_failed(error), worker.node))
        except Exception as error:  # Ray's own, of many kinds: the worker or its machine has gone
            self._give_up(worker, why_it_failed(error))
            return
        else:
            assert worker.state is not None
            self._events.append(Ended(worker.state.key, answer.answer, worker.node))
        worker.state = worker.task = worker.reference = None

    def _greet(self, worker: _Worker, hello: Any) -> None:
        if hello.version != __version__:
            raise Motion324Error(
                "ray-other-version",
                f"The machine '{hello.node}' of the cluster has motion324 {hello.version}, not {__version__}.",
                "Install the same version there.",
                EXIT_USAGE,
            )
        worker.node, worker.has_blender = hello.node, hello.blender
        self._failures = 0

    def _give_up(self, worker: _Worker, why: str) -> None:
        import ray

        if worker in self._workers:
            self._workers.remove(worker)
        with contextlib.suppress(Exception):
            ray.kill(worker.actor)
        if worker.state is not None:
            self._events.append(Lost(worker.state.key, why, worker.node))
        else:
            self._failures += 1
            if self._failures > MOST_FAILURES:
                raise Motion324Error(
                    "ray-worker-failed",
                    f"Workers of the cluster cannot be started: {why}",
                    "Install motion324 in the Python that runs Ray on its machines.",
                    EXIT_BACKEND,
                )
        self._looked = -math.inf

    def _look(self) -> None:
        """What workers are doing, as they told last."""
        import ray

        for worker in self._workers:
            if worker.state is None:
                worker.looked = None
            elif worker.looked is None:
                worker.looked = worker.actor.look.remote(), time.monotonic()
            else:
                reference, asked = worker.looked
                if time.monotonic() - asked >= LOOK_AT_NODES:
                    with contextlib.suppress(Exception):
                        ready, _ = ray.wait([reference], timeout=0)
                        if ready:
                            worker.state.stage, worker.state.done, worker.state.total = ray.get(reference)
                            worker.looked = None

    def _see_nodes(self) -> None:
        import ray

        if time.monotonic() - self._looked < LOOK_AT_NODES:
            return
        self._looked = time.monotonic()
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self._nodes = [
            Resources(node.get("CPU", 0.0), node.get("GPU", 0.0), node.get("memory", 0.0) / 1e9) for node in alive
        ]

    def check_blender(self, needs_blender: bool) -> None:
        """Raises Motion324Error("blender-not-found") where an item needs one and no machine of the cluster has it."""
        if not needs_blender:
            return
        import ray

        with self:
            hellos = [self._started(Resources(cpus=1.0, memory=0.5)) for _ in self._alive()]
            self._workers += hellos
            ready, _ = ray.wait([worker.hello for worker in hellos], num_returns=len(hellos), timeout=FIRST_WORKER / 4)
            if any(ray.get(reference).blender for reference in ready):
                return
        raise Motion324Error(
            "blender-not-found",
            "Items of this job file need Blender, and no machine of the cluster has one.",
            "Install it on the workers, or name its executable with --blender or in MOTION324_BLENDER there.",
            EXIT_BACKEND,
        )

    def _alive(self) -> list[Resources]:
        self._see_nodes()
        return [node for node in self._nodes if node.cpus >= 1.0]


def _count(node: Resources, needed: Resources) -> int:
    """How many workers a machine holds."""
    shares = [
        (node.cpus, needed.cpus),
        (node.gpus, needed.gpus),
        (node.memory, needed.memory),
    ]
    return min(math.floor(there / wanted + 1e-6) for there, wanted in shares if wanted > 0)
