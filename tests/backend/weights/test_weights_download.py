"""Fetching weights from a local stand-in of the Hugging Face hub: resuming, offline, consent, damage."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="downloading weights needs huggingface-hub, which is not installed here")

from motion324.weights.hub import MOTION_3_TO_4

CONTENT = bytes(range(256)) * 100_000  # 25.6 MB
FETCH = "from motion324.weights import hub; print(hub.fetch(hub.MOTION_3_TO_4))"


class StandIn(http.server.ThreadingHTTPServer):
    """Answers as the hub does for one file. `cut`: bytes after which the first download breaks off; `stall`: after
    which it hangs."""

    def __init__(self, content: bytes = CONTENT) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = content
        self.digest = hashlib.sha256(content).hexdigest()
        self.cut: int | None = None
        self.stall: int | None = None
        self.status = 200
        self.ranges: list[str | None] = []
        self.closing = threading.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._head(0)

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1)) if wanted else 0
        if not self._head(start):
            return
        body = self.server.content[start:]
        cut, self.server.cut = self.server.cut, None
        stall, self.server.stall = self.server.stall, None
        for place in range(0, len(body), 1 << 16):
            if cut is not None and place >= cut:
                self.close_connection = True
                return
            if stall is not None and place >= stall:
                self.server.closing.wait(30)
                self.close_connection = True
                return
            self.wfile.write(body[place : place + (1 << 16)])

    def _head(self, start: int) -> bool:
        right = self.path == f"/{MOTION_3_TO_4.repository}/resolve/main/{MOTION_3_TO_4.filename}"
        status = 404 if not right else self.server.status
        if status >= 400:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.server.content) - start))
        if start:
            end = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.send_header("ETag", f'"{self.server.digest}"')
        self.send_header("X-Repo-Commit", "1" * 40)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        return True


@pytest.fixture
def hub() -> Iterator[StandIn]:
    yield from running(StandIn())


def running(server: StandIn) -> Iterator[StandIn]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def environment(hub: StandIn | None, folder: Path, **more: str) -> dict[str, str]:
    endpoint = hub.endpoint if hub else "http://127.0.0.1:9"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {
        **kept,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "MOTION324_WEIGHTS": str(folder / "weights"),
        **more,
    }


def run(arguments: list[str], variables: dict[str, str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=variables, capture_output=True, text=True, timeout=100, input=stdin or ""
    )


def fetch(variables: dict[str, str]) -> Path:
    done = run(["-c", FETCH], variables)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def command(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(["-m", "motion324", "weights", *arguments], variables)


def test_a_file_comes_whole_and_lies_under_hf_home(hub, tmp_path):
    path = fetch(environment(hub, tmp_path))
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path / "hf")
    assert not list((tmp_path / "hf").rglob("*.partial"))
    assert hub.ranges == [None]
    assert fetch(environment(hub, tmp_path)) == path
    assert hub.ranges == [None]


def test_a_broken_connection_is_taken_up_again(hub, tmp_path):
    hub.cut = 12_000_000
    assert fetch(environment(hub, tmp_path)).read_bytes() == CONTENT
    assert len(hub.ranges) == 2
    assert hub.ranges[0] is None
    assert re.fullmatch(r"bytes=\d{7,8}-", hub.ranges[1])


def test_a_killed_download_goes_on_where_it_stopped(hub, tmp_path):
    hub.stall = 21_000_000
    variables = environment(hub, tmp_path)
    process = subprocess.Popen([sys.executable, "-c", FETCH], env=variables, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (had := sum(part.stat().st_size for part in tmp_path.rglob("*.partial"))):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert fetch(variables).read_bytes() == CONTENT
    resumed = int(re.fullmatch(r"bytes=(\d+)-", hub.ranges[-1]).group(1))
    assert resumed >= had > 0


def test_cancelling_keeps_the_partial_file(hub, tmp_path):
    hub.stall = 21_000_000
    program = (
        "import time\n"
        "from motion324.core.errors import Cancelled\n"
        "from motion324.weights import hub\n"
        "def stop(stage, done, total):\n"
        "    if done > 5: raise Cancelled\n"
        "start = time.monotonic()\n"
        "try: hub.fetch(hub.MOTION_3_TO_4, stop)\n"
        "except Cancelled: print('cancelled')\n"
    )
    done = run(["-c", program], environment(hub, tmp_path))
    assert done.stdout.strip() == "cancelled", done.stderr
    assert [part.stat().st_size > 5_000_000 for part in tmp_path.rglob("*.partial")] == [True]


def test_a_file_of_the_hubs_own_cache_is_used(tmp_path):
    folder = tmp_path / "hf" / "hub" / "models--River-Chen--Motion324"
    snapshot = folder / "snapshots" / ("1" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / MOTION_3_TO_4.filename).write_bytes(b"content")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1" * 40)
    for variables in (environment(None, tmp_path), environment(None, tmp_path, HF_HUB_OFFLINE="1")):
        assert fetch(variables).read_bytes() == b"content"


def test_what_arrives_damaged_is_removed(hub, tmp_path):
    hub.digest = "0" * 64
    done = run(["-c", FETCH], environment(hub, tmp_path))
    assert "its SHA-256 differs" in done.stderr
    assert not [path for path in (tmp_path / "hf").rglob("*") if path.is_file() and path.stat().st_size > 1000]


@pytest.mark.parametrize(
    ("server", "more", "sentence"),
    [
        (None, {}, "could not be downloaded"),
        (None, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
        (404, {}, "answered 404"),
        (403, {}, "answered 403"),
    ],
)
def test_without_an_answer_the_message_says_why(server, more, sentence, tmp_path):
    for hub in running(StandIn()) if server else [None]:
        if hub:
            hub.status = server
        done = command(environment(hub, tmp_path, **more), "download", "--accept-licence")
    if "needs PyTorch" in done.stderr:
        pytest.skip("converting needs PyTorch, which is not installed here")
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_fetched_before_the_licence_is_accepted(hub, tmp_path):
    variables = environment(hub, tmp_path)
    done = command(variables, "download")
    assert done.returncode == 2
    assert "CC BY-NC-SA 4.0" in done.stderr
    assert "non-commercial" in done.stderr
    assert "was not accepted" in done.stderr
    assert hub.ranges == []
    listed = json.loads(command(variables, "list", "--json").stdout)["weights"][0]
    assert listed["accepted"] is False
    assert listed["bytes"] == 0


def test_download_convert_verify_from_end_to_end(tmp_path):
    pytest.importorskip("torch", reason="converting needs PyTorch, which is not installed here")
    golden = Path(__file__).parents[4] / "shared" / "parity" / "ckpt_0000000000000007.pt"
    if not golden.is_file():
        pytest.skip("the golden checkpoint is not there")
    for hub in running(StandIn(golden.read_bytes())):
        variables = environment(hub, tmp_path)
        done = command(variables, "download", "--accept-licence", "--json")
        assert done.returncode == 0, done.stderr
        path = Path(json.loads(done.stdout)["path"])
        assert path == tmp_path / "weights" / "motion-3-to-4.safetensors"
        assert json.loads(command(variables, "list", "--json").stdout)["weights"][0]["accepted"] is True
        assert not list((tmp_path / "hf").rglob("*.pt"))
        verified = command(variables, "verify", "--json")
        assert verified.returncode == 0, verified.stderr
        metadata = json.loads(verified.stdout)["metadata"]
        assert metadata["source_sha256"] == hub.digest
        assert metadata["licence"] == "CC BY-NC-SA 4.0"
        again = command(variables, "download")
        assert again.returncode == 0
        assert len(hub.ranges) == 1
    damaged = bytearray(path.read_bytes())
    damaged[-7] ^= 1
    path.write_bytes(damaged)
    refused = command(variables, "verify")
    assert refused.returncode == 2
    assert "do not match its hash" in refused.stderr
