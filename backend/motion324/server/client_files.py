"""The files that one client has sent, in the place of its own paths; those of a look are kept for what follows it.

Who looks at a mask or a view usually looks again or animates next, with the same video: it is not sent twice then.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from motion324.server.uploads import ReceivedFiles, Uploads
from motion324.wire.animate_messages import AnimateRequest
from motion324.wire.job_requests import JobRequest
from motion324.wire.sent_files import MASK, VIDEO, fingerprint, paths_of

KEPT_SECONDS = 600.0  # after a look, until its files are removed
MOST_KEPT = 4  # paths
MOST_REMEMBERED = 64  # fingerprints

Key = tuple[str, str]  # the client's path, and its fingerprint on that side


@dataclass(frozen=True)
class _Kept:
    path: Path  # where it lies here
    files: ReceivedFiles
    since: float


class ClientFiles:
    """`drop_all` may be called by any thread, all else only by the client's own."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._lock = threading.Lock()
        self._kept: dict[Key, _Kept] = {}
        self._fingerprints: dict[str, str] = {}

    def which_are_here(self, paths: Iterable[tuple[str, str]]) -> tuple[bool, ...]:
        """paths: the client's, each with its fingerprint there. Whether this machine sees or has the same."""
        seen = []
        for path, known in paths:
            self._fingerprints.pop(path, None)
            self._fingerprints[path] = known
            with self._lock:
                kept = (path, known) in self._kept
            seen.append(known != "" and (kept or known == fingerprint(Path(path))))
        while len(self._fingerprints) > MOST_REMEMBERED:
            del self._fingerprints[next(iter(self._fingerprints))]
        return tuple(seen)

    def bring_into(self, request: JobRequest) -> tuple[JobRequest, Callable[[], None]]:
        """The request with this machine's paths, and what is to be called once it has ended.

        Raises Motion324Error("bad-message") where some bytes of its files are missing.
        """
        received = self._uploads.take(request.job_id)
        held = [received] if received is not None else []

        def release() -> None:
            while held:  # so that a second call does nothing
                held.pop().release()

        try:
            places = received.places() if received is not None else {}
            for role, path in paths_of(request).items():
                key = (str(path), self._fingerprints.get(str(path), ""))
                if role in places:
                    assert received is not None
                    self._keep(key, places[role], received)
                else:
                    kept = self._hold(key)
                    if kept is not None:
                        places[role] = kept.path
                        held.append(kept.files)
                if isinstance(request, AnimateRequest):
                    self._let_go(key)
        except BaseException:
            release()
            raise
        return _with_places(request, places), release

    def forget_old(self) -> None:
        """To be called now and then: removes what was kept for long enough."""
        now = time.monotonic()
        with self._lock:
            old = [key for key, kept in self._kept.items() if now - kept.since > KEPT_SECONDS]
        for key in old:
            self._let_go(key)

    def drop_all(self) -> None:
        """Removes everything but what jobs still use."""
        self._uploads.drop_all()
        with self._lock:
            keys = list(self._kept)
        for key in keys:
            self._let_go(key)

    def _keep(self, key: Key, path: Path, files: ReceivedFiles) -> None:
        if not key[1]:
            return  # nobody asked for it by its fingerprint
        files.hold()
        with self._lock:
            outdated = [other for other in self._kept if other[0] == key[0]]
            outdated += [other for other in self._kept if other not in outdated][: 1 - MOST_KEPT]
            gone = [self._kept.pop(other) for other in outdated]
            self._kept[key] = _Kept(path, files, time.monotonic())
        for kept in gone:
            kept.files.release()

    def _hold(self, key: Key) -> _Kept | None:
        """The caller has to release its files."""
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is not None:
                kept.files.hold()
                self._kept[key] = dataclasses.replace(kept, since=time.monotonic())  # the last to go
        return kept

    def _let_go(self, key: Key) -> None:
        with self._lock:
            kept = self._kept.pop(key, None)
        if kept is not None:
            kept.files.release()


def _with_places(request: JobRequest, places: dict[str, Path]) -> JobRequest:
    if VIDEO in places:
        request = dataclasses.replace(request, video=places[VIDEO])
    if MASK in places:
        request = dataclasses.replace(request, options=dataclasses.replace(request.options, mask=str(places[MASK])))
    return request
