"""Is the provider `hunyuan3d-server`: it asks the server that comes with Hunyuan3D-2 (api_server.py), here or
elsewhere.

POST /send takes JSON with a base64 picture and answers {"uid"}; GET /status/UID answers {"status": "processing"}, or
{"status": "completed", "model_base64"}. Servers without /send are asked by POST /generate, which answers with the file
when it is done. A job that fails after /send stays "processing" for ever, so there is a time limit.

Requests can be cancelled while they wait for the answer, which no HTTP library here can: http.client runs in a thread.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import json
import math
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.options.mesh_settings import HUNYUAN_LICENCE, MeshSettings
from motion324.core.progress import Progress
from motion324.mesh_providers.hunyuan.finishing import finished, object_on_square
from motion324.mesh_providers.interface import ObjectPicture, ProvidedMesh

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


KEY_VARIABLE = "MOTION324_HUNYUAN3D_KEY"  # not an option: command lines are seen by others
POLL_SECONDS = 1.0
ANSWER_SECONDS = 60.0  # for one short question; a server that computes may be slow to answer


class HunyuanServerProvider:
    """Sends the object's picture, and nothing else of the video, to the server; see MeshProvider."""

    name = "hunyuan3d-server"
    licence = HUNYUAN_LICENCE

    def __init__(self, settings: MeshSettings) -> None:
        self._settings = settings
        self._server = HttpServer(settings.server, os.environ.get(KEY_VARIABLE, ""))

    def check(self) -> None:
        """Raises Motion324Error("bad-option") where the address is none; the first request tells whether it answers."""
        if not self._server.host:
            raise Motion324Error(
                "bad-option",
                f"The option hunyuan-server is '{self._settings.server}'; it must be an address.",
                "It looks like http://127.0.0.1:8081.",
                EXIT_USAGE,
            )

    def provide(self, picture: ObjectPicture, progress: Progress) -> ProvidedMesh:
        """Raises Cancelled, and Motion324Error: "no-foreground", "server-unreachable", "server-refused",
        "another-server", "server-failed", "server-too-slow"."""
        deadline = time.monotonic() + self._settings.time_limit
        body = json.dumps(self._question(picture)).encode()
        try:
            answer = self._ask("POST", "/send", body, deadline, progress, ANSWER_SECONDS)
        except TimeoutError as error:
            raise self._silent() from error
        if answer.status in (404, 405, 501):
            answer = self._ask("POST", "/generate", body, deadline, progress)
            if answer.status in (404, 405, 501):
                raise self._another_server(answer)
            data = self._good(answer).body
        else:
            data = self._result_of(str(_field(self._good(answer), "uid")), deadline, progress)
        if not _is_whole_glb(data):
            raise _failed(f"{self._server.address} answered with something that is no whole GLB file")
        with tempfile.TemporaryDirectory(prefix="motion324-") as folder:
            path = Path(folder) / "mesh.glb"
            path.write_bytes(data)
            return finished(path, picture, self._settings.faces, progress)

    def _question(self, picture: ObjectPicture) -> dict[str, Any]:
        """Resolution and steps are left to the server, which knows its model."""
        square = object_on_square(picture)
        done, png = cv2.imencode(".png", cv2.cvtColor(square, cv2.COLOR_RGBA2BGRA))
        if not done:
            raise ValueError("OpenCV cannot encode PNG")
        return {
            "image": base64.b64encode(np.asarray(png).tobytes()).decode("ascii"),
            "seed": self._settings.seed,
            "texture": self._settings.texture,
            "face_count": self._settings.faces,
            "type": "glb",
        }

    def _result_of(self, uid: str, deadline: float, progress: Progress) -> bytes:
        """Asks until the file is there and whole: the server writes it while it is asked for it, and may be too busy
        to answer in time."""
        while True:
            try:
                answer = self._good(self._ask("GET", f"/status/{uid}", b"", deadline, progress, ANSWER_SECONDS))
            except TimeoutError:
                continue
            status = _field(answer, "status")
            if status == "completed":
                try:
                    data = base64.b64decode(str(_field(answer, "model_base64")), validate=True)
                except binascii.Error as error:
                    raise _failed(f"{self._server.address} answered with a damaged model") from error
                if _is_whole_glb(data):
                    return data
            elif status not in ("processing", "texturing", "queued"):
                raise _failed(f"{self._server.address} says '{status}'")
            self._pause(deadline, progress)

    def _pause(self, deadline: float, progress: Progress) -> None:
        until = time.monotonic() + POLL_SECONDS
        while (now := time.monotonic()) < until:
            progress("mesh", 0, 1)
            if now > deadline:
                raise self._too_slow()
            time.sleep(TICK)

    def _ask(
        self, method: str, path: str, body: bytes, deadline: float, progress: Progress, limit: float = math.inf
    ) -> Answer:
        """Raises TimeoutError after `limit` seconds, or Motion324Error("server-too-slow") at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        try:
            return self._server.ask(method, path, body, min(left, limit), lambda: progress("mesh", 0, 1))
        except TimeoutError as error:
            if limit < left:
                raise
            raise self._too_slow() from error

    def _good(self, answer: Answer) -> Answer:
        if _is_page(answer.body):
            raise self._another_server(answer)
        if answer.status == 200:
            return answer
        if answer.status in (401, 403):
            raise Motion324Error(
                "server-refused",
                f"The server {self._server.address} refused the request (HTTP {answer.status}).",
                f"Put its key into the variable {KEY_VARIABLE}.",
                EXIT_BACKEND,
            )
        raise _failed(f"{self._server.address} answered with HTTP {answer.status}")

    def _another_server(self, answer: Answer) -> Motion324Error:
        what = "knows neither /send nor /generate"
        if _is_page(answer.body):
            what = "answered with Gradio's page" if b"gradio" in answer.body.lower() else "answered with a web page"
        return Motion324Error(
            "another-server",
            f"The server {self._server.address} is no Hunyuan3D-2 API server: it {what} (HTTP {answer.status}).",
            "Start Hunyuan3D-2's api_server.py, not gradio_app.py, and give the address and port that it prints.",
            EXIT_BACKEND,
        )

    def _silent(self) -> Motion324Error:
        return Motion324Error(
            "server-unreachable",
            f"The server {self._server.address} did not answer within {ANSWER_SECONDS:g} seconds.",
            "Look into its log: it may be busy with another job, or hang.",
            EXIT_BACKEND,
        )

    def _too_slow(self) -> Motion324Error:
        return Motion324Error(
            "server-too-slow",
            f"The server {self._server.address} made no mesh within {self._settings.time_limit:g} seconds.",
            "Look into its log, for a job that failed there is never answered; or give more with --hunyuan-time-limit.",
            EXIT_BACKEND,
        )


def _field(answer: Answer, name: str) -> Any:
    try:
        return read_json(answer.body)[name]
    except (ValueError, KeyError, TypeError) as error:
        raise _failed(f"its answer has no '{name}'") from error


def _is_page(body: bytes) -> bool:
    return body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html"))


def _is_whole_glb(data: bytes) -> bool:
    return len(data) >= 12 and data[:4] == b"glTF" and struct.unpack_from("<I", data, 8)[0] == len(data)


def _failed(why: str) -> Motion324Error:
    return Motion324Error(
        "server-failed",
        f"The Hunyuan3D-2 server made no mesh: {why}.",
        "Look into its log; a server that was started without texturing needs --no-mesh-texture.",
        EXIT_BACKEND,
    )
