"""Holds the address of a backend and the secret of its session, and shakes hands at the beginning of a connection.

In the handshake each side proves that it knows the secret, and versions are compared.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_USAGE, Motion324Error
from motion324.wire.connection import Connection, ConnectionLost, WaitedTooLong
from motion324.wire.framing import HELLO_LIMITS, encode
from motion324.wire.protocol import Hello, from_wire, to_wire
from motion324.wire.transport import connect

TOKEN_VARIABLE = "MOTION324_TOKEN"
MIN_TOKEN_LENGTH = 16
GREETING = b"M324-1\r\n"
CHALLENGE_SIZE = PROOF_SIZE = 32


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


def open_connection(endpoint: Endpoint, timeout: float, program: str) -> tuple[Connection, Hello]:
    """A connection on which messages may be sent, and what the backend said about itself; within `timeout` seconds.

    Raises Motion324Error: "backend-unreachable", "backend-refused" (wrong secret), "not-a-backend",
    "version-mismatch", "backend-timeout", "backend-lost".
    """
    deadline = time.monotonic() + timeout
    try:
        sock = connect(endpoint.host, endpoint.port, timeout)
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise _failed(
            "backend-unreachable", f"The backend at {endpoint} cannot be reached ({reason.lower()}).", endpoint
        ) from error
    connection = Connection(sock)
    try:
        _prove_to_backend(connection, endpoint, deadline)
        connection.send(encode(*to_wire(Hello(program))))
        backend = _receive_hello(connection, deadline - time.monotonic())
        mismatch = compare_versions(client=Hello(program), backend=backend)
        if mismatch:
            raise mismatch
    except WaitedTooLong as error:
        connection.close()
        raise _failed(
            "backend-timeout", f"The backend at {endpoint} did not answer within {timeout:g} seconds.", endpoint
        ) from error
    except ConnectionLost as error:
        connection.close()
        raise _failed(
            "backend-lost", f"The backend at {endpoint} went away during the handshake: {error}.", endpoint
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection, backend


def accept_client(connection: Connection, token: str, own: Hello, timeout: float) -> Hello:
    """The backend's side: what the client said about itself, once it has proven that it knows the secret.

    Raises ConnectionLost for a stranger (wrong proof, silence, garbage), and Motion324Error("version-mismatch") for a
    client of another version, which has been told.
    """
    deadline = time.monotonic() + timeout
    challenge = os.urandom(CHALLENGE_SIZE)
    connection.send([memoryview(GREETING + challenge)], stall=timeout)
    answer = _receive_exactly(connection, CHALLENGE_SIZE + PROOF_SIZE, deadline)
    both = challenge + answer[:CHALLENGE_SIZE]
    if not hmac.compare_digest(answer[CHALLENGE_SIZE:], _proof(token, b"client", both)):
        raise ConnectionLost("it does not know the session's secret")
    connection.send([memoryview(_proof(token, b"backend", both))], stall=timeout)
    client = _receive_hello(connection, deadline - time.monotonic())
    connection.send(encode(*to_wire(own)), stall=timeout)
    mismatch = compare_versions(client=client, backend=own)
    if mismatch:
        raise mismatch
    return client


def compare_versions(client: Hello, backend: Hello) -> Motion324Error | None:
    """None where both sides fit together; otherwise the error that says which side to update."""
    if (client.protocol, client.version) == (backend.protocol, backend.version):
        return None
    ours, theirs = ((hello.protocol, _version_key(hello.version)) for hello in (client, backend))
    if client.protocol != backend.protocol:
        older_is_client = client.protocol < backend.protocol
    else:
        older_is_client = ours < theirs
    if older_is_client:
        remedy = f"Update the Blender extension to {backend.version}."
    else:
        remedy = f"Update the backend to {client.version}: install it again from the Blender extension."
    return Motion324Error(
        "version-mismatch",
        f"The Blender extension is version {client.version} (protocol {client.protocol}) and the backend is version "
        f"{backend.version} (protocol {backend.protocol}), which do not work together.",
        remedy,
        EXIT_BACKEND,
    )


def _prove_to_backend(connection: Connection, endpoint: Endpoint, deadline: float) -> None:
    greeting = _receive_exactly(connection, len(GREETING) + CHALLENGE_SIZE, deadline)
    if not greeting.startswith(GREETING):
        raise _failed("not-a-backend", f"What listens at {endpoint} is not a backend of Motion324.", endpoint)
    challenge = os.urandom(CHALLENGE_SIZE)
    both = greeting[len(GREETING) :] + challenge
    connection.send([memoryview(challenge + _proof(endpoint.token, b"client", both))])
    try:
        answer = _receive_exactly(connection, PROOF_SIZE, deadline)
    except WaitedTooLong:
        raise
    except ConnectionLost as error:
        raise Motion324Error(
            "backend-refused",
            f"The backend at {endpoint} refused the token.",
            "Give the very token that it was started with, in its environment variable MOTION324_TOKEN.",
            EXIT_BACKEND,
        ) from error
    if not hmac.compare_digest(answer, _proof(endpoint.token, b"backend", both)):
        raise _failed("not-a-backend", f"What listens at {endpoint} does not know this session's secret.", endpoint)


def _proof(token: str, side: bytes, challenges: bytes) -> bytes:
    return hmac.digest(token.encode(), side + challenges, "sha256")


def _receive_exactly(connection: Connection, size: int, deadline: float) -> bytes:
    target = np.empty(size, np.uint8)
    left = max(deadline - time.monotonic(), 0)
    connection.receive_into(target, wait=left, total=left)
    return target.tobytes()


def _receive_hello(connection: Connection, timeout: float) -> Hello:
    timeout = max(timeout, 0)
    hello = from_wire(*connection.receive(HELLO_LIMITS, wait=timeout, total=timeout))
    if not isinstance(hello, Hello):
        raise ConnectionLost(f"it began with '{hello.kind}' instead of a greeting")
    return hello


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,9}", version))


def _failed(code: str, sentence: str, endpoint: Endpoint) -> Motion324Error:
    if endpoint.is_same_machine:
        hint = "Start the backend again, then try once more."
    else:
        hint = "Check that the backend runs there, the address, and that an SSH tunnel that leads to it stands."
    return Motion324Error(code, sentence, hint, EXIT_BACKEND)
