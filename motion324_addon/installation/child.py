"""Runs the installation's child processes without the user's Python settings, and ends them at once where asked."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from motion324.core.errors import EXIT_BACKEND, Cancelled, Motion324Error

TICK = 0.1  # seconds between two looks at whether the work is still wanted
KILL_SECONDS = 5.0
# Where the package index is and how it is reached is the user's business; all else of pip's settings would move
# packages to other places or choose others.
PIP_NETWORK = {
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
}
FOREIGN = ("VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__")


def environment_variables(inherited: Mapping[str, str], *, online: bool) -> dict[str, str]:
    """Those of this process without what leads another Python astray. online: whether pip may use the user's index."""
    kept = {
        name: value
        for name, value in inherited.items()
        if not name.startswith(("PYTHON", "PIP_")) and name not in FOREIGN
    }
    if online:
        kept.update({name: value for name, value in inherited.items() if name in PIP_NETWORK})
    else:
        kept["PIP_CONFIG_FILE"] = os.devnull
    return {**kept, "PYTHONUTF8": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def run(
    command: Sequence[str],
    log: Path,
    *,
    online: bool = False,
    cwd: Path | None = None,
    on_line: Callable[[str], bool | None] = lambda line: None,
    on_tick: Callable[[], None] = lambda: None,
    gives_up: Callable[[], bool] = lambda: False,
) -> tuple[int, list[str]]:
    """Runs a program to its end: its exit code and the lines that it printed.

    on_line: gets each line as it comes; where it returns True the line is progress, neither logged nor returned.
    on_tick, gives_up: called about ten times a second; once gives_up() is true, the program and its children are
    killed and Cancelled is raised. Its standard input ends with this process, by which our own scripts know to end.
    Raises Motion324Error("python-missing") where it cannot be started.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment_variables(os.environ, online=online),
            cwd=cwd,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        raise Motion324Error(
            "python-missing",
            f"{command[0]} cannot be started ({error.strerror or error}).",
            "Repair the backend in the preferences, or choose another Python there.",
            EXIT_BACKEND,
        ) from error
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), name="motion324 installation", daemon=True)
    reader.start()
    said: list[str] = []
    try:
        with log.open("a", encoding="utf-8") as out:
            print("+", _without_passwords(" ".join(command)), file=out, flush=True)
            while (line := _next(lines)) is not None:
                if gives_up():
                    raise Cancelled()
                on_tick()
                if line and on_line(line) is not True:
                    said.append(line)
                    print(line, file=out, flush=True)
        while process.poll() is None:
            if gives_up():
                raise Cancelled()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(TICK)
        return process.returncode, said
    finally:
        _end(process)
        reader.join(TICK)


def _without_passwords(text: str) -> str:
    """Addresses of package indexes may hold a name and a password."""
    return re.sub(r"://[^/@\s]*@", "://", text)


def _next(lines: queue.SimpleQueue[str | None]) -> str | None:
    """The next line, "" where none has come for a while, None after the last."""
    try:
        return lines.get(timeout=TICK)
    except queue.Empty:
        return ""


def _read(stream: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed while it is read
        for line in stream:
            lines.put(line.decode("utf-8", "replace").rstrip())
    lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the process with its children, where it still runs, and lets go of its pipes."""
    if process.poll() is None:
        if sys.platform == "win32":
            kill = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            flags = subprocess.CREATE_NO_WINDOW
            subprocess.run(kill, capture_output=True, stdin=subprocess.DEVNULL, creationflags=flags)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_SECONDS)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
