"""What jobs, looks and the installation run on: workers and their events, who waits for them, what is remembered."""

from __future__ import annotations

import enum
import threading
import time
from dataclasses import dataclass

import pytest


@pytest.fixture
def counting(addon):
    """A runner that counts what its worker tells, and the worker: it tells three numbers, or does what `act` does."""
    running, working = addon("runner_base.runner"), addon("runner_base.worker")

    class Counter(working.Worker):
        def __init__(self, post, act=None):
            super().__init__("count", post)
            self.act = act

        def _work(self):
            for number in range(3):
                self.check()
                self.tell(number)
            if self.act is not None:
                self.act(self)
            return "done"

        def _ended_by(self, error):
            return type(error).__name__

    class Counting(running.Runner):
        name = "counting"

        def __init__(self):
            super().__init__()
            self.seen, self.worker, self.given_up = [], None, False

        def start(self, act=None):
            self.worker = Counter(self.post, act)
            self.worker.start()

        @property
        def _working(self):
            return self.worker is not None

        def _is_current(self, worker):
            return worker is self.worker

        def _advance(self, event):
            self.seen.append(event)
            if isinstance(event, str):
                self.worker = None
            return ()

        def _carry_out(self, effect):
            raise AssertionError("no effect was asked for")

        def _in_words(self):
            return f"{len(self.seen)} seen"

        def _give_up(self):
            self.given_up = True
            self.worker.stop()
            self.worker = None

    return Counting()


def test_events_arrive_in_order_and_the_last_one_ends_the_waiting(counting):
    watched = []
    counting.start()
    counting._wait_for_end(lambda: watched.append(len(counting.seen)))
    assert counting.seen == [0, 1, 2, "done"] and watched == [1, 2, 3, 4]
    assert counting._tick() is None


@pytest.mark.parametrize(("error", "name"), [(KeyError("x"), "KeyError"), (None, "Cancelled")])
def test_what_ends_the_work_becomes_its_last_event(counting, error, name):
    def act(worker):
        if error is not None:
            raise error
        worker.stop()
        worker.check()

    counting.start(act)
    counting._wait_for_end()
    assert counting.seen == [0, 1, 2, name]


def test_whoever_waits_and_meets_an_exception_ends_the_work(counting):
    def watch():
        raise KeyboardInterrupt

    counting.start(lambda worker: time.sleep(0.01))
    with pytest.raises(KeyboardInterrupt):
        counting._wait_for_end(watch)
    assert counting.given_up


def test_events_of_a_worker_that_was_stopped_are_dropped(counting):
    go_on = threading.Event()
    counting.start(lambda worker: go_on.wait(10))
    first = counting.worker
    counting.start()
    go_on.set()
    first.join(10)
    counting._wait_for_end()
    counting._tick()
    assert counting.seen == [0, 1, 2, "done"]


class Kind(enum.Enum):
    LOUD = "loud"


@dataclass(frozen=True)
class Told:
    number: int
    kind: Kind
    stage: str
    token: str
    video: str
    problem: object


@dataclass(frozen=True)
class Other:
    number: int


def test_the_history_keeps_numbers_choices_stages_and_codes_and_no_other_text(addon):
    history, state = addon("runner_base.history"), addon("runner_base.state")
    problem = state.Problem("backend-lost", "The line to anna@host:7324 broke.", "Token s3cret.")
    line = history.told(Told(7, Kind.LOUD, "view", "s3cret", "/home/anna/cat.mp4", problem))
    assert line == "Told, number 7, kind loud, stage view, problem backend-lost"


def test_the_history_is_a_ring_in_which_events_alike_share_a_place(addon):
    ring = addon("runner_base.history").History(length=200)
    for number in range(300):
        ring.note("jobs", Other(number), f"job {number} running")
    lines = ring.lines()
    assert len(lines) == 200 and lines[0].endswith("jobs: Other, number 100 -> job 100 running")
    for number in range(500):
        ring.note("jobs", Other(number), "job 301 running in read")
        ring.note("view", Other(number), "running")
    *_, before, job, look = ring.lines()
    assert len(ring.lines()) == 200 and before.endswith("job 299 running")
    assert "jobs: Other, number 499 -> job 301 running in read (500 times, until " in job
    assert "view: Other, number 499 -> running (500 times" in look


def test_every_stage_that_the_backend_tells_of_has_a_label(addon):
    from motion324.core.progress import STAGES

    words = addon("runner_base.state")
    assert set(STAGES) <= set(words.STAGE_LABELS) and words.stage_label("") == "Starting the engine"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 kB"),
        (41_000, "41 kB"),
        (1_000_000, "1 MB"),
        (2_500_000, "2.5 MB"),
        (690_000_000, "690 MB"),
        (3_200_000_000, "3.2 GB"),
    ],
)
def test_sizes_are_said_as_people_read_them(addon, size, text):
    assert addon("runner_base.state").readable_size(size) == text
