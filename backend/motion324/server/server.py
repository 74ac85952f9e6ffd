"""Is the backend process: it listens, runs jobs, and ends when nobody needs it any more."""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from motion324 import __version__
from motion324.core.errors import EXIT_BACKEND, EXIT_OK, Motion324Error
from motion324.core.files.log_file import LOG_BYTES, default_log_path, start_log
from motion324.core.processes.machine import save_addresses
from motion324.core.processes.parent_watch import parent_is_alive
from motion324.server.file_transfer import FileTransfer, remove_leftovers
from motion324.server.job_queue import JobQueue
from motion324.server.peer import Peer, Services
from motion324.server.work import Examine, MakeMesh, MakeRig, RunJob, animation, look
from motion324.wire.connection import Connection
from motion324.wire.handshake import check_token
from motion324.wire.protocol import PROTOCOL_VERSION, ExaminationEvent, MeshEvent, RigEvent
from motion324.wire.transport import AUTO, TICK, Listener, listen

log = logging.getLogger(__name__)

HEARTBEAT_TIMEOUT = 120.0  # seconds without any byte from any client
STALL_LIMIT = 900.0  # seconds without any report from the running job
HANDSHAKE_TIMEOUT = 5.0
MAX_STRANGERS = 32  # connections whose secret is not proven yet
MAX_CLIENTS = 16
END_SECONDS = 3.0  # for the running job to stop and the last messages to be written
REST_SECONDS = 120.0  # without any job, after which what is loaded again within a second is dropped
INTERPRETER_LIMIT = 300.0  # seconds for which a job may keep all other threads from running
_SLEEP_SECONDS = 10.0  # a clock that jumps by more has slept


def serve(
    run_job: RunJob,
    *,
    examine: Examine,
    make_mesh: MakeMesh,
    rig: MakeRig,
    describe: Callable[[], dict[str, Any]],
    unload: Callable[[bool], None],
    token: str,
    host: str = AUTO,
    port: int = 0,
    log_path: Path | None = None,
    parent_pid: int | None = None,
    rest: Callable[[], None] = lambda: None,
    heartbeat_timeout: float | None = HEARTBEAT_TIMEOUT,
    stall_limit: float = STALL_LIMIT,
    rest_after: float = REST_SECONDS,
    log_bytes: int = LOG_BYTES,
) -> int:
    """Listens until told to end; returns the process's exit code.

    Prints one line of JSON on stdout when it is ready: {"motion324": "ready", "host", "port", "pid", "protocol",
    "version", "log"}, where host and port are what motion324.wire.handshake.Endpoint takes. Call it on the main thread,
    and end the process with what it returns.

    run_job: see motion324.server.work.RunJob; called on one worker thread, one job at a time.
    examine: motion324.pipeline.examine.examine, or what a test puts in its place, with the duties of run_job; called on
        a second worker thread, one request at a time, also while a job runs, so that it never waits for long.
    make_mesh: makes a mesh from a video's first frame, with the duties of run_job; called on a third worker thread.
    rig: keys bones after a trajectory, with the duties of run_job; called on a fourth worker thread.
    describe: what Status tells: "device" (text), "memory" (bytes by name), "reconstructors" (names of the loaded ones),
        and anything else that JSON can hold. Called by any thread, also while a job runs.
    unload: frees what loaded reconstructors hold in memory; called with whether they may stay in the CPU's memory, on
        run_job's thread.
    rest: frees what is soon loaded again; called on run_job's thread, once nothing has run for `rest_after` seconds.
    token: the session's secret, see motion324.wire.handshake.take_token_from_environment.
    host, port: where to listen, see motion324.wire.transport.listen; "auto" is only for clients on this machine.
    log_path: None takes default_log_path().
    parent_pid: the process ends when that one does. None: it does not watch.
    heartbeat_timeout: it ends when no client has sent a byte for so long; None: it lives until it is told to end, and
        only drops clients that are silent for HEARTBEAT_TIMEOUT.

    Raises Motion324Error("no-token", "log-not-writable", "cannot-listen").
    """
    check_token(token)
    log_path = (log_path or default_log_path()).absolute()
    start_log(log_path, log_bytes)
    save_addresses()
    server = _Server(run_job, examine, make_mesh, rig, describe, unload, token, str(log_path))
    server.prepare_process()
    remove_leftovers()
    with contextlib.closing(listen(host, port, MAX_STRANGERS)) as listener:
        log.info("version %s listens on %s:%d, process %d", __version__, listener.host, listener.port, os.getpid())
        if not listener.is_private:
            log.warning("other machines can reach this port, and the traffic is not encrypted; prefer an SSH tunnel")
        ready = {
            "motion324": "ready",
            "host": listener.host,
            "port": listener.port,
            "pid": os.getpid(),
            "protocol": PROTOCOL_VERSION,
            "version": __version__,
            "log": str(log_path),
        }
        print(json.dumps(ready), flush=True)
        reason = server.run(listener, parent_pid, heartbeat_timeout, stall_limit, rest, rest_after)
    log.info("ends: %s", reason)
    faulthandler.dump_traceback_later(3 * END_SECONDS, exit=True)
    ended = server.end()
    logging.shutdown()
    faulthandler.cancel_dump_traceback_later()
    if not ended:
        # A job's thread is deep in native code; waiting for it would leave an orphan behind.
        os._exit(EXIT_BACKEND)
    return EXIT_OK


