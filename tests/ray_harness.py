"""A simulated Ray cluster of this machine for tests: its nodes, its workers, and batches on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
from pathlib import Path

from stand_in_animator import check_right, stand_in

from motion324.batches.jobs import JobFile, run_jobs
from motion324.core.files.exclusive_use import Hold

MEMORY = int(8e9)  # bytes that a node says to have


def add(cluster, cores=1):
    return cluster.add_node(num_cpus=cores, memory=MEMORY)


def end_machine(node):
    """As when a machine goes: at once, with all that runs on it."""
    raylet = node.all_processes["raylet"][0].process.pid
    workers = subprocess.run(["pgrep", "-P", str(raylet)], capture_output=True, text=True).stdout.split()
    for pid in (raylet, *map(int, workers)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Seen:
    """A Watcher that keeps results, and calls `act` with counts, running items and workers."""

    def __init__(self, act=lambda counts, running, workers: None):
        self.results, self._act = [], act

    def show(self, counts, running, workers):
        self._act(counts, running, workers)

    def ended(self, result):
        self.results.append(result)


def run(folder, cluster, seen=None, lock=True, **more):
    from motion324.batches.ray_cluster import RayCluster

    jobs = JobFile.read(folder / "jobs.jsonl")
    held = Hold(jobs.record, "", is_folder=False).lock_path if lock else folder / "nowhere"
    executor = RayCluster(cluster.address, lock=held, limit=more.pop("limit", None))
    seen = seen or Seen()
    return run_jobs(jobs, executor, seen, **{"animator": stand_in, **more}), seen.results


def processes_of_workers() -> list[int]:
    """Of RayWorker actors on this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if name.startswith(b"ray::RayWorker"):
                found.append(int(entry.name))
    return found


def check_each_once(folder, count):
    record = [json.loads(line) for line in (folder / "jobs.results.jsonl").read_text().splitlines()]
    assert sorted(result["line"] for result in record) == list(range(1, count + 1))
    assert all(result["ok"] for result in record)
    check_right(folder, range(count))


def unseen(needs):
    """As on a machine without this disk: nothing there is the same file."""
    return dataclasses.replace(needs, inputs={path: {"path": path, "bytes": -1} for path in needs.inputs})
