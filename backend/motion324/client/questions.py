"""Puts questions to the backend and waits for their answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.wire.handshake import Endpoint
from motion324.wire.protocol import Message, Question, SeesFiles


class Questions:
    """Those of one connection. All methods may be called by any thread. post: adds a message to those that go out.
    last_heard: time.monotonic() when anything came last.
    """

    def __init__(self, endpoint: Endpoint, post: Callable[[Message], None], last_heard: Callable[[], float]) -> None:
        self._last_heard = last_heard
        self._endpoint = endpoint
        self._post = post
        self._lock = threading.Lock()
        self._waiting: dict[str, _Answer] = {}
        self._lost: Motion324Error | None = None

    def ask(self, question: Question | SeesFiles, timeout: float) -> Message:
        """The answer. Raises Motion324Error: the one that the backend answered with, "backend-timeout" or, where other
        things came meanwhile, "backend-slow"; or that with which the connection ended.
        """
        answer = _Answer()
        asked = time.monotonic()
        with self._lock:
            if self._lost:
                raise self._lost
            self._waiting[question.question_id] = answer
        try:
            self._post(question)
            if not answer.come.wait(timeout):
                sentence = (
                    f"The backend at {self._endpoint} did not answer '{question.kind}' within {timeout:g} seconds."
                )
                if self._last_heard() > asked:
                    hint = "It is alive, but busy, or the line to it is slow; try again in a while."
                    raise Motion324Error("backend-slow", sentence, hint, EXIT_BACKEND)
                hint = "Stop the backend and start it again."
                raise Motion324Error("backend-timeout", sentence, hint, EXIT_BACKEND)
        finally:
            with self._lock:
                self._waiting.pop(question.question_id, None)
        if answer.error:
            raise answer.error
        assert answer.message is not None
        return answer.message

    def answer(self, question_id: str, message: Message) -> None:
        """To be called when an answer comes; one that nobody waits for any more is forgotten."""
        with self._lock:
            answer = self._waiting.get(question_id)
        if answer:
            answer.message = message
            answer.come.set()

    def fail(self, question_id: str, error: Motion324Error) -> None:
        """To be called when an error comes that may be an answer."""
        with self._lock:
            answer = self._waiting.get(question_id)
        if answer:
            answer.error = error
            answer.come.set()

    def end(self, error: Motion324Error) -> None:
        """To be called when the connection ends: all questions, and all later ones, get this error."""
        with self._lock:
            self._lost = self._lost or error
            waiting = list(self._waiting)
        for question_id in waiting:
            self.fail(question_id, error)


class _Answer:
    """The place where the answer to one question arrives."""

    def __init__(self) -> None:
        self.come = threading.Event()
        self.message: Message | None = None
        self.error: Motion324Error | None = None
