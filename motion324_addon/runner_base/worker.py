"""Is a thread that does one piece of work for a runner."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from motion324.core.errors import Cancelled, Motion324Error

log = logging.getLogger(__name__)


class Worker:
    """Does one piece of work on a thread of its own, and posts events about it; which events is the subclass's affair.

    THE THREAD MUST NOT TOUCH BPY: Blender's data may move or vanish under it at any time. Whatever it needs is handed
    to the subclass before it starts. `_work` does the work, and `_ended_by` has the last event where an error ended it.
    """

    def __init__(self, name: str, post: Callable[[Worker, Any], None]) -> None:
        """name: of the work, for the log. post(worker, event): called on the thread, see `Runner.post`."""
        self._name = name
        self._post = post
        self._stop_asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"motion324 {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks the work to end, which it does within a tenth of a second or two. Any thread."""
        self._stop_asked.set()

    def join(self, seconds: float = 2.0) -> None:
        """Waits for the thread's end, where it was started."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def gives_up(self) -> bool:
        """Whether it was asked to stop. Any thread."""
        return self._stop_asked.is_set()

    def check(self) -> None:
        """Raises Cancelled once it was asked to stop."""
        if self._stop_asked.is_set():
            raise Cancelled()

    def tell(self, event: Any) -> None:
        self._post(self, event)

    def _run(self) -> None:
        try:
            last = self._work()
        except Exception as error:
            if not isinstance(error, Motion324Error) and not self.gives_up():
                log.exception("the %s failed", self._name)
            last = self._ended_by(error)
        self.tell(last)

    def _work(self) -> Any:
        """Returns the last event."""
        raise NotImplementedError

    def _ended_by(self, error: Exception) -> Any:
        """The event that tells of an error; of Cancelled as well."""
        raise NotImplementedError
