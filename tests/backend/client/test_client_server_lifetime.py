"""How a backend starts, how it ends, and that nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from wire_harness import FAKE_BACKEND, backend, process_exists, request, start_and_wait, within

from motion324.client import Client, start_server
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.wire.protocol import ReportedError, ResultEvent


def socket_folder(server) -> Path:
    return Path(server.endpoint.host.removeprefix("unix:")).parent


def test_a_backend_is_ready_and_ends_when_told_leaving_nothing(tmp_path):
    with backend(tmp_path) as server:
        folder = socket_folder(server)
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o077 == 0
        assert server.is_alive()
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 10
        assert not server.is_alive()
        assert not folder.exists()
        server.stop()  # a second time does nothing
    assert "ends: a client asked for it" in server.log_path.read_text()


def test_stop_ends_a_backend_that_hangs(tmp_path):
    with backend(tmp_path) as server:
        os.kill(server.pid, signal.SIGSTOP)
        server.stop(timeout=0.5)
        assert not process_exists(server.pid)


def test_stop_ends_a_backend_whose_job_never_returns(tmp_path):
    with backend(tmp_path) as server, Client.connect(server.endpoint) as client:
        start_and_wait(client, request("stand still"))
        server.stop(timeout=4)
        assert not process_exists(server.pid)


def test_a_terminated_backend_cleans_up(tmp_path):
    with backend(tmp_path) as server:
        folder = socket_folder(server)
        os.kill(server.pid, signal.SIGTERM)
        within(10, lambda: not server.is_alive())
        assert not folder.exists()
        assert "by a signal" in server.log_path.read_text()


def test_a_backend_that_is_killed_in_the_middle_of_a_job_is_noticed_at_once(tmp_path):
    with backend(tmp_path) as server, Client.connect(server.endpoint) as client:
        events = start_and_wait(client, request("wait"))
        next(events)
        os.kill(server.pid, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(Motion324Error) as caught:
            list(events)
        assert time.monotonic() - began < 10
        assert (caught.value.code, caught.value.exit_code) == ("backend-lost", EXIT_BACKEND)
        assert "signal 9" in caught.value.hint
        assert f"job {events.job_id}" in caught.value.hint  # the log's tail
        for call in (client.status, lambda: client.animate(request())):
            with pytest.raises(Motion324Error, match="was lost"):
                call()
        folder = socket_folder(server)
    assert not folder.exists()


def test_a_crash_in_native_code_shows_where_it_was(tmp_path):
    with backend(tmp_path) as server, Client.connect(server.endpoint) as client:
        with pytest.raises(Motion324Error) as caught:
            list(client.animate(request("crash")))
        assert caught.value.code == "backend-lost"
        assert "signal 11" in caught.value.hint
        assert "Segmentation fault" in "\n".join(server.log_tail(120))


def test_a_backend_that_hangs_is_given_up(tmp_path):
    with (
        backend(tmp_path) as server,
        Client.connect(server.endpoint, heartbeat=0.1, silence=0.5) as client,
    ):
        events = start_and_wait(client, request("wait"))
        os.kill(server.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(Motion324Error, match="no sign of life"):
            list(events)
        assert time.monotonic() - began < 10
        os.kill(server.pid, signal.SIGCONT)  # so that it can end


def test_a_question_to_a_backend_that_hangs_has_a_limit(tmp_path):
    with backend(tmp_path) as server, Client.connect(server.endpoint) as client:
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(Motion324Error) as caught:
            client.status(timeout=0.3)
        assert caught.value.code == "backend-timeout"
        with pytest.raises(Motion324Error) as caught:
            Client.connect(server.endpoint, timeout=0.3)
        assert caught.value.code == "backend-timeout"
        os.kill(server.pid, signal.SIGCONT)  # so that it can end


def test_a_backend_ends_when_its_parent_is_killed(tmp_path):
    """Also in the middle of a job, and though the parent could not say goodbye."""
    script = f"""
        import os, sys, time
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from pathlib import Path
        from wire_harness import FAKE_BACKEND, request, start_and_wait
        from motion324.client import Client, start_server
        server = start_server(FAKE_BACKEND, log_path=Path({str(tmp_path)!r}) / "backend.log")
        events = start_and_wait(Client.connect(server.endpoint), request("wait"))
        print(server.pid, server.endpoint.host, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    pid, host = parent.stdout.readline().split()
    assert process_exists(int(pid))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    within(5, lambda: not process_exists(int(pid)))
    assert f"process {parent.pid}, for which it worked, has ended" in (tmp_path / "backend.log").read_text()
    assert not Path(host.removeprefix("unix:")).parent.exists()


def test_a_backend_behind_a_launcher_watches_the_process_it_works_for(tmp_path):
    launcher = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))", *FAKE_BACKEND]
    worker = subprocess.Popen(["sleep", "60"])
    try:
        from motion324.client import server_process

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server_process.os, "getpid", lambda: worker.pid)
            server = start_server(launcher, log_path=tmp_path / "backend.log")
        time.sleep(0.6)
        assert server.is_alive()
    finally:
        worker.kill()
        worker.wait()
    within(5, lambda: not server.is_alive())
    server.kill()


