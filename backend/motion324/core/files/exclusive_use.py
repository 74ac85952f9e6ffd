"""Keeps a second process out of a folder or file that one is filling: one holds it, and the other is told who does.

The holder is told by a lock (see owned_folder), so that one that was killed keeps nobody out.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
from pathlib import Path
from types import TracebackType

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.files.owned_folder import Lock
from motion324.core.files.write_aside import explained_write_errors

IN_USE = ".motion324-in-use"  # the file that is locked, in the folder, or beside a file with that file's name before it
_ATTEMPTS = 3


class Hold:
    """Use it as a context: while it lasts, no other Hold of the same place can be had, on whatever machine.

    A folder is made where it is missing, and taken away again where it is empty at the end. Where the disk knows no
    locks, or does not let us write, nothing is held.
    """

    def __init__(self, path: Path, what: str, *, is_folder: bool = True) -> None:
        """what: "output folder", for the sentence that names it."""
        self.path, self._what, self._is_folder = Path(path), what, is_folder
        self._lock: Lock | None = None
        self._made: list[Path] = []

    @property
    def lock_path(self) -> Path:
        return self.path / IN_USE if self._is_folder else self.path.with_name(f".{self.path.name}{IN_USE}")

    def __enter__(self) -> Hold:
        """Raises Motion324Error("in-use", "cannot-write", "disk-full")."""
        try:
            if self._is_folder:
                self._make_folder()
            self._lock = self._locked()
        except BaseException as error:
            self.release()
            if isinstance(error, BlockingIOError):
                raise self._in_use() from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """May be called twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # something lies in it
                folder.rmdir()
        self._made.clear()

    def _make_folder(self) -> None:
        with explained_write_errors(self.path):
            for folder in reversed([one for one in (self.path, *self.path.parents) if not one.exists()]):
                folder.mkdir(exist_ok=True)
                self._made.append(folder)

    def _in_use(self) -> Motion324Error:
        return Motion324Error(
            "in-use",
            f"The {self._what} '{self.path}' is in use by {_holder(self.lock_path)}.",
            "Wait until that is done, or stop it, or choose another one.",
            EXIT_CANNOT_WRITE,
        )

    def _locked(self) -> Lock | None:
        for attempt in range(_ATTEMPTS):
            try:
                lock = Lock(self.lock_path)
            except FileNotFoundError:  # whoever held it has removed it just now
                continue
            except BlockingIOError:
                if attempt + 1 == _ATTEMPTS:
                    raise
                continue
            except OSError:
                return None
            since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
            with contextlib.suppress(OSError):  # a full disk: held all the same
                lock.write(json.dumps({"process": os.getpid(), "machine": socket.gethostname(), "since": since}))
            return lock
        return None


def _holder(lock_path: Path) -> str:
    """Who holds it, in words; its file may be just being written, or be read on another machine's disk."""
    try:
        told = read_json(lock_path.read_text("utf-8"))
        process, machine = int(told["process"]), str(told["machine"])
        since = datetime.datetime.fromisoformat(told["since"]).astimezone()
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
    day = "" if since.date() == datetime.date.today() else f"{since:%Y-%m-%d} "
    where = "" if machine == socket.gethostname() else f" on {machine}"
    return f"process {process}{where} since {day}{since:%H:%M:%S}"
