"""Where the backend is: on this machine, or behind an address."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Local:
    """A backend that this Blender starts and ends. python: the Python of the backend's environment."""

    python: Path


@dataclass(frozen=True)
class Remote:
    """A backend that somebody else has started, and that outlives this Blender: it is neither started nor ended.

    address: "host:port", where `motion324 serve` listens, or the near end of a tunnel to it.
    token: the secret of that backend; it appears in no message and no log.
    """

    address: str
    token: str = field(repr=False)


Where = Local | Remote
