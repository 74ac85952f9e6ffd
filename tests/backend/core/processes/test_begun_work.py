"""Work that is begun on a thread of its own."""

from __future__ import annotations

from threading import Event

import pytest

from motion324.core.errors import Cancelled
from motion324.core.processes.begun_work import begun


def test_the_result_is_there_when_it_is_wanted_and_the_work_runs_meanwhile():
    going = Event()

    def work(check):
        going.set()
        return 7

    with begun(work) as result:
        assert going.wait(10)
        assert result(lambda: None) == 7
        assert result(lambda: None) == 7


def test_what_the_work_raises_comes_to_whoever_waits():
    def work(check):
        raise ValueError("no")

    with begun(work) as result, pytest.raises(ValueError, match="no"):
        result(lambda: None)


def test_whoever_waits_is_asked_meanwhile_and_leaving_ends_the_work():
    ended = []

    def work(check):
        try:
            while True:
                check()
        except Cancelled:
            ended.append(True)
            raise

    asked = []

    def stop():
        asked.append(1)
        if len(asked) > 2:
            raise Cancelled

    with pytest.raises(Cancelled), begun(work) as result:
        result(stop)
    assert ended == [True] and len(asked) == 3
