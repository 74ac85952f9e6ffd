"""A package index on this machine, as slow and as unreliable as a test asks for."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import threading
import time
from collections.abc import Callable
from pathlib import Path

CHUNK = 50_000


class PackageIndex:
    """Serves the wheels of a folder. asked: (path, Range header) of every file that was asked for.

    links(path of a wheel): how the page names it; by default with its hash. fails_with: an HTTP error for every page.
    pause: seconds between two chunks of a file. breaks_after: bytes after which connections end, None for never.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links: Callable[[Path], str] = _link_with_hash
        self.fails_with: int | None = None
        self.asked: list[tuple[str, str]] = []
        self.pause = 0.0
        self.breaks_after: int | None = None
        handler = functools.partial(_Handler, self)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/simple"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _link_with_hash(path: Path) -> str:
    return f"/files/{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, index: PackageIndex, *arguments: object) -> None:
        self.index = index
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        with contextlib.suppress(ConnectionError):  # who cancels a download does not wait for its end
            self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        kind, name = self.path.strip("/").split("/")
        if kind == "simple":
            wheels = self.index.folder.glob(f"{name.replace('-', '_')}-*.whl")
            page = "".join(f'<a href="{self.index.links(path)}">{path.name}</a>' for path in wheels).encode()
            self._send(self.index.fails_with or 200, page, {"Content-Type": "text/html"}, with_body)
            return
        data = (self.index.folder / name).read_bytes()
        span = self.headers.get("Range", "")
        if with_body:
            self.index.asked.append((name, span))
        if not span:
            self._send(200, data, {"Accept-Ranges": "bytes"}, with_body)
            return
        first, _, last = span.removeprefix("bytes=").partition("-")
        begin = int(first) if first else len(data) - int(last)
        end = int(last) + 1 if first and last else len(data)
        where = {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}", "Accept-Ranges": "bytes"}
        self._send(206, data[begin:end], where, with_body)

    def _send(self, code: int, data: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        for begin in range(0, len(data) if with_body else 0, CHUNK):
            if self.index.breaks_after is not None and begin >= self.index.breaks_after:
                self.close_connection = True
                return
            self.wfile.write(data[begin : begin + CHUNK])
            time.sleep(self.index.pause)
