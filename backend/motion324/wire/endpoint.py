"""The address of a backend, and the secret of its session."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from motion324.core.errors import EXIT_USAGE, Motion324Error

TOKEN_VARIABLE = "MOTION324_TOKEN"
MIN_TOKEN_LENGTH = 16


@dataclass(frozen=True)
class Endpoint:
    """A backend's address, as its readiness line tells it. It may be another machine's (through an SSH tunnel: the
    traffic itself is not encrypted).

    host: a name, an IP address, or "unix:" and the path of a Unix socket, where port is 0.
    token: the session's secret; never printed, and never sent.
    last_words: tells how the backend ended and what it logged last, where this process can know.
    """

    host: str
    port: int
    token: str = field(repr=False)
    last_words: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def at(cls, address: str, token: str) -> Endpoint:
        """The endpoint at "host:port" or "unix:PATH", as people write it. Raises Motion324Error("bad-address")."""
        address = address.strip()
        if address.startswith("unix:"):
            return cls(address, 0, token.strip())
        host, _, port = address.rpartition(":")
        if not host or not re.fullmatch(r"[1-9]\d{0,4}", port, re.ASCII) or int(port) > 65535:
            raise Motion324Error(
                "bad-address",
                f"The backend's address '{address}' is not of the form host:port.",
                "Correct it, in Blender's case in the preferences, such as localhost:7324.",
                EXIT_USAGE,
            )
        return cls(host.removeprefix("[").removesuffix("]"), int(port), token.strip())

    @property
    def is_same_machine(self) -> bool:
        """Whether the backend certainly sees the same files: a tunnel to another machine has a local address, too."""
        return self.host.startswith("unix:") or self.last_words is not None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


def new_token() -> str:
    """A fresh secret of 256 bits."""
    return secrets.token_hex(32)


def take_token_from_environment() -> str:
    """The secret that whoever started this process has put into MOTION324_TOKEN; removed there, so that no child
    process inherits it. Raises Motion324Error("no-token").
    """
    token = os.environ.pop(TOKEN_VARIABLE, "")
    check_token(token)
    return token


def check_token(token: str) -> None:
    """Raises Motion324Error("no-token") where the secret is missing or easily guessed."""
    if len(token) < MIN_TOKEN_LENGTH:
        raise Motion324Error(
            "no-token",
            f"The backend needs a secret of at least {MIN_TOKEN_LENGTH} letters in the environment variable "
            f"{TOKEN_VARIABLE}, and found {len(token)} letters.",
            f"Set it to something random before starting the backend: export {TOKEN_VARIABLE}=$(openssl rand -hex 32)",
            EXIT_USAGE,
        )
