"""Batches of job files in this process and in several: nothing is lost, and what fails stops nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stand_in_animator import check_right, stand_in, write_items

from motion324.batches.here import Here
from motion324.batches.jobs import JobFile, run_jobs
from motion324.batches.processes import Processes
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.exclusive_use import Hold
from motion324.core.files.point_cache import ONLY_A_CACHE

TESTS = Path(__file__).resolve().parents[2]


class Seen:
    """A Watcher that keeps what it is told; stops the batch once `stop_after` items have ended, or are running."""

    def __init__(self, stop_after=None, stop_running=None):
        self.results, self.stop_after, self.stop_running = [], stop_after, stop_running

    def show(self, counts, running, workers):
        if self.stop_after is not None and counts.done >= self.stop_after:
            raise Cancelled
        if self.stop_running is not None and len(running) >= self.stop_running and all(item.stage for item in running):
            raise Cancelled

    def ended(self, result):
        self.results.append(result)


def run(folder, executor=None, seen=None, **more):
    seen = seen or Seen()
    summary = run_jobs(JobFile.read(folder / "jobs.jsonl"), executor or Here(), seen, animator=stand_in, **more)
    return summary, {result["line"]: result for result in seen.results}


EXECUTORS = {"here": Here, "two processes": lambda: Processes(2)}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_every_item_is_done_once_and_told_with_a_log(tmp_path, executor):
    write_items(tmp_path, [{}, {"do": "fail"}, {"frames": 6}, {}], outputs=("npz", "pc2"))
    summary, results = run(tmp_path, executor())
    assert (summary.done, summary.kept, summary.failed) == (3, 0, 1)
    check_right(tmp_path, [0, 2, 3])
    assert results[2]["code"] == "no-foreground" and (results[3]["frames"], results[3]["vertices"]) == (6, 3)
    assert (tmp_path / "out" / "0.pc2").stat().st_size == 32 + 4 * 3 * 12
    assert results[1]["losses"] == {"pc2": [ONLY_A_CACHE]}
    assert "shows nothing" in Path(results[2]["log"]).read_text()
    record = [json.loads(line) for line in (tmp_path / "jobs.results.jsonl").read_text().splitlines()]
    assert sorted(result["line"] for result in record) == [1, 2, 3, 4]
    assert not list(tmp_path.rglob(".motion324*"))


def test_an_item_is_done_only_while_its_outputs_and_all_they_were_made_of_stay(tmp_path):
    lines = write_items(tmp_path, [{}, {}, {}, {}])
    run(tmp_path)
    again, _ = run(tmp_path)
    assert (again.done, again.kept) == (0, 4)
    (tmp_path / "0.json").write_text('{"step": 1.0, "frames": 5}')  # another input
    (tmp_path / "out" / "1.npz").write_bytes(b"cut off")
    lines[2]["options"] = {"smooth": 2}
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary, results = run(tmp_path)
    assert (summary.done, summary.kept) == (3, 1) and sorted(results) == [1, 2, 3]
    assert results[3]["report"]["smooth"] == 2
    check_right(tmp_path, range(4))


def test_a_version_of_ours_does_not_keep_what_another_one_made(tmp_path, monkeypatch):
    write_items(tmp_path, [{}])
    run(tmp_path)
    monkeypatch.setattr("motion324.core.jobs.job_record.__version__", "99.0")
    assert run(tmp_path)[0].done == 1


def test_poison_is_told_after_its_tries_and_the_others_are_done(tmp_path):
    write_items(tmp_path, [{"do": "die"}, {}, {"do": "die once"}, {}, {}])
    summary, results = run(tmp_path, Processes(2), retries=1)
    assert (summary.done, summary.failed) == (4, 1)
    check_right(tmp_path, [1, 2, 3, 4])
    assert results[1]["code"] == "worker-lost" and results[1]["attempts"] == 2
    assert "signal 9" in results[1]["error"] and "signal 9" in Path(results[1]["log"]).read_text()
    assert results[3]["attempts"] == 2 and "attempts" not in results[2]


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_a_batch_that_was_stopped_goes_on_where_it_was(tmp_path, executor):
    write_items(tmp_path, [{}] * 6)
    with pytest.raises(Cancelled):
        run(tmp_path, executor(), Seen(stop_after=2))
    before = len((tmp_path / "jobs.results.jsonl").read_text().splitlines())
    assert 2 <= before < 6
    summary, _ = run(tmp_path, executor())
    assert (summary.kept, summary.done) == (before, 6 - before)
    check_right(tmp_path, range(6))


@pytest.mark.parametrize("do", ["move", "stand still"])
def test_cancel_ends_processes_within_five_seconds(tmp_path, do):
    write_items(tmp_path, [{"do": do, "seconds": 60}] * 2)
    executor = Processes(2)
    with pytest.raises(Cancelled):
        run(tmp_path, executor, _Timed())
    pids = _Timed.pids
    assert time.monotonic() - _Timed.cancelled < 5
    assert len(pids) == 2 and not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not list(tmp_path.rglob(".motion324*"))


class _Timed(Seen):
    """Cancels as soon as both items are at work, and notes when that was and who was at work."""

    pids: list[int] = []
    cancelled = 0.0

    def show(self, counts, running, workers):
        if len(running) == 2 and all(item.stage for item in running):
            _Timed.pids = [child.pid for child in __import__("multiprocessing").active_children()]
            _Timed.cancelled = time.monotonic()
            raise Cancelled


def driver(folder, **wishes):
    """A process that does the job file of the folder with two workers."""
    code = (
        "import sys; from pathlib import Path\n"
        "from stand_in_animator import stand_in\n"
        "from motion324.batches.jobs import JobFile, run_jobs\n"
        "from motion324.batches.processes import Processes\n"
        "from motion324.batches.scripting import _Quiet\n"
        "if __name__ == '__main__':\n"
        "    run_jobs(JobFile.read(Path('jobs.jsonl')), Processes(2), _Quiet(None), animator=stand_in)\n"
    )
    (folder / "driver.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": f"{TESTS}"}
    return subprocess.Popen([sys.executable, "driver.py"], cwd=folder, env=environment)


def test_a_driver_that_is_killed_leaves_no_workers_and_a_record_to_go_on_from(tmp_path):
    write_items(tmp_path, [{}, {}, {"seconds": 600}, {"seconds": 600}])
    process = driver(tmp_path)
    record = tmp_path / "jobs.results.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (record.exists() and record.read_text().count("\n") == 2):
        time.sleep(0.05)
    children = [int(pid) for pid in _children(process.pid)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 10
    while time.monotonic() < until and any(Path(f"/proc/{pid}").exists() for pid in children):
        time.sleep(0.05)
    assert len(children) >= 2 and not any(Path(f"/proc/{pid}").exists() for pid in children)
    for number in (2, 3):
        (tmp_path / f"{number}.json").write_text(json.dumps({"step": number + 1.0}))
    summary, _ = run(tmp_path)
    assert (summary.kept, summary.done) == (2, 2)
    check_right(tmp_path, range(4))


def _children(pid):
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()


def test_two_batches_do_not_trample_each_other(tmp_path):
    write_items(tmp_path, [{}])
    with (
        Hold(tmp_path / "jobs.results.jsonl", "file of results", is_folder=False),
        pytest.raises(Motion324Error, match="in use by process"),
    ):
        run(tmp_path)
    with Hold(tmp_path / "out", "output folder"), pytest.raises(Motion324Error, match="in use by process"):
        run(tmp_path)
    assert run(tmp_path)[0].done == 1


def test_lines_that_cannot_work_are_told_before_any_work(tmp_path):
    lines = write_items(tmp_path, [{}, {}])
    bad = [{**lines[0], "outputs": {"gif": "x.gif"}}, {**lines[1]}]
    text = "".join(json.dumps(line) + "\n" for line in [*lines, *bad]) + "no json\n"
    (tmp_path / "jobs.jsonl").write_text(text)
    seen = Seen()
    run(tmp_path, seen=seen)
    codes = [(result["line"], result.get("code")) for result in seen.results]
    assert all(Path(result["log"]).read_text() for result in seen.results)
    assert codes == [(3, "bad-item"), (4, "output-twice"), (5, "bad-item"), (1, None), (2, None)]


def test_blender_that_is_missing_is_told_before_any_work_and_not_asked_for_where_no_item_needs_it(
    tmp_path, monkeypatch
):
    import motion324

    lines = write_items(tmp_path, [{}, {}])
    monkeypatch.setenv("MOTION324_BLENDER", str(tmp_path / "nowhere"))
    monkeypatch.setattr("motion324.batches.job_task.do_plain_item", lambda *given: pytest.fail("there was work"))
    lines[1]["outputs"] = {"fbx": "out/b.fbx"}
    with pytest.raises(Motion324Error, match="need Blender: The Blender executable") as told:
        motion324.batch(lines, beside=tmp_path / "jobs")
    assert told.value.code == "blender-not-found"


def test_files_at_addresses_are_fetched_and_written_back(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/in/fox.json", b'{"step": 1.0}')
    write_items(tmp_path, [{}])
    line = {"mesh": f"file://{tmp_path}/mesh.obj", "video": "memory://in/fox.json"}
    (tmp_path / "jobs.jsonl").write_text(json.dumps({**line, "outputs": {"npz": "memory://out/fox.npz"}}) + "\n")
    summary, results = run(tmp_path)
    assert summary.done == 1 and results[1]["outputs"] == {"npz": "memory://out/fox.npz"}
    with memory.open("/out/fox.npz") as file:
        assert np.load(file)["positions"][1, 0, 0] == 1.0
    assert run(tmp_path)[0].kept == 1
    memory.pipe("/in/fox.json", b'{"step": 1.0, "frames": 5}')
    assert run(tmp_path)[0].done == 1
    memory.rm("/out/fox.npz")
    assert run(tmp_path)[0].done == 1
