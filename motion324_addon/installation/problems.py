"""Says in one sentence for people, with the remedy, what pip and the downloads say when they fail."""

from __future__ import annotations

import re
from collections.abc import Sequence

from motion324.core.errors import EXIT_BACKEND, EXIT_CANNOT_WRITE, Motion324Error

OFFLINE = (
    "No connection|Could not fetch URL|ConnectionError|NewConnectionError|NameResolutionError|getaddrinfo|"
    "Temporary failure in name|timed out|ReadTimeout|ConnectTimeout|ProxyError|Cannot connect to proxy|"
    "Network is unreachable|Connection to .* failed|Failed to establish|Max retries|Connection aborted|"
    "RemoteDisconnected"
)
CERTIFICATE = "SSLError|CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify"
NO_ROOM = "No space left on device|Disk quota exceeded|not enough space on the disk|Errno 28|WinError 112"
INDEX_ERROR = r"^Package index error: (\d{3})"  # as children/run_pip.py says it
FILE_ERROR = r"\b([45]\d\d) (?:Client|Server) Error|too many ([45]\d\d) error responses"
NOT_FOUND = re.compile(r"No matching distribution found for ([^\s,;]+)")


def pip_failed(doing: str, said: Sequence[str], *, offline_folder: bool) -> Motion324Error:
    """doing: such as "The libraries could not be looked up". offline_folder: whether wheels came from a folder."""
    text = "\n".join(said)
    if re.search(NO_ROOM, text):
        return disk_full(doing)
    if re.search(CERTIFICATE, text):
        return Motion324Error(
            "certificate",
            f"{doing}: the certificate of the package index was not trusted.",
            "A company's proxy needs its certificate in pip's configuration: pip config set global.cert FILE.",
            EXIT_BACKEND,
        )
    if answered := re.search(INDEX_ERROR, text, re.MULTILINE):
        return index_error(doing, int(answered[1]))
    found = NOT_FOUND.search(text)
    if offline_folder and found:
        return Motion324Error(
            "wheel-not-in-folder",
            f"{doing}: the folder has no fitting wheel of {found[1]}.",
            "Fill it on a computer of the same system and Python version, as the README shows.",
            EXIT_BACKEND,
        )
    if re.search(OFFLINE, text):
        return unreachable(doing)
    if found:
        return Motion324Error(
            "package-missing",
            f"{doing}: the package index has no fitting version of {found[1]}.",
            "Check the package index in pip's configuration and in the preferences; the log has the details.",
            EXIT_BACKEND,
        )
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")] or list(said[-1:])
    reason = errors[0].rstrip(".") if errors else "pip ended without a word"
    return Motion324Error("pip-failed", f"{doing}: {reason}.", "The log has the details; try again.", EXIT_BACKEND)


def fetch_failed(kind: str, name: str, text: str) -> Motion324Error:
    """kind, name, text: as children/fetch.py says them."""
    doing = f"{name} could not be downloaded"
    if kind == "disk":
        return disk_full(doing) if re.search(NO_ROOM, text) else _cannot_write(doing, text)
    if kind == "hash":
        sentence = f"{doing}: what came is not what the package index announced."
        return Motion324Error("bad-download", sentence, "Try again; a proxy may change downloads.", EXIT_BACKEND)
    if re.search(CERTIFICATE, text):
        return pip_failed(doing, [text], offline_folder=False)
    if answered := re.search(FILE_ERROR, text):
        return index_error(doing, int(answered[1] or answered[2]))
    if kind == "unsafe":
        return unsafe(name, text)
    return unreachable(doing)


def index_error(doing: str, code: int) -> Motion324Error:
    """code: of HTTP, 400 or more."""
    if code in (401, 403, 407):
        hint = "Check the name and password in pip's configuration or in the extra index's address."
    elif code >= 500 or code == 429:
        hint = "It is overloaded or out of order: try again later; what came is kept."
    else:
        hint = "Check the package index in pip's configuration and in the preferences."
    return Motion324Error(
        "index-error", f"{doing}: the package index answered with the error {code}.", hint, EXIT_BACKEND
    )


def unsafe(name: str, why: str) -> Motion324Error:
    """What an index offers is not taken, whatever it is."""
    return Motion324Error(
        "unsafe-download",
        f"The package index offers {name} in a way that is not safe: {why}.",
        "Use an index with https://, or a folder of wheels; report it to whoever runs that index.",
        EXIT_BACKEND,
    )


def unreachable(doing: str) -> Motion324Error:
    return Motion324Error(
        "index-unreachable",
        f"{doing}: the package index did not answer.",
        "Check the connection, then continue; what came is kept. Without one, install from a folder of wheels.",
        EXIT_BACKEND,
    )


def disk_full(doing: str) -> Motion324Error:
    return Motion324Error(
        "disk-full", f"{doing}: the disk is full.", "Free some space, then continue.", EXIT_CANNOT_WRITE
    )


def _cannot_write(doing: str, text: str) -> Motion324Error:
    return Motion324Error(
        "cannot-write", f"{doing}: {text.rstrip('.')}.", "Check the rights of that folder.", EXIT_CANNOT_WRITE
    )
