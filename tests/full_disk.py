"""What tests of full disks need, of the backend and of the add-on."""

from __future__ import annotations

import contextlib
import resource
import signal

import pytest


@pytest.fixture
def full_disk():
    """A context in which no file of this process can grow beyond `limit` bytes, much as on a disk that is full."""

    @contextlib.contextmanager
    def limited(limit: int = 512):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited
