"""Starts a backend process on this machine, watches it, and stops it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from motion324.core.errors import EXIT_BACKEND, Cancelled, Motion324Error
from motion324.core.files.log_file import last_lines
from motion324.wire.connection import ConnectionLost
from motion324.wire.framing import encode
from motion324.wire.handshake import TOKEN_VARIABLE, Endpoint, new_token, open_connection
from motion324.wire.protocol import Shutdown, to_wire
from motion324.wire.transport import AUTO, forget_address

_KEPT_LINES = 400  # of what the process prints
_SHOWN_LINES = 12
_NOT_INHERITED = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP")  # Blender's may point into Blender's own Python


def start_server(
    python: Path | str | Sequence[str],
    *,
    log_path: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = 60.0,
    give_up: Callable[[], bool] = lambda: False,
) -> ServerProcess:
    """Starts a backend that ends with this process, and returns when it is ready to be connected.

    python: the Python of the backend's environment; or a whole command, that takes the place of
        `python -m motion324` and gets the same arguments (`serve --host ...`).
    environment: variables to set besides those of this process.
    give_up: looked at many times a second; once it is true, the process is ended and Cancelled is raised.

    Raises Motion324Error: "backend-missing" (no such program), "backend-died" (with the last lines that it printed),
    "backend-timeout".
    """
    if isinstance(python, Path | str):
        command = [str(python), "-s", "-P", "-m", "motion324"]
    else:
        command = list(python)
    log_path = log_path.absolute()
    command += ["serve", "--host", AUTO, "--port", "0", "--log", str(log_path), "--parent", str(os.getpid())]
    token = new_token()
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited, "PYTHONUTF8": "1", **(environment or {}), TOKEN_VARIABLE: token},
            creationflags=flags,
            start_new_session=sys.platform != "win32",  # Ctrl-C in Blender's terminal is not for the backend
        )
    except OSError as error:
        raise Motion324Error(
            "backend-missing",
            f"The backend's program {command[0]} cannot be started ({error.strerror or error}).",
            "Install the backend, or choose its Python in the preferences.",
            EXIT_BACKEND,
        ) from error
    server = ServerProcess(process, token, log_path)
    try:
        server.wait_until_ready(timeout, give_up)
    except BaseException:
        server.kill()
        raise
    return server


class ServerProcess:
    """A backend that this process has started."""

    def __init__(self, process: subprocess.Popen[bytes], token: str, log_path: Path) -> None:
        self.pid = process.pid
        self.log_path = log_path
        self._process = process
        self._token = token
        self._changed = threading.Condition()
        self._printed: deque[str] = deque(maxlen=_KEPT_LINES)
        self._ready: dict[str, Any] | None = None
        self._readers = []
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            thread = threading.Thread(target=self._read, args=(stream,), name=f"backend {self.pid} output", daemon=True)
            self._readers.append(thread)
            thread.start()

    @property
    def endpoint(self) -> Endpoint:
        """Where to connect."""
        assert self._ready is not None
        return Endpoint(str(self._ready["host"]), int(self._ready["port"]), self._token, self.last_words)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def log_tail(self, count: int = _SHOWN_LINES) -> list[str]:
        """The last lines of its log, then those that it printed, such as the trace of a crash."""
        with self._changed:
            printed = list(self._printed)
        return [*last_lines(self.log_path, count), *printed][-count:]

    def last_words(self) -> str:
        """How it ended and what it wrote last, for people; called when the connection to it was lost."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        code = self._process.poll()
        if code is None:
            return f"Its process still runs.\n{self._tail_text()}"
        self._join_readers()
        return f"It ended with {_describe_exit(code)}.\n{self._tail_text()}"

    def wait_until_ready(self, timeout: float, give_up: Callable[[], bool] = lambda: False) -> None:
        """Returns when the readiness line has come.

        Raises Motion324Error("backend-died", "backend-timeout"), or Cancelled once `give_up` is true.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._ready is None and self.is_alive() and time.monotonic() < deadline:
                if give_up():
                    raise Cancelled()
                self._changed.wait(0.05)
            if self._ready is not None:
                return
        if self.is_alive():
            raise Motion324Error(
                "backend-timeout",
                f"The backend was not ready within {timeout:g} seconds.",
                f"Try again; on a slow disk the first start takes longest.\n{self._tail_text()}",
                EXIT_BACKEND,
            )
        self._join_readers()
        raise Motion324Error(
            "backend-died",
            f"The backend ended with {_describe_exit(self._process.returncode)} before it was ready.",
            self._tail_text(),
            EXIT_BACKEND,
        )

    def stop(self, timeout: float = 5.0) -> None:
        """Asks it to end, and after `timeout` seconds makes it. Does nothing where it has ended."""
        if self.is_alive() and self._ready is not None:
            with contextlib.suppress(Motion324Error, ConnectionLost):
                connection, _ = open_connection(self.endpoint, min(timeout, 2.0), "stop")
                try:
                    connection.send(encode(*to_wire(Shutdown())), stall=1.0)
                    self._process.wait(timeout)
                except subprocess.TimeoutExpired:
                    pass
                finally:
                    connection.close()
        if self.is_alive():
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        self.kill()

    def kill(self) -> None:
        """Ends it at once, and lets go of its pipes."""
        if self.is_alive():
            self._process.kill()
            self._process.wait(5.0)
        self._join_readers()
        if self._ready is not None:
            forget_address(str(self._ready["host"]))

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _read(self, stream: IO[bytes]) -> None:
        """Takes all that the process prints, so that it never waits for a full pipe."""
        with stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                with self._changed:
                    if self._ready is None and stream is self._process.stdout:
                        self._ready = _readiness(text)
                        if self._ready is not None:
                            self._changed.notify_all()
                            continue
                    self._printed.append(text)

    def _join_readers(self) -> None:
        for thread in self._readers:
            thread.join(0.5)

    def _tail_text(self) -> str:
        lines = self.log_tail()
        if not lines:
            return f"It wrote nothing to its log {self.log_path}."
        return f"Its last lines (all of them are in {self.log_path}):\n" + "\n".join(lines)


def _readiness(line: str) -> dict[str, Any] | None:
    """The readiness line's values, or None for any other line."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or values.get("motion324") != "ready":
        return None
    return values if isinstance(values.get("host"), str) and isinstance(values.get("port"), int) else None


def _describe_exit(code: int) -> str:
    """POSIX gives the number of a signal as a negative code."""
    if code == -9:
        return "signal 9: it was killed, often by the system because memory ran out"
    return f"signal {-code}" if code < 0 else f"code {code}"
