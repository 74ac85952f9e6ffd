"""Whoever does not know the secret gets nothing parsed, and cannot keep others from working."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import struct
import threading
import time

import numpy as np
import pytest
from wire_harness import backend, request, start_and_wait, within

from motion324.client import Client
from motion324.core.errors import Motion324Error
from motion324.server.server import MAX_CLIENTS
from motion324.wire import framing, handshake, protocol
from motion324.wire.connection import Connection, ConnectionLost
from motion324.wire.handshake import Endpoint, take_token_from_environment
from motion324.wire.protocol import Hello, ResultEvent


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """On TCP, where anybody on this machine may knock."""
    with backend(tmp_path_factory.mktemp("backend"), "--force-host", "127.0.0.1") as running:
        yield running


@pytest.fixture
def knock(server):
    """Opens raw connections to the backend, past its greeting."""
    opened = []

    def connect() -> socket.socket:
        sock = socket.create_connection((server.endpoint.host, server.endpoint.port), 5)
        opened.append(sock)
        greeting = b""
        while len(greeting) < 40:
            greeting += sock.recv(40 - len(greeting))
        assert greeting.startswith(handshake.GREETING)
        return sock

    yield connect
    for sock in opened:
        sock.close()


def is_closed(sock: socket.socket) -> bool:
    """Whether the other side closes without a word."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def still_works(server) -> bool:
    with Client.connect(server.endpoint) as client:
        return isinstance(list(client.animate(request()))[-1], ResultEvent)


def test_a_wrong_secret_is_refused(server):
    wrong = dataclasses.replace(server.endpoint, token="x" * 64)
    with pytest.raises(Motion324Error) as caught:
        Client.connect(wrong)
    assert caught.value.code == "backend-refused"
    assert "token" in caught.value.sentence
    assert still_works(server)


def test_a_stranger_hears_nothing_and_nothing_is_parsed(server, knock):
    """Exactly the preamble is read; even a message that would be an error is not looked at."""
    sock = knock()
    hello = json.dumps({"kind": "hello", "protocol": 99, "version": "9"}).encode()
    sock.sendall(os.urandom(64) + framing.PREFIX.pack(framing.MAGIC, len(hello), 0) + hello)
    assert is_closed(sock)
    within(10, lambda: "it does not know the session's secret" in server.log_path.read_text())
    assert "version 9" not in server.log_path.read_text()


def test_what_somebody_else_said_cannot_be_said_again(server, knock):
    """A recorded handshake is worth nothing, since the backend's challenge is another each time."""
    recorded = bytearray()

    class Recorder(Connection):
        def send(self, buffers, stall=5.0):
            recorded.extend(b"".join(buffers))
            super().send(buffers, stall)

    address = (server.endpoint.host, server.endpoint.port)
    connection = Recorder(socket.create_connection(address))
    handshake._prove_to_backend(connection, server.endpoint, time.monotonic() + 5)
    connection.close()
    assert len(recorded) == 64
    sock = knock()
    sock.sendall(recorded)
    assert is_closed(sock)


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 100,
        b"\x16\x03\x01" + os.urandom(5000),
        b"\0" * 64,
        b"\xff" * 64,
    ],
    ids=["http", "tls", "zeros", "ones"],
)
def test_garbage_is_refused(server, knock, noise):
    sock = knock()
    sock.sendall(noise)
    assert is_closed(sock)
    assert still_works(server)


def test_a_port_scanner_leaves_no_trace_but_a_line_in_the_log(server):
    for _ in range(20):
        socket.create_connection((server.endpoint.host, server.endpoint.port)).close()
    assert still_works(server)
    assert server.is_alive()


def test_slow_strangers_are_closed_in_time_and_do_not_keep_others_out(server, knock):
    """More of them than there may be, each sending a byte now and then."""
    slow = [knock() for _ in range(50)]
    assert still_works(server)
    began = time.monotonic()
    for _ in range(6):
        for sock in slow:
            try:
                sock.sendall(b"x")
            except OSError:
                continue
        time.sleep(1)
    for sock in slow:
        sock.settimeout(3)
        assert is_closed(sock)
    assert time.monotonic() - began < 20


def test_after_the_secret_a_message_without_sense_ends_the_connection_with_a_sentence(server):
    connection, _ = handshake.open_connection(server.endpoint, 5, "tests")
    connection.send([memoryview(b"this is not a message of Motion324")])
    error = protocol.from_wire(*connection.receive(wait=5))
    assert error.code == "bad-message"
    with pytest.raises(ConnectionLost):
        connection.receive(wait=5)
    connection.close()


@pytest.mark.parametrize(
    "prefix",
    [struct.pack("<4sIQ", b"M324", 1 << 31, 0), struct.pack("<4sIQ", b"M324", 2, 1 << 63)],
    ids=["header", "body"],
)
def test_too_large_a_message_is_refused_with_a_sentence_though_its_sender_goes_on(server, prefix):
    connection, _ = handshake.open_connection(server.endpoint, 5, "tests")
    connection.send([memoryview(prefix + b"x" * 100_000)])
    error = protocol.from_wire(*connection.receive(wait=5))
    assert error.code == "bad-message"
    assert "at most" in error.sentence
    connection.close()
    assert still_works(server)


def admitted(server) -> Client:
    """A client whom the backend answers: those of earlier tests may still be leaving."""
    deadline = time.monotonic() + 20
    while True:
        client = Client.connect(server.endpoint)
        try:
            client.status()
            return client
        except Motion324Error:
            client.close()
            if time.monotonic() > deadline:
                raise


