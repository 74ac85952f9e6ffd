"""Messages on their way out, with a reader that is slow or gone; and the pace of a stage."""

from __future__ import annotations

import socket
import threading
import time

import numpy as np
import pytest

from motion324.core.errors import Cancelled
from motion324.core.pace import Pace
from motion324.wire import outbox as outbox_module
from motion324.wire import protocol
from motion324.wire.framing import Connection, ConnectionLost
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import FramesEvent, Heartbeat, ProgressEvent


@pytest.fixture
def ends():
    near, far = (Connection(end) for end in socket.socketpair())
    yield near, far
    near.close()
    far.close()


def frames(number: int, final: bool = True, megabytes: float = 1) -> FramesEvent:
    return FramesEvent("j", np.array([number]), np.zeros((1, int(megabytes * 1e6 / 12), 3), np.float32), final)


def nothing() -> None:
    pass


def test_a_dead_reader_ends_the_connection_and_whoever_waits_for_room(ends, monkeypatch):
    monkeypatch.setattr(outbox_module, "ROOM_BYTES", 4_000_000)
    near, _ = ends
    outbox = Outbox(near, "test", stall=0.4)
    began = time.monotonic()
    with pytest.raises(Cancelled):
        for number in range(100):
            outbox.put(frames(number), nothing)
    assert time.monotonic() - began < 20
    assert near.closed
    with pytest.raises(ConnectionLost, match="has read nothing"):
        near.receive()


def test_whoever_waits_for_room_may_be_cancelled(ends, monkeypatch):
    monkeypatch.setattr(outbox_module, "ROOM_BYTES", 1_000_000)
    outbox = Outbox(ends[0], "test")
    stop = threading.Event()

    def check() -> None:
        if stop.is_set():
            raise Cancelled()

    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        for number in range(100):
            outbox.put(frames(number), check)
    assert time.monotonic() - began < 5
    outbox.close()


def test_previews_are_left_out_for_a_slow_reader_and_final_frames_are_not(ends, monkeypatch):
    monkeypatch.setattr(outbox_module, "ROOM_BYTES", 2_000_000)
    near, far = ends
    outbox = Outbox(near, "test")
    taken = [outbox.offer(frames(number, final=False)) for number in range(60)]  # more than any system's buffers hold
    assert taken[0]
    assert not taken[-1]
    sender = threading.Thread(target=lambda: [outbox.put(frames(number), nothing) for number in range(10)])
    sender.start()
    received = [protocol.from_wire(*far.receive(wait=5)) for _ in range(sum(taken) + 10)]
    sender.join()
    assert [int(event.indices[0]) for event in received if event.final] == list(range(10))
    outbox.close()


def test_only_the_newest_progress_waits(ends):
    near, far = ends
    outbox = Outbox(near, "test")
    outbox.post(frames(0, megabytes=5))
    for done in range(5000):
        outbox.post(ProgressEvent("j", "refine", done, 5000), replaces="progress j")
    outbox.post(Heartbeat())
    received = []
    while not received or not isinstance(received[-1], Heartbeat):
        received.append(protocol.from_wire(*far.receive(wait=5)))
    assert len(received) < 10
    assert received[-2].done == 4999
    outbox.close()


def test_a_reader_that_leaves_small_messages_unread_is_given_up(ends, monkeypatch):
    monkeypatch.setattr(outbox_module, "MAX_WAITING", 50)
    outbox = Outbox(ends[0], "test")
    outbox.post(frames(0, megabytes=5))
    for _ in range(60):
        outbox.post(Heartbeat())
    assert ends[0].closed


def test_the_last_messages_are_written_before_the_connection_ends(ends):
    near, far = ends
    outbox = Outbox(near, "test")
    for number in range(20):
        outbox.post(frames(number, megabytes=0.1))
    closer = threading.Thread(target=outbox.close, args=(5.0,))
    closer.start()
    for number in range(20):
        assert protocol.from_wire(*far.receive(wait=5)).indices[0] == number
    closer.join()
    with pytest.raises(ConnectionLost):
        far.receive(wait=5)


def test_the_remaining_time_is_that_of_the_recent_pace():
    pace = Pace()
    assert pace.update("refine", 0, 100, 0.0) is None
    assert pace.update("refine", 0, 100, 0.4) is None
    assert pace.update("refine", 10, 100, 1.0) == pytest.approx(9)
    # A slow start is forgotten: 2 a second from here on.
    for second in range(2, 40):
        remaining = pace.update("refine", 10 + 2 * (second - 1), 100, float(second))
    assert remaining == pytest.approx((100 - 86) / 2, rel=0.1)
    assert pace.update("refine", 100, 100, 50.0) == 0
    assert pace.update("smooth", 0, 10, 51.0) is None
    assert pace.update("smooth", 1, 10, 51.1) is None
