"""Whatever is sent arrives as it was, however the bytes are cut up; whatever bytes come, one known error, and soon."""

from __future__ import annotations

import itertools
import socket
import threading
import time

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motion324.core.errors import Motion324Error
from motion324.wire.connection import Connection, ConnectionLost
from motion324.wire.framing import PREFIX, IncomingMessage, Limits, encode

QUICK = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SECONDS = 5.0  # on a busy machine
LIMITS = Limits(header=4096, body=1 << 16, arrays=8)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
headers = st.dictionaries(st.text(max_size=10), values, max_size=5)
kinds = st.sampled_from(["float32", "float64", "int32", "int64", "uint8"])
shapes = st.lists(st.integers(0, 5), min_size=0, max_size=3).map(tuple)
arrays_of = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=10), st.tuples(kinds, shapes), max_size=4
)


def filled(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    count = int(np.prod(shape))
    return (np.arange(count) * 37 % 251).astype(kind).reshape(shape)


def sent_in_pieces(data: bytes, cuts: list[int]) -> tuple[dict, dict]:
    """What the other end of a connection makes of these bytes, sent in pieces, after which that end is closed."""
    near, far = socket.socketpair()

    def send() -> None:
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        try:
            for start, stop in itertools.pairwise(places):
                near.sendall(data[start:stop])
        except OSError:
            pass  # the other side has seen enough
        near.close()

    thread = threading.Thread(target=send)
    connection = Connection(far)
    thread.start()
    try:
        return connection.receive(LIMITS, wait=SECONDS, total=SECONDS)
    finally:
        connection.close()
        thread.join()


@QUICK
@given(headers, arrays_of, st.lists(st.integers(0, 1 << 16), max_size=6))
def test_a_message_arrives_as_it_was_sent_however_it_is_cut(header, shapes_by_name, cuts):
    arrays = {name: filled(*of) for name, of in shapes_by_name.items()}
    data = b"".join(bytes(buffer) for buffer in encode(header, arrays))
    came, found = sent_in_pieces(data, cuts)
    assert came == header and found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@QUICK
@given(headers, arrays_of, st.data())
def test_damaged_bytes_give_a_message_or_one_known_error_soon(header, shapes_by_name, data):
    arrays = {name: filled(*of) for name, of in shapes_by_name.items()}
    whole = bytearray(b"".join(bytes(buffer) for buffer in encode(header, arrays)))
    place = st.integers(0, len(whole) - 1)
    for index, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=4)):
        whole[index] = value
    start, stop = sorted(data.draw(st.tuples(place, st.integers(0, len(whole)))))
    spoilt = bytes(whole[:start]) + data.draw(st.binary(max_size=20)) + bytes(whole[stop:])
    began = time.monotonic()
    try:
        came, _ = sent_in_pieces(spoilt, [])
    except ConnectionLost:
        pass
    except Motion324Error as error:
        assert "\n" not in error.sentence and len(error.sentence) < 600
    else:
        assert isinstance(came, dict)
    assert time.monotonic() - began < SECONDS


@QUICK
@given(
    st.binary(min_size=PREFIX.size, max_size=PREFIX.size)
    | st.builds(PREFIX.pack, st.just(b"M324"), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
)
def test_no_prefix_takes_more_memory_than_is_allowed(prefix):
    try:
        incoming = IncomingMessage(prefix, LIMITS)
    except Motion324Error as error:
        assert error.code == "bad-message"
    else:
        assert incoming.left <= LIMITS.header + LIMITS.body