class _Server:
    def __init__(
        self,
        run_job: RunJob,
        examine: Examine,
        make_mesh: MakeMesh,
        rig: MakeRig,
        describe: Callable[[], dict[str, Any]],
        unload: Callable[[bool], None],
        token: str,
        log_path: str,
    ) -> None:
        self._token = token
        self._animations = JobQueue(animation(run_job), log_path, "animations")
        self._examinations = JobQueue(look(examine, ExaminationEvent), log_path, "examinations")
        self._meshes = JobQueue(look(make_mesh, MeshEvent), log_path, "meshes")
        self._rigs = JobQueue(look(rig, RigEvent), log_path, "rigs")
        self._end_reason = ""
        self._lock = threading.Lock()
        self._peers: list[Peer] = []  # the oldest first
        self._heard = self._awake_since = time.monotonic()
        self._files = FileTransfer()
        self._services = Services(
            animations=self._animations,
            examinations=self._examinations,
            meshes=self._meshes,
            rigs=self._rigs,
            describe=describe,
            unload=unload,
            shut_down=lambda: self._ask_to_end("a client asked for it"),
            log_path=log_path,
            started=time.monotonic(),
            files=self._files,
        )

    def prepare_process(self) -> None:
        """Takes over signals and crashes; to be done before anybody knows of this process."""
        faulthandler.enable()
        for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: self._ask_to_end("it was told to by a signal"))
        # The job's thread may hold the interpreter for long; others get it this much sooner than by default.
        sys.setswitchinterval(0.001)

    def run(
        self,
        listener: Listener,
        parent_pid: int | None,
        heartbeat_timeout: float | None,
        stall_limit: float,
        rest: Callable[[], None],
        rest_after: float,
    ) -> str:
        """Accepts clients until there is a reason to end, which it returns."""
        parent_lives = parent_is_alive(parent_pid) if parent_pid else lambda: True
        numbers = itertools.count(1)
        before = busy_at = self._awake_since
        rests = True
        while not self._end_reason:
            # Ends the process from outside of the interpreter, should a job never let go of it again.
            faulthandler.dump_traceback_later(INTERPRETER_LIMIT, exit=True)
            self._accept(listener, numbers)
            now = time.monotonic()
            if now - before > _SLEEP_SECONDS:  # the machine slept, and no heartbeat could come: count anew
                self._awake_since = now
            before = now
            if not parent_lives():
                self._ask_to_end(f"process {parent_pid}, for which it worked, has ended")
            self._files.forget_old()
            self._drop_silent_clients(now, heartbeat_timeout or HEARTBEAT_TIMEOUT)
            if heartbeat_timeout is not None and now - max(self._heard, self._awake_since) > heartbeat_timeout:
                self._ask_to_end(f"no heartbeat for {heartbeat_timeout:g} s")
            if any(queue.state() != ("", 0) for queue in self._services.queues):
                busy_at, rests = now, False
            elif not rests and now - busy_at > rest_after:
                rests = self._animations.do_when_idle(rest)
            stalled = [queue.fail_stalled(stall_limit) for queue in self._services.queues]
            if any(stalled):
                faulthandler.dump_traceback(all_threads=True)
                self._ask_to_end("a job stood still")
        return self._end_reason

    def end(self) -> bool:
        """Cancels all jobs and ends all connections. Returns whether the jobs' threads have ended, too."""
        deadline = time.monotonic() + END_SECONDS
        ended = [queue.close(timeout=END_SECONDS / 4) for queue in self._services.queues]
        with self._lock:
            peers = list(self._peers)
        for peer in peers:
            peer.close(flush=max(min(1.0, deadline - time.monotonic()), 0.0))
        self._files.close()
        return all(ended)

    def _accept(self, listener: Listener, numbers: Iterator[int]) -> None:
        try:
            sock = listener.accept()
        except OSError as error:  # out of file handles, or a client that went away while waiting
            log.warning("a client could not be accepted: %s", error)
            time.sleep(TICK)
            return
        if sock is None:
            return
        peer = Peer(Connection(sock), f"client {next(numbers)}", self._services)
        with self._lock:
            strangers = [other for other in self._peers if not other.trusted]
            if len(self._peers) - len(strangers) >= MAX_CLIENTS:
                log.warning("%s: refused, since %d clients are connected", peer.name, MAX_CLIENTS)
                peer.refuse(_full())  # once it has proven the secret: a stranger need not know
            self._peers.append(peer)
        if len(strangers) >= MAX_STRANGERS:  # whoever knows the secret proves it within milliseconds
            strangers[0].close()
        thread = threading.Thread(
            target=peer.serve, args=(self._token, HANDSHAKE_TIMEOUT, self._forget), name=peer.name, daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # out of threads, or of memory for one more
            log.warning("%s: cannot be served: %s", peer.name, error)
            peer.close()
            self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        with self._lock:
            self._peers.remove(peer)

    def _drop_silent_clients(self, now: float, timeout: float) -> None:
        with self._lock:
            clients = [peer for peer in self._peers if peer.trusted]
        for peer in clients:
            self._heard = max(self._heard, peer.connection.last_heard)
            if now - max(peer.connection.last_heard, self._awake_since) > timeout:
                log.warning("%s: no heartbeat for %g s", peer.name, timeout)
                peer.close()

    def _ask_to_end(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason


def _full() -> Motion324Error:
    return Motion324Error(
        "backend-full",
        f"{MAX_CLIENTS} programs are connected to this backend already, and it takes no more.",
        "Close one of them, such as another Blender, or start a second backend on another port.",
        EXIT_BACKEND,
    )
