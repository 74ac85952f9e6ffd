"""The one backend process of this Blender: started on first use, kept for later jobs, ended with Blender."""

from __future__ import annotations

import threading
from pathlib import Path

from motion324.client import Client, ServerProcess, start_server
from motion324.errors import Motion324Error

_lock = threading.Lock()
_server: ServerProcess | None = None
_client: Client | None = None
_python: Path | None = None


def connect(python: Path, log_path: Path) -> Client:
    """A connection to the backend that runs in that Python; starts it where it does not run. Takes seconds then.

    To be called by a worker thread. A backend that runs in another Python is ended first: never two.
    Raises Motion324Error, see `motion324.client.start_server` and `Client.connect`.
    """
    global _server, _client, _python
    with _lock:
        if _server is not None and _client is not None and _server.is_alive() and _python == python and _answers():
            return _client
        _stop()
        _server, _python = start_server(python, log_path=log_path), python
        _client = Client.connect(_server.endpoint, program="Blender")
        return _client


def stop() -> None:
    """Ends the backend, and every job with it; returns when it is gone, after five seconds at most."""
    with _lock:
        _stop()


def pid() -> int | None:
    """The process id of the backend that runs, for tests and reports."""
    return _server.pid if _server is not None and _server.is_alive() else None


def _answers() -> bool:
    """Whether the connection still stands; a lost one is made anew together with its process."""
    try:
        return _client is not None and _client.status() is not None
    except Motion324Error:
        return False


def _stop() -> None:
    global _server, _client
    if _client is not None:
        _client.close()
    if _server is not None:
        _server.stop()
    _server = _client = None
