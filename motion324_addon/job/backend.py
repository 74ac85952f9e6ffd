"""Knows where the backend is, on this machine or behind an address; starts or connects the one of this Blender
on first use, keeps it for later jobs, and ends it at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import motion324.client
from motion324.core.errors import EXIT_BACKEND, Cancelled, Motion324Error

LOCK_TICK = 0.05  # seconds between two looks at whether a waiting connect is still wanted

_lock = threading.Lock()
_ending = threading.Event()  # set while the main thread wants the lock to end the backend
_server: motion324.client.ServerProcess | None = None
_client: motion324.client.Client | None = None


@dataclass(frozen=True)
class Local:
    """A backend that this Blender starts and ends. python: the Python of the backend's environment."""

    python: Path


@dataclass(frozen=True)
class Remote:
    """A backend that somebody else has started, and that outlives this Blender: it is neither started nor ended.

    address: "host:port", where `motion324 serve` listens, or the near end of a tunnel to it.
    token: the secret of that backend; it appears in no message and no log.
    """

    address: str
    token: str = field(repr=False)


Where = Local | Remote


_where: Where | None = None

REMOTE_HINTS = {
    "backend-unreachable": "Check that 'motion324 serve' runs there, that the tunnel to it stands, and the address in "
    "the preferences.",
    "backend-refused": "Enter the token in the preferences that MOTION324_TOKEN had when that backend was started.",
    "not-a-backend": "Check the address and the token in the preferences.",
    "backend-timeout": "Check the tunnel to it; then restart that backend.",
    "backend-lost": "Check that backend's own log and the tunnel to it, then try again.",
}


def connect(where: Where, log_path: Path, gives_up: Callable[[], bool] = lambda: False) -> motion324.client.Client:
    """A connection to the backend; starts a local one where it does not run. Takes seconds then.

    To be called by a worker thread. A backend that runs somewhere else is left first, or ended: never two. It is left
    only where it has nothing to do for this Blender.
    gives_up: looked at many times a second; Cancelled follows once it is true.
    Raises Motion324Error, see `motion324.client.start_server` and `Client.connect`, or "bad-address",
    "other-backend".
    """

    def unwanted() -> bool:
        return gives_up() or _ending.is_set()

    while not _lock.acquire(timeout=LOCK_TICK):
        if unwanted():
            raise Cancelled()
    try:
        if _client is not None and _where == where and _stands():
            return _client
        if _client is not None and _where != where and _client.is_busy:
            sentence = "Another backend than the chosen one still computes for this Blender."
            hint = "Wait until that is done or cancel it, then try again."
            raise Motion324Error("other-backend", sentence, hint, EXIT_BACKEND)
        _stop()
        if unwanted():
            raise Cancelled()
        return _begin(where, log_path, unwanted)
    finally:
        _lock.release()


def stop() -> None:
    """Ends a local backend, and every job with it; returns when it is gone, after five seconds at most."""
    _ending.set()
    try:
        with _lock:
            _stop()
    finally:
        _ending.clear()


def pid() -> int | None:
    """The process id of the local backend that runs, for tests and reports."""
    return _server.pid if _server is not None and _server.is_alive() else None


def problem_at(where: Where, error: Motion324Error) -> Motion324Error:
    """The error as an artist can act on it: one who did not start a remote backend, and knows no sockets."""
    if isinstance(where, Remote) and error.code in REMOTE_HINTS:
        return Motion324Error(error.code, error.sentence, REMOTE_HINTS[error.code], error.exit_code)
    if isinstance(where, Local) and error.code == "backend-lost" and pid() is None:
        sentence = "The backend ended before the job was done."
        return Motion324Error(error.code, sentence, error.hint, error.exit_code)
    return error


def _begin(where: Where, log_path: Path, gives_up: Callable[[], bool]) -> motion324.client.Client:
    global _server, _client, _where
    try:
        if isinstance(where, Local):
            _server = motion324.client.start_server(where.python, log_path=log_path, give_up=gives_up)
            _client = _connect_local(_server)
        else:
            _client = _connect_remote(where)
        _where = where
        return _client
    except BaseException:
        _stop()
        raise


def _connect_local(server: motion324.client.ServerProcess) -> motion324.client.Client:
    try:
        return motion324.client.Client.connect(server.endpoint, program="Blender")
    except Motion324Error as error:
        last_words = server.last_words()  # waits a moment for a process that is just ending
        if server.is_alive():
            raise
        sentence = "The backend ended before it could be connected."
        raise Motion324Error("backend-lost", sentence, last_words, EXIT_BACKEND) from error


def _connect_remote(where: Remote) -> motion324.client.Client:
    try:
        return motion324.client.Client.connect(
            motion324.client.Endpoint.at(where.address, where.token), program="Blender"
        )
    except Motion324Error as error:
        raise problem_at(where, error) from error


def _stands() -> bool:
    """Whether the connection still stands; a lost one is made anew, together with the process of a local backend."""
    if isinstance(_where, Local) and (_server is None or not _server.is_alive()):
        return False
    return _client is not None and _client.stands()


def _stop() -> None:
    global _server, _client, _where
    if _client is not None:
        _client.close()
    if _server is not None:
        _server.stop()
    _server = _client = _where = None
