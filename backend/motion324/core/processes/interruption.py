"""Stops on Ctrl-C without accidents: it sets a flag, which every report of progress looks at.

Work that looks for no cancellation itself, such as imports and the loading of models, is waited for meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

from motion324.core.errors import EXIT_CANCELLED, Cancelled

GRACE = 1.0  # seconds for which a stage may be silent
AGAIN = 10.0  # seconds after which a signal to ourselves was lost, in a callback for instance; cleaning up is quicker
_STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
POLL_SECONDS = 0.1

Result = TypeVar("Result")


class Interruption:
    """Use it as a context, on the main thread: while it lasts, Ctrl-C, SIGTERM and a closed terminal set `asked`.

    A second Ctrl-C ends the process at once, with code 130. An ignored signal stays ignored, as in a shell's background
    jobs. grace: seconds for which nobody has to look; longer for work that would break where it is interrupted.
    """

    def __init__(self) -> None:
        self.asked = False
        self.grace = GRACE
        self._overdue = self._heeded = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _STOPS if hasattr(signal, name)):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        _present.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _present.remove(self)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore_from_now(self) -> None:
        """The process ends anyway: a signal that comes while it does changes nothing any more."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def look(self) -> None:
        """Raises Cancelled where somebody has asked to stop."""
        if self.asked:
            self._heeded = True
            raise Cancelled()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._overdue:
            self._overdue = False
            raise KeyboardInterrupt
        if self.asked and number == signal.SIGINT:
            _end_at_once()
        if not self.asked:
            self.asked = True
            threading.Thread(target=self._insist, args=(number,), name="interruption", daemon=True).start()

    def _insist(self, number: int) -> None:
        """Once nobody has looked for long."""
        asked = time.monotonic()
        while time.monotonic() - asked < self.grace:
            time.sleep(0.05)
        while self in _present and not self._heeded:
            self._overdue = True
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                if sys.platform == "win32":
                    signal.raise_signal(number)
                else:  # which also wakes the main thread where it waits
                    signal.pthread_kill(threading.main_thread().ident or 0, number)
            time.sleep(AGAIN)


_present: list[Interruption] = []  # the innermost last; more than one only where one command runs in another


def look() -> None:
    """Raises Cancelled where the present Interruption, if there is any, was asked to stop. For any thread."""
    if _present:
        _present[-1].look()


def looking(stage: str, done: int, total: int) -> None:
    """A Progress that does nothing but look."""
    look()


def _end_at_once() -> None:
    if "multiprocessing" in sys.modules:  # which alone takes longer to import than the rest
        import multiprocessing

        for child in multiprocessing.active_children():
            child.terminate()
    with contextlib.suppress(OSError):
        os.write(2, b"\nstopped at once\n")
    os._exit(EXIT_CANCELLED)


def waited(work: Callable[[], Result], check: Callable[[], None]) -> Result:
    """What `work` returns or raises, which runs on a thread of its own; check is called ten times a second meanwhile.

    What check raises is passed on at once; the work then goes on to its end, and its outcome is forgotten.
    """
    done = threading.Event()
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="motion324-waited-for", daemon=True).start()
    while not done.wait(POLL_SECONDS):
        check()
    if errors:
        raise errors[0]
    return results[0]
