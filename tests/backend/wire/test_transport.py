"""Where a backend listens: again at once after it has ended, however it did, and never in a living one's place."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from motion324.core.errors import Motion324Error
from motion324.wire.transport import AUTO, connect, forget_address, listen

LISTENER = """
import sys, time
from motion324.wire.transport import listen
listener = listen(sys.argv[1], int(sys.argv[2]), 4)
print(listener.host, listener.port, flush=True)
clients = []
while True:
    client = listener.accept()
    if client:
        clients.append(client)
        print("accepted", flush=True)
"""


@pytest.fixture
def folder():
    """With a path that a Unix socket's, of 107 bytes at most, has room for; tmp_path's may be too long."""
    with tempfile.TemporaryDirectory(prefix="motion324-listens-") as made:
        yield Path(made)


@pytest.fixture
def start(monkeypatch, folder):
    """start(host, port=0): a process that listens there; itself, and the host and the port that it has told."""
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    started = []

    def begin(host: str, port: int = 0) -> tuple[subprocess.Popen, str, int]:
        command = [sys.executable, "-c", LISTENER, host, str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        told = process.stdout.readline().split()
        return process, told[0], int(told[1])

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_port_is_taken_again_at_once_though_a_client_was_connected(start):
    process, host, port = start("127.0.0.1")
    with connect(host, port, 5):
        assert process.stdout.readline() == "accepted\n"
        kill(process)  # its side closes first, and the system remembers the connection for a minute
        again = listen(host, port, 1)
        again.close()


def test_a_port_on_which_another_listens_is_not_taken(start):
    _, host, port = start("127.0.0.1")
    with pytest.raises(Motion324Error) as caught:
        listen(host, port, 1)
    assert caught.value.code == "cannot-listen" and f"{host}:{port}" in caught.value.sentence


@pytest.mark.parametrize("code", ["errno", "winerror"])
def test_a_port_that_the_system_forbids_is_told_with_what_helps(monkeypatch, code):
    """As firewalls and antivirus programs do, on Windows by a code of its own."""
    refusal = PermissionError(13, "Permission denied") if code == "errno" else OSError("forbidden")
    if code == "winerror":
        refusal.winerror = 10013

    def bind(sock, address):
        raise refusal

    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(Motion324Error) as caught:
        listen("127.0.0.1", 80, 1)
    assert caught.value.code == "cannot-listen" and "127.0.0.1:80" in caught.value.sentence
    assert "allow this Python in the firewall and antivirus program" in caught.value.hint
    assert "a port above 1024" in caught.value.hint


def test_a_path_is_taken_over_from_a_killed_backend_and_never_from_a_living_one(start, folder):
    host = f"unix:{folder}/backend"
    process, _, _ = start(host)
    with pytest.raises(Motion324Error, match="another backend listens there") as caught:
        listen(host, 0, 1)
    assert caught.value.code == "cannot-listen"
    connect(host, 0, 5).close()  # it still does
    kill(process)
    assert (folder / "backend").is_socket()
    again = listen(host, 0, 1)
    connect(host, 0, 5).close()
    again.close()
    assert not list(folder.iterdir())


def test_a_path_on_which_a_program_listens_that_holds_no_lock_is_not_taken_over(tmp_path):
    path = tmp_path / "backend"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen(1)
        with pytest.raises(Motion324Error):
            listen(f"unix:{path}", 0, 1)
    listen(f"unix:{path}", 0, 1).close()  # now it does not, and its socket is stale


def test_a_file_in_place_of_the_path_stays(tmp_path):
    (tmp_path / "backend").write_text("notes")
    with pytest.raises(Motion324Error):
        listen(f"unix:{tmp_path}/backend", 0, 1)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["notes"]


def test_private_folders_of_killed_backends_are_swept_at_the_next_start_and_those_of_living_ones_stay(start, folder):
    dead, dead_host, _ = start(AUTO)
    _, living_host, _ = start(AUTO)
    kill(dead)
    listener = listen(AUTO, 0, 1)
    assert not Path(dead_host.removeprefix("unix:")).parent.exists()
    connect(living_host, 0, 5).close()
    listener.close()
    forget_address(living_host)
    connect(living_host, 0, 5).close()  # somebody who is wrong about its end takes nothing away


def test_the_address_of_a_killed_backend_is_forgotten(start, folder):
    for host in (AUTO, f"unix:{folder}/backend"):
        process, told, _ = start(host)
        kill(process)
        forget_address(told)
    assert not list(folder.iterdir())
