"""Keeps the backend's log file, which is bounded in size and can always be read by the panel."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error

LOG_BYTES = 2 << 20
OLD_LOGS = 3


def default_log_path() -> Path:
    """Where the backend logs unless it is told: the platform's place for a user's logs."""
    home = Path.home()
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Motion324" / "Logs"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Logs" / "Motion324"
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "motion324"
    return folder / "backend.log"


def start_log(path: Path, max_bytes: int = LOG_BYTES) -> None:
    """Sends all logging of this process to `path`, which is renamed to `path`.1, .2, .3 as it grows over max_bytes.

    Raises Motion324Error("log-not-writable").
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        from logging.handlers import RotatingFileHandler  # brings sockets and pickles

        handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=OLD_LOGS, encoding="utf-8")
    except OSError as error:
        raise Motion324Error(
            "log-not-writable",
            f"The backend cannot write its log {path} ({error.strerror}).",
            "Choose a folder that you may write to, or free space on that disk.",
            EXIT_CANNOT_WRITE,
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("motion324").setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A full disk must not end a job that needs no disk.
    logging.raiseExceptions = False


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, or none where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - 400 * count, 0))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []
