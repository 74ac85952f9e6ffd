"""Frames fitted side by side along their tree."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from motion324.core.errors import Cancelled
from motion324.reconstructors.deformation_fit.frame_tree import along_tree

ORDER = [0, 1, 5, 2, 3, 4]
PARENT = np.array([-1, 0, 1, 2, 3, 0])  # 0-1-2-3-4 and 0-5


def test_each_frame_is_done_after_its_parent_and_several_at_a_time():
    meeting, done, lock = threading.Barrier(2, timeout=20), [], threading.Lock()

    def work(t: int, check) -> None:
        assert PARENT[t] in (0, *done)
        if t in (1, 5):
            meeting.wait()  # only passes where both are worked on at once
        with lock:
            done.append(t)

    told = []
    came = list(along_tree(ORDER, PARENT, work, told.append, workers=2))
    assert sorted(came) == list(range(6)) and came[0] == 0
    assert told == sorted(told) and told[0] == 0 and told[-1] == 6


def test_frames_with_the_most_steps_behind_them_come_first():
    done = []
    list(along_tree([0, 5, 1, 2, 3, 4], PARENT, lambda t, check: done.append(t), lambda _: None, workers=1))
    assert done == [1, 2, 3, 4, 5] or done == [1, 2, 3, 5, 4]


def test_what_the_work_raises_passes():
    def work(t: int, check) -> None:
        raise ValueError(t)

    with pytest.raises(ValueError):
        list(along_tree(ORDER, PARENT, work, lambda _: None))


def test_cancelling_ends_the_work_that_looks():
    begun, ended = threading.Event(), []

    def work(t: int, check) -> None:
        begun.set()
        try:
            while True:
                check()
                time.sleep(0.005)
        except Cancelled:
            ended.append(t)
            raise

    def tell(done: int) -> None:
        if begun.is_set():
            raise Cancelled

    with pytest.raises(Cancelled):
        list(along_tree(ORDER, PARENT, work, tell, workers=1))
    assert ended == [1]
