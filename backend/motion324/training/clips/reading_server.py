"""Holds what reading processes need, for the process that they are forked from: only that one imports it.

It ignores SIGTERM, since a scheduler may send it to all processes of a run: the one that trains still needs its readers
to finish its step, and ends them itself. What readers need is imported here once for all of them.
"""

from __future__ import annotations

import signal

from motion324.training.clips import release_loader

__all__ = ["release_loader"]

signal.signal(signal.SIGTERM, signal.SIG_IGN)