def test_a_backend_ends_when_the_heartbeat_stops(tmp_path):
    with (
        backend(tmp_path, "--heartbeat-timeout", "0.8") as server,
        Client.connect(server.endpoint, heartbeat=0.1) as client,
    ):
        time.sleep(1.5)
        assert server.is_alive()
        client._ended.set()  # its heartbeat stops, while its connection stays
        within(4, lambda: not server.is_alive())
        assert "no heartbeat" in server.log_path.read_text()


def test_a_backend_that_nobody_connects_to_ends_too(tmp_path):
    with backend(tmp_path, "--heartbeat-timeout", "0.5") as server:
        within(4, lambda: not server.is_alive())


def test_one_silent_client_does_not_end_the_backend_of_another(tmp_path):
    with (
        backend(tmp_path, "--heartbeat-timeout", "0.8") as server,
        Client.connect(server.endpoint, heartbeat=0.1) as living,
        Client.connect(server.endpoint, heartbeat=0.1) as silent,
    ):
        events = start_and_wait(silent, request("wait"))
        silent._ended.set()
        within(10, lambda: not living.status().running)
        within(10, lambda: events.job_id in living.status().details["cancelled"])
        assert isinstance(list(living.animate(request()))[-1], ResultEvent)


def test_a_job_that_stands_still_is_given_up_and_the_backend_ends(tmp_path):
    with backend(tmp_path, "--stall-limit", "0.5") as server, Client.connect(server.endpoint) as client:
        with pytest.raises(ReportedError) as caught:
            list(client.animate(request("stand still")))
        assert caught.value.code == "job-stalled"
        within(5, lambda: not server.is_alive())
        assert "_stand_still" in "\n".join(server.log_tail(120))  # where every thread was


def test_an_idle_backend_drops_once_what_is_soon_loaded_again(tmp_path):
    with backend(tmp_path, "--rest-after", "0.3") as server, Client.connect(server.endpoint) as client:

        def rested() -> int:
            return client.status().details["rested"]

        time.sleep(0.6)
        assert rested() == 0  # nothing has been loaded yet
        for times in (1, 2):
            job = start_and_wait(client, request("wait"))
            time.sleep(0.6)
            assert rested() == times - 1  # not while one runs
            job.close()
            within(10, lambda times=times: rested() == times)
            time.sleep(0.6)
            assert rested() == times


