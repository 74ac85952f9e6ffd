"""Messages on their way out, with a reader that is slow or gone; and the pace of a stage."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time

import numpy as np
import pytest
from wire_harness import within

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.progress import Pace
from motion324.wire import framing, protocol
from motion324.wire import outbox as outbox_module
from motion324.wire.connection import Connection, ConnectionLost, WaitedTooLong
from motion324.wire.flow import FIRST_WINDOW
from motion324.wire.framing import PIECE, PREFIX
from motion324.wire.inbox import Inbox
from motion324.wire.message import Message
from motion324.wire.outbox import Outbox
from motion324.wire.protocol import Cancel, FramesEvent, Heartbeat, ProgressEvent


class Side:
    """One end of a connection, with both its boxes; what comes is read by `next` only."""

    def __init__(self, sock: socket.socket, stall: float = 60.0) -> None:
        self.connection = Connection(sock)
        self.outbox = Outbox(self.connection, "test", stall)
        self._inbox = Inbox(self.connection, self.outbox)

    def next(self, wait: float = 5.0) -> Message:
        return protocol.from_wire(*self._inbox.receive(wait))

    def listen(self) -> None:
        """Reads acknowledgements on a thread of its own."""

        def read() -> None:
            with contextlib.suppress(ConnectionLost):
                self._inbox.receive()

        threading.Thread(target=read, daemon=True).start()


@pytest.fixture
def sides():
    """A sender that hears acknowledgements, and a reader."""
    near, far = (Side(end) for end in socket.socketpair())
    near.listen()
    yield near, far
    near.outbox.close()
    far.outbox.close()


@pytest.fixture
def ends():
    """A sender that hears nothing, and nobody at the other end."""
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


def test_previews_are_left_out_for_a_slow_reader_and_final_frames_are_not(sides, monkeypatch):
    monkeypatch.setattr(outbox_module, "ROOM_BYTES", 2_000_000)
    near, far = sides
    taken = [near.outbox.offer(frames(number, final=False)) for number in range(60)]
    assert taken[0]
    assert not taken[-1]
    sender = threading.Thread(target=lambda: [near.outbox.put(frames(number), nothing) for number in range(10)])
    sender.start()
    received = [far.next() for _ in range(sum(taken) + 10)]
    sender.join()
    assert [int(event.indices[0]) for event in received if event.final] == list(range(10))


def test_only_the_newest_progress_waits_and_it_overtakes_what_is_large(sides):
    near, far = sides
    near.outbox.post(frames(0, megabytes=5))
    for done in range(5000):
        near.outbox.post(ProgressEvent("j", "refine", done, 5000), replaces="progress j")
    near.outbox.post(Heartbeat())
    received = []
    while len(received) < 3 or not isinstance(received[-1], FramesEvent):
        received.append(far.next())
    progress = [event.done for event in received if isinstance(event, ProgressEvent)]
    assert progress == sorted(progress) and progress[-1] == 4999
    assert len(progress) < 1000
    assert isinstance(received[-2], Heartbeat)


def test_bulk_of_one_job_stays_in_order_and_several_jobs_take_turns(sides):
    near, far = sides
    for number in range(3):
        near.outbox.post(frames(number, megabytes=4))
    near.outbox.post(dataclasses.replace(frames(9, megabytes=0.01), job_id="look"))
    numbers = [int(far.next().indices[0]) for _ in range(4)]
    assert [number for number in numbers if number != 9] == [0, 1, 2]
    assert numbers[0] == 9  # it did not wait for the twelve megabytes of the other job


def test_what_waits_of_a_job_is_dropped_also_in_the_middle_of_a_message(sides):
    near, far = sides
    near.outbox.post(frames(0, megabytes=50))
    near.outbox.post(frames(1, megabytes=50))
    within(5, lambda: not near.outbox._window.room())  # a part of the first one is on its way
    near.outbox.drop("j")
    near.outbox.post(Cancel("j"))
    near.outbox.post(frames(2, megabytes=0.1))
    assert isinstance(far.next(), Cancel)
    assert far.next().indices[0] == 2
    within(5, lambda: near.outbox._bytes == 0)


def test_bulk_goes_on_only_as_far_as_its_reader_has_acknowledged(ends):
    near, far = ends
    outbox = Outbox(near, "test")
    outbox.post(frames(0, megabytes=5))
    time.sleep(0.3)
    outbox.post(Heartbeat())
    waste = bytearray()
    with contextlib.suppress(WaitedTooLong):
        while True:
            byte = np.empty(1, np.uint8)
            far.receive_into(byte, wait=0.5)
            waste += byte.tobytes()
    assert len(waste) <= FIRST_WINDOW + 2048
    assert b"heartbeat" in waste
    outbox.close()


def test_a_reader_that_leaves_small_messages_unread_is_given_up(ends, monkeypatch):
    monkeypatch.setattr(outbox_module, "MAX_WAITING", 50)
    outbox = Outbox(ends[0], "test")
    for _ in range(200_000):
        outbox.post(Heartbeat())
        if ends[0].closed:
            return
    raise AssertionError("it still takes more")


def test_the_last_messages_are_written_before_the_connection_ends(sides):
    near, far = sides
    for number in range(20):
        near.outbox.post(frames(number, megabytes=0.1))
    closer = threading.Thread(target=near.outbox.close, args=(5.0,))
    closer.start()
    for number in range(20):
        assert far.next().indices[0] == number
    closer.join()
    with pytest.raises(ConnectionLost):
        far.next()


def test_spoilt_pieces_never_raise_anything_unexpected():
    """Every byte of a small bulk message is changed in turn."""
    whole = b"".join(framing.encode(*protocol.to_wire(frames(0, megabytes=0.0001))))
    good = PREFIX.pack(PIECE, len(whole) - 9, 1) + whole[:-9] + PREFIX.pack(PIECE, 9, 1) + whole[-9:]
    noticed = 0
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x15
        near, far = socket.socketpair()
        near.sendall(bad)
        near.close()
        side = Side(far)
        try:
            side.next(wait=1)
        except (Motion324Error, ConnectionLost):
            noticed += 1
        side.outbox.close()
    assert noticed > len(good) / 2


def test_a_piece_that_does_not_fit_is_refused(ends):
    near, far = ends
    inbox = Inbox(far, Outbox(far, "test"))
    whole = b"".join(framing.encode({"kind": "x"}, {}))
    near.send([memoryview(PREFIX.pack(PIECE, len(whole) + 1, 1) + whole + b"!")])
    with pytest.raises(Motion324Error, match="a piece of"):
        inbox.receive(wait=5)


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


def test_a_message_that_no_memory_is_left_for_is_told_and_the_next_one_is_read(sides, monkeypatch):
    near, far = sides
    empty = np.empty

    def lack(size, *rest):
        if isinstance(size, int) and size > 2_000_000:
            raise MemoryError
        return empty(size, *rest)

    monkeypatch.setattr(framing.np, "empty", lack)
    near.outbox.put(FramesEvent("large", np.arange(1), np.zeros((1, 300_000, 3), np.float32), True), nothing)
    with pytest.raises(framing.UnusableMessage, match="no memory for a message of 4 MB") as told:
        far.next()
    assert (told.value.about, told.value.code) == ("large", "out-of-memory")
    near.outbox.put(FramesEvent("small", np.arange(1), np.ones((1, 3, 3), np.float32), True), nothing)
    assert far.next().job_id == "small"


@pytest.mark.parametrize(
    "header",
    [b"{no json", b"[]", b'{"job_id": "x", "fps": 1' + b"0" * 5000 + b"}", b"[" * 100_000],
    ids=["no JSON", "no object", "a number too long for Python", "deep"],
)
def test_a_message_that_came_whole_and_is_of_no_use_leaves_the_connection_alive(ends, header):
    sender, receiver = ends
    sender.send([memoryview(PREFIX.pack(framing.MAGIC, len(header), 0) + header)])
    body = b"no tensors at all"
    sender.send([memoryview(PREFIX.pack(framing.MAGIC, 15, len(body)) + b'{"job_id": "y"}' + body)])
    sender.send(framing.encode(*protocol.to_wire(Heartbeat())))
    inbox = Inbox(receiver, Outbox(receiver, "test"))
    with pytest.raises(framing.UnusableMessage):
        inbox.receive(5.0)
    with pytest.raises(framing.UnusableMessage) as told:
        inbox.receive(5.0)
    assert told.value.about == "y"
    assert isinstance(protocol.from_wire(*inbox.receive(5.0)), Heartbeat)
