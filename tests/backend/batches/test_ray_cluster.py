"""Batches on a simulated Ray cluster of this machine: nodes come and go, and every item is done once."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import pytest
from ray_harness import (
    Seen,
    add,
    check_each_once,
    end_machine,
    processes_of_workers,
    run,
    unseen,
)
from stand_in_animator import check_right, write_items

from motion324.batches import ray_cluster
from motion324.core.errors import Cancelled, Motion324Error

pytest.importorskip("ray")
pytestmark = pytest.mark.long


def test_sixty_items_are_each_done_once_while_a_node_is_killed_and_another_one_comes(cluster, tmp_path):
    nodes = [add(cluster) for _ in range(3)]
    write_items(tmp_path, [{"seconds": 0.3}] * 60)
    changed = []

    def act(counts, running, workers):
        if counts.done >= 10 and not changed:
            changed.append(sorted(workers))
            end_machine(nodes[0])
            add(cluster)

    summary, results = run(tmp_path, cluster, Seen(act))
    assert (summary.done, summary.failed) == (60, 0) and len(changed[0]) == 3
    check_each_once(tmp_path, 60)
    assert len({result["node"] for result in results}) == 4
    assert not processes_of_workers()


def test_a_worker_that_is_killed_and_poison_cost_their_tries_only(cluster, tmp_path):
    add(cluster, 2)
    write_items(tmp_path, [{"do": "die once"}, {"do": "die"}, {}, {}])
    summary, results = run(tmp_path, cluster, retries=1)
    told = {result["line"]: result for result in results}
    assert (summary.done, summary.failed) == (3, 1)
    assert told[1]["attempts"] == 2 and told[2]["code"] == "worker-lost"
    check_right(tmp_path, [0, 2, 3])


def test_files_that_workers_do_not_see_travel_with_the_items(cluster, tmp_path, monkeypatch):
    add(cluster)
    lines = write_items(tmp_path, [{}, {"do": "fail"}], outputs=("npz", "pc2"))
    lines[0]["options"] = {"mask": "masks"}
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "0.png").write_bytes(b"a mask")
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    original = ray_cluster.needs_of
    monkeypatch.setattr(ray_cluster, "needs_of", lambda task, lock: unseen(original(task, lock)))
    summary, results = run(tmp_path, cluster, lock=False)
    told = {result["line"]: result for result in results}
    assert (summary.done, summary.failed) == (1, 1) and told[2]["code"] == "no-foreground", told
    check_right(tmp_path, [0])
    assert (tmp_path / "out" / "0.pc2").stat().st_size == 32 + 4 * 3 * 12
    assert told[1]["outputs"]["npz"] == str(tmp_path / "out" / "0.npz")
    assert "shows nothing" in Path(told[2]["log"]).read_text()


@pytest.mark.parametrize("do", ["move", "stand still"])
def test_cancel_ends_workers_within_five_seconds_and_leaves_nothing(cluster, tmp_path, do):
    add(cluster, 2)
    write_items(tmp_path, [{"do": do, "seconds": 600}] * 4)
    began = []

    def act(counts, running, workers):
        if len(running) == 2:
            began.append(time.monotonic())
            raise Cancelled

    with pytest.raises(Cancelled):
        run(tmp_path, cluster, Seen(act))
    assert time.monotonic() - began[0] < 5
    until = time.monotonic() + 5
    while processes_of_workers() and time.monotonic() < until:
        time.sleep(0.05)
    assert not processes_of_workers() and time.monotonic() - began[0] < 5
    assert not list(tmp_path.rglob(".motion324*"))
    assert not list(Path(tempfile.gettempdir()).glob("motion324-item-*"))


def test_a_cluster_that_is_not_there_is_told_by_its_address(tmp_path):
    from motion324.batches.ray_connection import connect

    with pytest.raises(Motion324Error, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        connect("127.0.0.1:1")