def test_the_log_rotates_and_stays_bounded(tmp_path):
    with backend(tmp_path, "--log-bytes", "2000") as server, Client.connect(server.endpoint) as client:
        for _ in range(12):
            with pytest.raises(ReportedError):
                list(client.animate(request("fail")))
    logs = sorted(path.name for path in tmp_path.glob("backend.log*"))
    assert logs == ["backend.log", "backend.log.1", "backend.log.2", "backend.log.3"]
    # One record with a trace may be longer than the limit, and then has a file of its own.
    assert all((tmp_path / name).stat().st_size < 4000 for name in logs)


def test_a_python_that_crashes_on_import_shows_its_last_lines(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "numpy.py").write_text("raise ImportError('numpy was built for another Python')")
    with pytest.raises(Motion324Error) as caught, backend(tmp_path, environment={"PYTHONPATH": f"{tmp_path}/broken"}):
        pass
    assert (caught.value.code, caught.value.exit_code) == ("backend-died", EXIT_BACKEND)
    assert "code 1" in caught.value.sentence
    assert "ImportError: numpy was built for another Python" in caught.value.hint


def test_a_python_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Motion324Error) as caught:
        start_server(tmp_path / "no" / "python", log_path=tmp_path / "backend.log")
    assert caught.value.code == "backend-missing"
    assert str(tmp_path / "no" / "python") in caught.value.sentence


def test_a_python_without_the_backend_is_told(tmp_path):
    command = [sys.executable, "-I", "-S", "-m", "motion324"]
    with pytest.raises(Motion324Error) as caught:
        start_server(command, log_path=tmp_path / "backend.log")
    assert caught.value.code == "backend-died"
    assert "motion324" in caught.value.hint


def test_a_program_that_never_gets_ready_is_ended(tmp_path):
    script = "import os, time; print(os.getpid(), flush=True); print('{\"motion324\": 1}', flush=True); time.sleep(60)"
    with pytest.raises(Motion324Error) as caught:
        start_server([sys.executable, "-c", script], log_path=tmp_path / "backend.log", timeout=1)
    assert caught.value.code == "backend-timeout"
    pid = next(int(line) for line in caught.value.hint.splitlines() if line.isdigit())
    assert not process_exists(pid)


def test_a_log_that_cannot_be_written_is_told_before_anything_starts(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Motion324Error) as caught:
        start_server(FAKE_BACKEND, log_path=tmp_path / "file" / "backend.log")
    assert "cannot write its log" in caught.value.hint


def test_a_unix_socket_may_be_asked_for_and_is_removed_with_nothing_else(tmp_path):
    folder = tmp_path / "motion324-mine"
    folder.mkdir()
    (folder / "note").touch()
    with backend(tmp_path, "--force-host", f"unix:{folder}/socket") as server:
        with Client.connect(server.endpoint) as client:
            assert isinstance(list(client.animate(request()))[-1], ResultEvent)
        assert (folder / "socket").stat().st_mode & 0o077 == 0
        with pytest.raises(Motion324Error) as caught, backend(tmp_path, "--force-host", f"unix:{folder}/socket"):
            pass  # there already is one
        assert "cannot listen" in caught.value.hint
    assert [path.name for path in folder.iterdir()] == ["note"]


def test_without_a_place_for_a_unix_socket_the_backend_takes_a_port(tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with backend(tmp_path, environment={"TMPDIR": str(deep)}) as server, Client.connect(server.endpoint) as client:
        assert server.endpoint.port > 0
        assert isinstance(list(client.animate(request()))[-1], ResultEvent)
    assert not list(deep.iterdir())


def test_a_backend_that_prints_much_never_waits_for_its_reader(tmp_path):
    code = (
        "import sys; sys.path[:0] = [sys.argv.pop(1)]; print('x' * 1_000_000); sys.stderr.write('y' * 1_000_000); "
        "import fake_backend; sys.exit(fake_backend.main())"
    )
    with start_server(
        [sys.executable, "-c", code, str(Path(__file__).parents[2])], log_path=tmp_path / "backend.log"
    ) as server:
        assert server.is_alive()