def has_room(server):
    """Those that have gone are counted until the backend has noticed."""
    try:
        return still_works(server)
    except Motion324Error as error:
        assert error.code == "backend-full"
        return False


def test_one_client_too_many_is_told_so_and_those_that_are_there_go_on(server):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(admitted(server)) for _ in range(MAX_CLIENTS)]
        with Client.connect(server.endpoint) as one_more, pytest.raises(Motion324Error) as told:
            list(one_more.animate(request()))
        assert told.value.code == "backend-full"
        assert told.value.sentence == "16 programs are connected to this backend already, and it takes no more."
        assert isinstance(list(clients[-1].animate(request()))[-1], ResultEvent)
    within(10, lambda: has_room(server))


def test_a_message_that_goes_the_other_way_is_refused(server):
    connection, _ = handshake.open_connection(server.endpoint, 5, "tests")
    connection.send(framing.encode(*protocol.to_wire(protocol.Queued("j", 1))))
    error = protocol.from_wire(*connection.receive(wait=5))
    assert (error.about, error.code) == ("j", "bad-message")
    connection.send(framing.encode(*protocol.to_wire(protocol.Heartbeat())))
    assert isinstance(protocol.from_wire(*connection.receive(wait=5)), protocol.Heartbeat)
    connection.close()


@pytest.mark.parametrize(
    ("version", "number", "remedy"),
    [
        ("99.0.0", protocol.PROTOCOL_VERSION, "Update the backend to 99.0.0"),
        ("0.0.1", protocol.PROTOCOL_VERSION, "Update the Blender extension"),
        (None, 0, "extension"),
    ],
)
def test_another_version_is_refused_and_told_which_side_to_update(server, monkeypatch, version, number, remedy):
    class OtherHello(Hello):
        def __init__(self, program):
            super().__init__(program, protocol=number, version=version or protocol.Hello("").version)

    monkeypatch.setattr(handshake, "Hello", OtherHello)
    monkeypatch.setattr(handshake, "_receive_hello", receive_plain_hello)
    with pytest.raises(Motion324Error) as caught:
        Client.connect(server.endpoint)
    assert caught.value.code == "version-mismatch"
    assert remedy in caught.value.hint


def receive_plain_hello(connection, timeout):
    hello = protocol.from_wire(*connection.receive(framing.HELLO_LIMITS, wait=timeout))
    assert isinstance(hello, Hello)
    return hello


def test_something_else_on_that_port_is_told_apart(server):
    with socket.create_server(("127.0.0.1", 0)) as impostor:

        def answer(words: bytes) -> None:
            sock, _ = impostor.accept()
            with sock:
                sock.sendall(words)
                sock.settimeout(5)
                sock.recv(64)
                with contextlib.suppress(OSError):  # whoever was refused may have left already
                    sock.sendall(os.urandom(32))

        endpoint = Endpoint("127.0.0.1", impostor.getsockname()[1], server.endpoint.token)
        for words, sentence in (
            (b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3 and so on and on", "is not a backend"),
            (handshake.GREETING + os.urandom(32), "does not know this session's secret"),
        ):
            thread = threading.Thread(target=answer, args=(words,))
            thread.start()
            with pytest.raises(Motion324Error, match=sentence) as caught:
                Client.connect(endpoint, timeout=5)
            assert caught.value.code == "not-a-backend"
            thread.join()


def test_nobody_there_is_told(server):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for endpoint in (Endpoint("127.0.0.1", port, "x" * 64), Endpoint("unix:/nowhere/socket", 0, "x" * 64)):
        with pytest.raises(Motion324Error) as caught:
            Client.connect(endpoint, timeout=2)
        assert caught.value.code == "backend-unreachable"
        assert str(endpoint) in caught.value.sentence


@pytest.mark.parametrize("token", ["", "short"])
def test_a_backend_without_a_proper_secret_does_not_start(monkeypatch, token):
    monkeypatch.setenv("MOTION324_TOKEN", token)
    with pytest.raises(Motion324Error) as caught:
        take_token_from_environment()
    assert caught.value.code == "no-token"


def test_the_secret_leaves_the_environment_once_it_is_read(monkeypatch):
    monkeypatch.setenv("MOTION324_TOKEN", "x" * 64)
    assert take_token_from_environment() == "x" * 64
    assert "MOTION324_TOKEN" not in os.environ


def test_a_client_that_never_reads_neither_fills_memory_nor_stops_others(server):
    mesh = dataclasses.replace(
        request(frames=80, batch=1).mesh, positions=np.zeros((500_000, 3), np.float32)
    )  # 6 MB a frame, sent twice
    wish = dataclasses.replace(request(), mesh=mesh)
    connection, _ = handshake.open_connection(server.endpoint, 5, "tests")
    with Client.connect(server.endpoint) as other:
        before = other.status()
        connection.send(framing.encode(*protocol.to_wire(wish)))
        within(20, lambda: other.status().details["batches"] > before.details["batches"] + 40)

        def standing() -> bool:
            count = other.status().details["batches"]
            time.sleep(0.5)
            return other.status().details["batches"] == count

        within(30, standing)
        status = other.status()
        assert status.running == wish.job_id
        assert status.memory["process"] - before.memory["process"] < 400e6
        connection.close()
        within(10, lambda: not other.status().running)
        events = start_and_wait(other, request())
        assert isinstance(list(events)[-1], ResultEvent)
