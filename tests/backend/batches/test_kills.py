"""A worker is killed in each phase of an item, and the driver of a cluster: nothing is lost, doubled or left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
from killed_in import KilledIn
from ray_harness import (
    Seen,
    add,
    check_each_once,
    processes_of_workers,
    run,
    unseen,
)
from stand_in_animator import check_right, write_items

from motion324.batches import ray_cluster
from motion324.batches.jobs import JobFile, run_jobs
from motion324.batches.processes import Processes

FETCHING, EXPORT, UPLOAD = "motion324.batches.job_task:fetched", "numpy:savez", "shutil:copyfileobj"
ARRIVAL, DISPATCH = "motion324.batches.ray_worker:unpacked", "motion324.batches.ray_worker:outputs_packed"


def elsewhere(folder, count):
    """The items' videos and outputs at addresses, of which fsspec knows that they lie on this machine."""
    lines = write_items(folder, [{}] * count)
    (folder / "out").mkdir()
    for number, line in enumerate(lines):
        line["video"] = f"local://{folder}/{number}.json"
        line["outputs"] = {"npz": f"local://{folder}/out/{number}.npz"}
    (folder / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def nothing_is_left_in(folder):
    assert sorted(path.name for path in (folder / "out").iterdir() if path.suffix != ".npz") == []
    assert sorted(path.stem for path in (folder / "out").iterdir()) == ["0", "1", "2"]
    assert not list(folder.glob(".*unfinished*"))


@pytest.fixture
def temporary(tmp_path_factory, monkeypatch):
    """The folder for temporary files of this test's processes."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("phase", [FETCHING, EXPORT, UPLOAD])
def test_a_worker_that_is_killed_in_any_phase_leaves_the_old_output_and_no_other_file(tmp_path, temporary, phase):
    if phase == EXPORT:
        write_items(tmp_path, [{}] * 3)
        (tmp_path / "out").mkdir()
    else:
        pytest.importorskip("fsspec")
        elsewhere(tmp_path, 3)
    for number in range(3):
        (tmp_path / "out" / f"{number}.npz").write_bytes(b"an older one")
    mark = tmp_path / "mark"
    once = run_jobs(
        JobFile.read(tmp_path / "jobs.jsonl"), Processes(1), Seen(), retries=0, animator=KilledIn(phase, mark)
    )
    assert (once.done, once.failed) == (2, 1) and mark.exists()
    assert (tmp_path / "out" / "0.npz").read_bytes() == b"an older one"
    nothing_is_left_in(tmp_path)
    again = run_jobs(JobFile.read(tmp_path / "jobs.jsonl"), Processes(1), Seen(), animator=KilledIn(phase, mark))
    assert (again.kept, again.done) == (2, 1)
    check_right(tmp_path, range(3))
    assert not list(temporary.glob("motion324-*"))


@pytest.mark.long
@pytest.mark.parametrize("phase", [ARRIVAL, EXPORT, DISPATCH])
def test_an_item_whose_worker_is_killed_in_any_phase_runs_again_on_the_cluster(cluster, tmp_path, monkeypatch, phase):
    add(cluster, 2)
    write_items(tmp_path, [{}] * 3)
    original, mark = ray_cluster.needs_of, tmp_path / "mark"
    travels = phase != EXPORT
    if travels:
        monkeypatch.setattr(ray_cluster, "needs_of", lambda task, lock: unseen(original(task, lock)))
    summary, results = run(tmp_path, cluster, lock=not travels, animator=KilledIn(phase, mark))
    assert (summary.done, summary.failed) == (3, 0) and mark.exists()
    assert sorted(result.get("attempts", 1) for result in results) == [1, 1, 2]
    check_each_once(tmp_path, 3)
    nothing_is_left_in(tmp_path)
    assert not processes_of_workers()


@pytest.mark.long
def test_a_cluster_whose_driver_is_killed_ends_its_workers_and_goes_on_from_the_record(cluster, tmp_path):
    add(cluster, 2)
    write_items(tmp_path, [{}, {}, {"seconds": 600}, {"seconds": 600}])
    (tmp_path / "driver.py").write_text(
        "import sys; from pathlib import Path\n"
        "from stand_in_animator import stand_in\n"
        "from motion324.batches.jobs import JobFile, run_jobs\n"
        "from motion324.batches.ray_cluster import RayCluster\n"
        "from motion324.batches.scripting import _Quiet\n"
        "run_jobs(JobFile.read(Path('jobs.jsonl')), RayCluster(sys.argv[1]), _Quiet(None), animator=stand_in)\n"
    )
    process = subprocess.Popen([sys.executable, "driver.py", cluster.address], cwd=tmp_path, env=os.environ)
    record = tmp_path / "jobs.results.jsonl"
    until = time.monotonic() + 120
    while time.monotonic() < until and not (record.exists() and record.read_text().count("\n") == 2):
        time.sleep(0.05)
    assert processes_of_workers()
    process.send_signal(signal.SIGKILL)
    process.wait()
    killed = time.monotonic()
    while time.monotonic() < killed + 30 and processes_of_workers():
        time.sleep(0.05)
    assert not processes_of_workers()
    print(f"workers had gone {time.monotonic() - killed:.1f} s after their driver")
    for number in (2, 3):
        (tmp_path / f"{number}.json").write_text(json.dumps({"step": number + 1.0}))
    summary, _ = run(tmp_path, cluster)
    assert (summary.kept, summary.done) == (2, 2)
    check_each_once(tmp_path, 4)
    with np.load(tmp_path / "out" / "3.npz") as arrays:
        assert arrays["positions"].shape == (4, 3, 3)
