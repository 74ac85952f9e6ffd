"""Opens sockets, listening or connecting, and limits every call so that none of them waits for ever.

On Linux and macOS a Unix socket in a private folder carries twice what loopback TCP does, and other users cannot even
open it. Everywhere else, and for other machines, it is TCP.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.owned_folder import LOCK, Lock, OwnedFolder, remove_abandoned, remove_if_abandoned

AUTO = "auto"  # as a host: the best that this machine has
_WSAEACCES = 10013  # how Windows says that a firewall or a reservation forbids it
TICK = 0.25  # seconds for which a socket call may wait before deadlines are looked at
# Set for the kernel, a limit lets one call move megabytes without coming back to Python, where it would have to wait
# for whichever thread computes just now. Windows leaves a socket unusable after such a limit has passed.
_KERNEL_LIMITS = sys.platform != "win32"
_WHOLE = socket.MSG_WAITALL if _KERNEL_LIMITS else 0
_UNIX = "unix:"
_FOLDER = "motion324-socket-"
_UNIX_BUFFER = 1 << 20  # bytes; macOS gives 8 KiB by default
_LONGEST_PATH = 100  # bytes; 104 is what macOS allows


class Listener:
    """A listening socket. host and port: what a client needs to connect. forget: called once it is closed."""

    def __init__(self, sock: socket.socket, host: str, port: int, forget: Callable[[], None] = lambda: None) -> None:
        self.host = host
        self.port = port
        self._socket = sock
        self._forget = forget
        sock.settimeout(TICK)

    def accept(self) -> socket.socket | None:
        """The next client, or None after TICK seconds. Raises OSError where the system cannot give it."""
        try:
            return self._socket.accept()[0]
        except TimeoutError:
            return None

    def close(self) -> None:
        self._socket.close()
        self._forget()

    @property
    def is_private(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.startswith(_UNIX) or self.host == "::1" or self.host.startswith("127.")


def listen(host: str, port: int, waiting: int) -> Listener:
    """Listens on host:port, where port 0 lets the system choose; on a Unix socket for a host "unix:PATH"; or, for the
    host "auto", on the best that there is.

    A port is taken again though connections of an earlier backend are still being closed, and a Unix socket's path
    though an earlier backend left its socket there; neither while that one lives.
    waiting: how many clients may wait to be accepted. Raises Motion324Error("cannot-listen").
    """
    if host == AUTO:
        private = _listen_in_private_folder(waiting)
        if private:
            return private
        host = "127.0.0.1"
    try:
        if host.startswith(_UNIX):
            return _listen_on_path(Path(host.removeprefix(_UNIX)).absolute(), waiting)
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows another program could take the port over
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:  # which elsewhere lets nobody take over a port on which another program listens
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.listen(waiting)
        except BaseException:
            sock.close()
            raise
    except (OSError, OverflowError) as error:
        where = host if host.startswith(_UNIX) else f"{host}:{port}"
        raise Motion324Error(
            "cannot-listen",
            f"The backend cannot listen on {where} ({error}).",
            _how_to_listen(error),
            EXIT_BACKEND,
        ) from error
    bound_host, bound_port = sock.getsockname()[:2]
    return Listener(sock, bound_host, bound_port)


def _how_to_listen(error: Exception) -> str:
    if isinstance(error, PermissionError) or getattr(error, "winerror", 0) == _WSAEACCES:
        return (
            "The system forbids it: allow this Python in the firewall and antivirus program, or choose a port above "
            "1024 that is not reserved."
        )
    return "Choose another address; with port 0 the system chooses a free one."


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to where a Listener listens. Raises OSError."""
    if not host.startswith(_UNIX):
        return socket.create_connection((host, port), timeout)
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(host.removeprefix(_UNIX))
    except BaseException:
        sock.close()
        raise
    return sock


def forget_address(host: str) -> None:
    """Removes the Unix socket of a backend that was killed before it could do so itself, and the private folder that
    `listen` had made for it; never those of a living one.
    """
    if not host.startswith(_UNIX):
        return
    path = Path(host.removeprefix(_UNIX))
    if path.parent.name.startswith(_FOLDER):
        remove_if_abandoned(path.parent)
    elif path.exists():
        with contextlib.suppress(OSError):
            lock = Lock(path.with_name(path.name + LOCK))
            path.unlink(missing_ok=True)
            lock.release()


def limit_waits(sock: socket.socket) -> None:
    """Has every later call on this socket return, or raise TimeoutError or BlockingIOError, after TICK seconds."""
    with contextlib.suppress(OSError):
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its buffers grow by themselves
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNIX_BUFFER)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNIX_BUFFER)
    if not _KERNEL_LIMITS:
        sock.settimeout(TICK)
        return
    sock.settimeout(None)
    limit = struct.pack("ll", 0, int(TICK * 1_000_000))  # struct timeval
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def receive_some(sock: socket.socket, target: memoryview) -> int | None:
    """Reads into target: how many bytes, 0 at the end of the stream, None when none came in TICK seconds."""
    try:
        return sock.recv_into(target, 0, _WHOLE)
    except (TimeoutError, BlockingIOError):
        return None


def send_some(sock: socket.socket, buffers: list[memoryview]) -> int:
    """Writes some of the buffers' bytes: how many, 0 when none could be written in TICK seconds."""
    try:
        # Windows has no sendmsg.
        return sock.sendmsg(buffers) if hasattr(sock, "sendmsg") else sock.send(buffers[0])
    except (TimeoutError, BlockingIOError):
        return 0


def _listen_on_path(path: Path, waiting: int) -> Listener:
    """Raises OSError where this system has no Unix sockets, the path cannot be one, or somebody listens there."""
    try:
        lock = Lock(path.with_name(path.name + LOCK))
    except BlockingIOError as error:
        raise OSError("another backend listens there") from error
    try:
        if path.is_socket() and not _somebody_listens(path):
            path.unlink()  # a backend was killed there
        sock = _bind_to_path(path, waiting)
    except BaseException:
        lock.release()
        raise

    def forget() -> None:
        path.unlink(missing_ok=True)
        lock.release()

    return Listener(sock, f"{_UNIX}{path}", 0, forget)


def _listen_in_private_folder(waiting: int) -> Listener | None:
    """None where this system has no Unix sockets, or not in its temporary folder."""
    parent = Path(tempfile.gettempdir())
    remove_abandoned(_FOLDER, parent)
    folder = None
    try:
        folder = OwnedFolder(_FOLDER, parent)
        sock = _bind_to_path(folder.path / "socket", waiting)
    except OSError:
        if folder:
            folder.remove()
        return None
    return Listener(sock, f"{_UNIX}{folder.path / 'socket'}", 0, folder.remove)


def _bind_to_path(path: Path, waiting: int) -> socket.socket:
    """Raises OSError."""
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets")
    if len(str(path).encode()) > _LONGEST_PATH:
        raise OSError(f"the path is longer than {_LONGEST_PATH} bytes")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(waiting)
    except BaseException:
        sock.close()
        raise
    return sock


def _somebody_listens(path: Path) -> bool:
    """Also True where that cannot be told."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(sock):
        sock.settimeout(TICK)
        try:
            sock.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
