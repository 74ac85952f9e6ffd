"""A slow line between a client and a backend, on this machine's loopback: it paces, delays, stalls and breaks.

with SlowLine(server.endpoint, rate=125_000, delay=0.4) as line:
    client = Client.connect(line.endpoint)
    line.stalled.set()
    line.reset()
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque

from motion324.client import Endpoint
from motion324.wire.transport import connect

KERNEL_BUFFER = 32 << 10  # bytes; what the system adds to a line's own buffer stays small beside it
TICK = 0.05


class SlowLine:
    """rate: bytes per second, each way; may be changed while it runs. delay: seconds, each way.

    buffer: bytes that the line takes before it makes the sender wait, besides those that are on their way, as the
    buffers of routers and tunnels do. stalled: while it is set, nothing moves. Its endpoint does not look as if it were
    on this machine, so that files are sent through it.
    """

    def __init__(self, backend: Endpoint, rate: float, delay: float = 0.0, buffer: int = 64 << 10) -> None:
        self.rate, self.delay, self.buffer = rate, delay, buffer
        self.stalled = threading.Event()
        self._backend = backend
        self._ended = threading.Event()
        self._ways: list[_Way] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
        self._listener.settimeout(TICK)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self._listener.getsockname()[1], self._backend.token)

    def carried(self) -> tuple[int, int]:
        """Bytes that came to the backend, and from it, over all connections."""
        ways = list(self._ways)
        return sum(way.carried for way in ways[::2]), sum(way.carried for way in ways[1::2])

    def reset(self) -> None:
        """Breaks every connection, as a router that forgets them does; new ones may be made."""
        for way in self._ways:
            way.cut()

    def close(self) -> None:
        self._ended.set()
        self._listener.close()
        self.reset()
        for thread in self._threads:
            thread.join(2)

    def __enter__(self) -> SlowLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near = self._listener.accept()[0]
            except OSError:
                continue
            try:
                far = connect(self._backend.host, self._backend.port, 5)
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
                one.settimeout(TICK)
                way = _Way(self, one, other)
                self._ways.append(way)
                for work in (way.take, way.give):
                    self._threads.append(threading.Thread(target=work, daemon=True))
                    self._threads[-1].start()


class _Way:
    """One direction of one connection."""

    def __init__(self, line: SlowLine, source: socket.socket, target: socket.socket) -> None:
        self._line, self._source, self._target = line, source, target
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, bytes]] = deque()  # when it is due, and what
        self._bytes = 0
        self._over = False
        self.carried = 0

    def take(self) -> None:
        while not self._over:
            with self._changed:
                if self._bytes > self._line.buffer + self._line.rate * self._line.delay:
                    self._changed.wait(TICK)
                    continue
            try:
                data = self._source.recv(max(int(self._line.rate * 0.01), 512))
            except TimeoutError:
                continue
            except OSError:
                data = b""
            with self._changed:
                self._waiting.append((time.monotonic() + self._line.delay, data))
                self._bytes += len(data)
                self._changed.notify_all()
            if not data:
                return

    def give(self) -> None:
        free = 0.0
        while not self._over:
            with self._changed:
                if not self._waiting:
                    self._changed.wait(TICK)
                    continue
                due, data = self._waiting[0]
            wait = max(due, free) - time.monotonic()
            if self._line.stalled.is_set() or wait > 0:
                time.sleep(min(max(wait, 0.002), TICK))
                continue
            free = max(free, due, time.monotonic() - TICK) + len(data) / self._line.rate
            if not data:
                with contextlib.suppress(OSError):
                    self._target.shutdown(socket.SHUT_WR)
                return
            if not self._send(data):
                return
            with self._changed:
                self._waiting.popleft()
                self._bytes -= len(data)
                self.carried += len(data)
                self._changed.notify_all()

    def cut(self) -> None:
        """Ends both sockets with a reset."""
        self._over = True
        for sock in (self._source, self._target):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()

    def _send(self, data: bytes) -> bool:
        view = memoryview(data)
        while view and not self._over:
            try:
                view = view[self._target.send(view) :]
            except TimeoutError:
                continue
            except OSError:
                self.cut()
        return not self._over
