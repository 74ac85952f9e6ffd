"""Ten thousand items: the memory of the process that hands them out stays flat."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from stand_in_animator import check_right, stand_in, write_items

from motion324.batches.jobs import JobFile, run_jobs
from motion324.batches.processes import Processes

ITEMS = 10_000
FEW = 1_000
GROWTH = 12e6  # bytes; results of 1 kB each that were kept would be 9 MB, items with their answers several times that


class Memory:
    """A Watcher that notes the bytes of this process after FEW items."""

    def __init__(self):
        self.ended_count, self.after_few = 0, 0

    def show(self, counts, running, workers):
        pass

    def ended(self, result):
        self.ended_count += 1
        if self.ended_count == FEW:
            self.after_few = resident()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.long
def test_the_drivers_memory_stays_flat_over_ten_thousand_items(tmp_path):
    (line,) = write_items(tmp_path, [{"frames": 2}])
    with (tmp_path / "jobs.jsonl").open("w") as jobs:
        for number in range(ITEMS):
            print(json.dumps({**line, "outputs": {"npz": f"out/{number % 100:02d}/{number}.npz"}}), file=jobs)
    memory = Memory()
    summary = run_jobs(JobFile.read(tmp_path / "jobs.jsonl"), Processes(2), memory, animator=stand_in)
    grown = resident() - memory.after_few
    each, before = summary.seconds / ITEMS * 1e3, memory.after_few / 1e6
    print(f"{each:.1f} ms an item; {before:.0f} MB after {FEW} items, grown by {grown / 1e6:.1f} MB")
    assert (summary.done, summary.failed) == (ITEMS, 0)
    assert grown < GROWTH
    assert sum(1 for _ in (tmp_path / "jobs.results.jsonl").open()) == ITEMS
    (tmp_path / "out" / "0.npz").write_bytes((tmp_path / "out" / "00" / "0.npz").read_bytes())
    check_right(tmp_path, [0])
    kept = run_jobs(JobFile.read(tmp_path / "jobs.jsonl"), Processes(2), Memory(), animator=stand_in)
    assert (kept.done, kept.kept) == (0, ITEMS)
