"""Reaches a Ray cluster, and says in a sentence what Ray says in many lines."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error

KNOCK = 10.0  # seconds in which a cluster has to answer
AUTO = "auto"


def connect(address: str) -> None:
    """Once for this process. Raises Motion324Error("ray-missing", "ray-unreachable")."""
    try:
        import ray
    except ImportError as error:
        raise Motion324Error(
            "ray-missing",
            "A cluster needs the package Ray, which is not installed.",
            "Install it: pip install 'motion324[cluster]'.",
            EXIT_USAGE,
        ) from error
    if ray.is_initialized():
        return
    try:
        _knock(os.environ.get("RAY_ADDRESS", address) if address == AUTO else address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, namespace="motion324")
    except Exception as error:
        raise Motion324Error(
            "ray-unreachable",
            f"There is no Ray cluster at '{address}': {str(error).splitlines()[0] if str(error) else error!r}.",
            "Start one with `ray start --head`, or give its address with --ray HOST:PORT.",
            EXIT_BACKEND,
        ) from error


def _knock(address: str) -> None:
    """Raises OSError or ValueError at once where nothing listens: Ray itself tries for minutes."""
    if "://" in address or address == AUTO:
        return
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK):
        pass


def has_answered(reference: Any) -> bool:
    """Whether what a reference stands for has come, and was no failure; waits for it."""
    import ray

    try:
        ray.get(reference)
    except Exception:  # Ray's own, of many kinds
        return False
    return True


def why_it_failed(error: Exception) -> str:
    """One sentence of Ray's many lines."""
    kind = type(error).__name__
    words = {
        "ActorDiedError": "Its worker, or the worker's machine, has gone",
        "ActorUnavailableError": "Its worker cannot be reached",
        "NodeDiedError": "Its machine has gone",
        "OutOfMemoryError": "Its worker was ended, since its machine had no memory left",
    }
    last = (str(error).strip().splitlines() or [kind])[-1].rstrip(".")
    return f"{words.get(kind, f'Its worker failed: {last}')}."
