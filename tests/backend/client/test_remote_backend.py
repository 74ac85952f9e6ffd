"""A backend that somebody starts by hand, and the sentences that a client hears where it cannot be reached."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from motion324.cli.commands.serve import heartbeat_timeout
from motion324.client import Client, Endpoint
from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.server.server import HEARTBEAT_TIMEOUT

TOKEN = "a secret that is long enough"


@contextlib.contextmanager
def started_by_hand(folder, port=0):
    """`motion324 serve --host 127.0.0.1 --port PORT` as a person types it: its process, and its port."""
    command = [sys.executable, "-m", "motion324", "serve", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--log", str(folder / "backend.log")],
        env={**os.environ, "MOTION324_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, json.loads(process.stdout.readline())["port"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def refusal(endpoint):
    with pytest.raises(Motion324Error) as caught:
        Client.connect(endpoint, timeout=5)
    return caught.value


def test_a_backend_started_by_hand_outlives_its_clients_and_ends_with_ctrl_c(tmp_path):
    with started_by_hand(tmp_path) as (process, port):
        for _ in range(2):
            with Client.connect(Endpoint.at(f"127.0.0.1:{port}", TOKEN)) as client:
                assert client.status().pid == process.pid
            assert process.poll() is None
        error = refusal(Endpoint("127.0.0.1", port, "another secret that is long enough"))
        assert error.code == "backend-refused"
        assert "refused the token" in error.sentence
        assert "MOTION324_TOKEN" in error.hint
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_a_backend_is_started_again_at_once_on_its_port_after_it_was_stopped_with_a_client_connected(tmp_path):
    with (
        started_by_hand(tmp_path) as (process, port),
        Client.connect(Endpoint.at(f"127.0.0.1:{port}", TOKEN)) as client,
    ):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        with started_by_hand(tmp_path, port) as (again, same):
            assert same == port
            with Client.connect(Endpoint.at(f"127.0.0.1:{port}", TOKEN)) as fresh:
                assert fresh.status().pid == again.pid
            assert not client.stands()


def test_only_a_backend_with_a_parent_or_a_limit_ends_for_lack_of_clients():
    assert heartbeat_timeout(None, None) is None
    assert heartbeat_timeout(0, None) is None
    assert heartbeat_timeout(None, 4711) == HEARTBEAT_TIMEOUT
    assert heartbeat_timeout(30, None) == 30
    for wrong in (-1, float("nan"), 1e9):
        with pytest.raises(Motion324Error):
            heartbeat_timeout(wrong, None)


def test_a_port_where_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = refusal(Endpoint("127.0.0.1", port, TOKEN))
    assert error.code == "backend-unreachable"
    assert f"127.0.0.1:{port} cannot be reached (connection refused)" in error.sentence
    assert "SSH tunnel" in error.hint


def test_a_tunnel_at_whose_far_end_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as near_end:
        threading.Thread(target=lambda: near_end.accept()[0].close()).start()  # what ssh does then
        error = refusal(Endpoint("127.0.0.1", near_end.getsockname()[1], TOKEN))
    assert error.code == "backend-lost"
    assert "SSH tunnel" in error.hint


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [("127.0.0.1:7324", "127.0.0.1", 7324), (" gpu.lan:80 ", "gpu.lan", 80), ("[::1]:7324", "::1", 7324)],
)
def test_addresses_as_people_write_them(address, host, port):
    endpoint = Endpoint.at(address, TOKEN + "\n")
    assert (endpoint.host, endpoint.port, endpoint.token) == (host, port, TOKEN)
    assert not endpoint.is_same_machine


@pytest.mark.parametrize("address", ["", "7324", ":7324", "host", "host:", "host:0", "host:70000", "host:x", "host:-1"])
def test_addresses_that_cannot_be_used(address):
    with pytest.raises(Motion324Error) as caught:
        Endpoint.at(address, TOKEN)
    assert caught.value.exit_code == EXIT_USAGE
    assert address in caught.value.sentence
