"""What a job of the backend tells its client of its progress."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from motion324.core.jobs.job_plan import PlannedStage
from motion324.server import job_queue
from motion324.server.job_queue import Job


def test_the_client_is_told_what_is_left_of_the_whole_job(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(job_queue, "slower_by_others", lambda: 1.0)
    monkeypatch.setattr(job_queue.time, "monotonic", lambda: clock.now)
    posted = []
    outbox = SimpleNamespace(post=lambda event, replaces: posted.append(event))
    job = Job(SimpleNamespace(job_id="1"), outbox)
    job.progress("read", 0, 10)
    job.on_plan((PlannedStage("read", 10.0), PlannedStage("reconstruct", 90.0)))
    clock.now = 5.0
    job.progress("read", 5, 10)
    assert posted[0].remaining is None
    assert posted[1].remaining == pytest.approx(95, rel=0.05)
    assert posted[1].match is None
    job.on_match(0.59)  # how well mesh and video match goes out with all that follow
    clock.now = 6.0
    job.progress("reconstruct", 1, 10)
    clock.now = 7.0
    job.progress("reconstruct", 2, 10)
    assert [event.match for event in posted[2:]] == [0.59, 0.59]
