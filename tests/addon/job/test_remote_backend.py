"""A backend that somebody else has started, as behind a tunnel: it is used, and neither started nor ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.shapes import ball, rest
from addon.wobble import wobble

TOKEN = "a secret of more than sixteen letters"
SCRIPT = Path(__file__).parents[1] / "wobbling_backend.py"


@pytest.fixture
def serve(addon, tmp_path):
    """serve(version=None) starts a backend on this machine's loopback; its process and its port."""
    started = []

    def start(version: str | None = None) -> tuple[subprocess.Popen, int]:
        wheels = next(path for path in sys.path if path.endswith("site-packages") and "extensions" in path)
        code = f"import motion324; motion324.__version__ = {version!r} or motion324.__version__\n"
        code += f"import runpy, sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        code += f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
        command = [sys.executable, "-c", code, "serve", "--host", "127.0.0.1", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--log", str(tmp_path / "remote.log")],
            env={**os.environ, "MOTION324_TOKEN": TOKEN, "PYTHONPATH": wheels},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, json.loads(process.stdout.readline())["port"]

    yield start
    addon("job.backend").stop()
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def animate(addon, video):
    """animate(address, token) does a short job there."""
    remote = addon("job.backend").Remote

    def run(address: str, token: str = TOKEN, **wish: object):
        where = remote(address, token)
        return addon("batch.blocking").animate_blocking(ball(), video(**{"frames": 3, **wish}), where=where)

    return run


def test_jobs_run_on_a_backend_that_is_running_already(addon, serve, animate):
    process, port = serve()
    base = rest(ball("Reference"))
    for address in (f"127.0.0.1:{port}", f" localhost:{port} "):
        np.testing.assert_allclose(animate(address).positions, wobble(base, 3), atol=1e-6)
    backend = addon("job.backend")
    assert backend.pid() is None  # none was started here
    backend.stop()
    time.sleep(0.5)
    assert process.poll() is None  # and none is ended


def test_a_local_backend_is_ended_when_a_remote_one_takes_its_place(addon, backend, serve, animate, video):
    addon("batch.blocking").animate_blocking(ball(), video(frames=2))
    local = backend.pid()
    _, port = serve()
    animate(f"127.0.0.1:{port}")
    assert local and backend.pid() is None and not Path(f"/proc/{local}").exists()


def test_a_backend_that_computes_is_not_ended_by_the_choice_of_another_one(
    addon, backend, backend_python, serve, video
):
    from motion324.client import ExamineRequest
    from motion324.core.errors import Cancelled, Motion324Error
    from motion324.core.options.animate_options import AnimateOptions

    places = addon("job.backend")
    log = addon("job.storage").log_path()
    _, port = serve()
    other = places.Remote(f"127.0.0.1:{port}", TOKEN)
    client = backend.connect(places.Local(backend_python), log)
    local = backend.pid()
    events = client.start_examining(ExamineRequest(video(do="wait"), AnimateOptions(), None))
    next(events)  # it computes
    with pytest.raises(Motion324Error, match="Another backend than the chosen one still computes") as caught:
        backend.connect(other, log)
    assert caught.value.code == "other-backend" and backend.pid() == local
    assert backend.connect(places.Local(backend_python), log) is client
    events.close()
    with pytest.raises(Cancelled):
        list(events)
    assert backend.connect(other, log) is not client and backend.pid() is None


def test_a_look_during_an_upload_or_on_a_line_that_stands_still_leaves_the_connection(addon, serve, tmp_path):
    from slow_line import SlowLine

    from motion324.client import AnimateRequest, Endpoint
    from motion324.core.errors import Cancelled
    from motion324.core.options.animate_options import AnimateOptions
    from motion324.core.reference_mesh import ReferenceMesh

    backend, log = addon("job.backend"), tmp_path / "backend.log"
    video = tmp_path / "fox.mp4"
    video.write_bytes(bytes(4_000_000))
    mesh = ReferenceMesh(np.eye(3, dtype=np.float32), np.int32([[0, 1, 2]]), np.int32([0]))
    _, port = serve()
    with SlowLine(Endpoint("127.0.0.1", port, TOKEN), rate=250_000) as line:
        where = addon("job.backend").Remote(f"127.0.0.1:{line.endpoint.port}", TOKEN)
        client = backend.connect(where, log)
        upload = client.animate(AnimateRequest.of(mesh, video, AnimateOptions(), send_video=True))
        while line.carried()[0] < 200_000:
            time.sleep(0.02)
        assert backend.connect(where, log) is client
        assert client.status().queued == 0
        line.stalled.set()
        began = time.monotonic()
        assert backend.connect(where, log) is client  # what is busy is never taken for dead
        assert time.monotonic() - began < 1
        line.stalled.clear()
        upload.close()
        with pytest.raises(Cancelled):
            list(upload)
        assert backend.connect(where, log) is client
        line.reset()
        while client.stands():
            time.sleep(0.02)
        fresh = backend.connect(where, log)  # one that is lost is made anew
        assert fresh is not client and fresh.stands()
        backend.stop()


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":7324", "localhost:port", "localhost:70000", ""])
def test_an_address_that_is_none_is_told(animate, address):
    from motion324.core.errors import Motion324Error

    with pytest.raises(Motion324Error, match=f"'{address}' is not of the form host:port") as caught:
        animate(address)
    assert caught.value.code == "bad-address"


def test_nothing_listens_the_token_is_wrong_or_the_version_is_another(serve, animate):
    from motion324.core.errors import Motion324Error

    def refused(*arguments: str) -> Motion324Error:
        with pytest.raises(Motion324Error) as caught:
            animate(*arguments)
        return caught.value

    process, port = serve()
    error = refused(f"127.0.0.1:{port}", "another secret, long enough")
    assert error.code == "backend-refused" and "Enter the token in the preferences" in error.hint
    assert TOKEN not in str(error)
    process.kill()
    process.wait()
    error = refused(f"127.0.0.1:{port}")
    assert error.code == "backend-unreachable" and f"127.0.0.1:{port}" in error.sentence
    assert "that the tunnel to it stands" in error.hint
    _, port = serve("9.9.9")
    error = refused(f"127.0.0.1:{port}")
    assert error.code == "version-mismatch" and "Update the Blender extension to 9.9.9" in error.hint


def test_a_remote_backend_that_goes_away_is_lost_without_a_log_of_this_machine(addon, serve, animate):
    from motion324.core.errors import Motion324Error

    _, port = serve()
    with pytest.raises(Motion324Error, match="was lost"):
        animate(f"127.0.0.1:{port}", do="die")
    state = addon("job.runner").runner.state
    assert state.phase.value == "lost" and state.problem.log_path == ""
    assert "that backend's own log" in state.problem.hint
    assert bpy.ops.motion324.discard() == {"FINISHED"}
