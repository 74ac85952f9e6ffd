"""Requests to an HTTP server that can be cancelled while they wait for the answer."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from motion324.core.errors import EXIT_BACKEND, Motion324Error

TICK = 0.1  # seconds between two looks for cancellation
LARGEST_ANSWER = 1 << 30  # bytes


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class HttpServer:
    """address: such as http://127.0.0.1:8081, also with a path; http where nothing is said. key: sent as a bearer
    token where it is not empty."""

    def __init__(self, address: str, key: str = "") -> None:
        self.address = address if "://" in address else f"http://{address}"
        self._key = key
        try:
            parts = urlsplit(self.address)
            self.host, self._port = parts.hostname or "", parts.port
        except ValueError:
            self.host, self._port = "", None
            return
        self._safe = parts.scheme == "https"
        self._prefix = parts.path.rstrip("/")
        if parts.scheme not in ("http", "https"):
            self.host = ""

    def ask(self, method: str, path: str, body: bytes, limit: float, waiting: Callable[[], None]) -> Answer:
        """waiting: called every TICK; what it raises closes the connection and is passed on.

        Raises TimeoutError after `limit` seconds, Motion324Error("server-unreachable").
        """
        kind = http.client.HTTPSConnection if self._safe else http.client.HTTPConnection
        connection = kind(self.host, self._port, timeout=limit)
        outcome: list[Answer | Exception] = []

        def run() -> None:
            try:
                headers = {"Content-Type": "application/json"} if body else {}
                if self._key:
                    headers["Authorization"] = f"Bearer {self._key}"
                connection.request(method, self._prefix + path, body or None, headers)
                response = connection.getresponse()
                data = response.read(LARGEST_ANSWER + 1)
                if len(data) > LARGEST_ANSWER:
                    raise OSError("its answer is too large")
                outcome.append(Answer(response.status, data))
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=run, name="http", daemon=True)
        thread.start()
        waited = 0.0
        try:
            while thread.is_alive() and waited < limit:
                waiting()
                thread.join(TICK)
                waited += TICK
        finally:
            with contextlib.suppress(Exception):
                connection.close()
        if not outcome:
            raise TimeoutError
        if isinstance(outcome[0], Answer):
            return outcome[0]
        if isinstance(outcome[0], TimeoutError):
            raise outcome[0]
        raise Motion324Error(
            "server-unreachable",
            f"The server {self.address} cannot be reached: {outcome[0]}.",
            "Check the address, and that the server runs and can be reached from here.",
            EXIT_BACKEND,
        ) from outcome[0]
