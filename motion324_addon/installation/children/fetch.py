"""`python fetch.py PIP.whl ORDER.json`: downloads files, going on where an earlier attempt stopped.

The order is {"folder": ..., "extra_index": ..., "files": [{"name", "url", "sha256"}]}. It prints a JSON object a line:
{"done": bytes, "total": bytes or 0, "name": file} now and then, and {"error": kind, "name", "text"} before it ends with
code 1; kinds are "network", "hash", "unsafe" and "disk". pip's own session is used, so that proxies, certificates and
passwords are those of the user's pip configuration; pip's version is the one of the given wheel.
"""

from __future__ import annotations

import errno
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lifeline

CHUNK = 1 << 18
ATTEMPTS = 4
SAY_SECONDS = 0.1
CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS}


class FetchError(Exception):
    def __init__(self, kind: str, name: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.name = kind, name


class Meter:
    """Counts the bytes of all files, and says so now and then."""

    def __init__(self, total: int) -> None:
        self.done, self.total, self._said = 0, total, 0.0

    def add(self, count: int, name: str) -> None:
        self.done += count
        now = time.monotonic()
        if now - self._said >= SAY_SECONDS or self.done == self.total:
            self._said = now
            say(done=self.done, total=self.total, name=name)


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def open_session(extra_index: str) -> Any:
    """pip's session, set up as its own `download` command sets it up."""
    from pip._internal.commands import create_command

    command: Any = create_command("download")
    arguments = ["--no-input"] + (["--extra-index-url", extra_index] if extra_index else [])
    options, _ = command.parse_args([*arguments, "nothing"])
    options.cache_dir = None
    return command._build_session(options)


def fetch_all(session: Any, folder: Path, files: list[dict[str, str]]) -> None:
    missing = [file for file in files if not is_whole(folder / file["name"], file["sha256"])]
    sizes = [size_of(session, file["url"]) for file in missing]
    meter = Meter(sum(sizes) if all(sizes) else 0)
    meter.add(0, "")
    for file in missing:
        fetch(session, folder, file, meter)


def is_whole(path: Path, sha256: str) -> bool:
    """Whether the file was fetched before; one that differs is removed."""
    if not path.exists():
        return False
    if not sha256 or hash_of(path) == sha256:
        return True
    path.unlink()
    return False


def size_of(session: Any, url: str) -> int:
    """Bytes of the file behind the address; 0 where the server does not tell."""
    try:
        answer = session.head(url, allow_redirects=True, headers={"Accept-Encoding": "identity"})
        return int(answer.headers.get("Content-Length", 0)) if answer.ok else 0
    except Exception:  # the download itself will say what is wrong
        return 0


def fetch(session: Any, folder: Path, file: dict[str, str], meter: Meter) -> None:
    """Raises FetchError when all attempts have failed."""
    path = folder / file["name"]
    part = path.with_name(path.name + ".part")
    counted = 0
    for attempt in range(ATTEMPTS):
        try:
            for have in receive(session, file, part):
                meter.add(have - counted, file["name"])
                counted = have
            if file["sha256"] and hash_of(part) != file["sha256"]:
                part.unlink()
                raise FetchError("hash", file["name"], "what came does not have the hash that the package index says")
            part.replace(path)
            return
        except Exception as error:  # the session's libraries have many of their own
            if isinstance(error, FetchError) and error.kind == "unsafe":
                raise
            if getattr(error, "errno", None) in CANNOT_WRITE:
                raise FetchError("disk", file["name"], str(error)) from error
            failure: Exception = error
        time.sleep(2**attempt)
    if isinstance(failure, FetchError):
        raise failure
    raise FetchError("network", file["name"], f"{type(failure).__name__}: {failure}") from failure


def receive(session: Any, file: dict[str, str], part: Path) -> Iterator[int]:
    """Appends to the unfinished file; yields how many bytes it has.

    Raises FetchError where it has no hash, and was sent on to an address that anybody in between could change.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with session.get(file["url"], headers=headers, stream=True) as answer:
        if not file["sha256"] and not answer.url.startswith("https:"):
            raise FetchError("unsafe", file["name"], "without a hash, and from an address without https")
        if have and answer.status_code == 416:  # there is nothing behind that byte: it was whole
            yield have
            return
        answer.raise_for_status()
        if answer.status_code != 206:
            have = 0
        with part.open("ab" if have else "wb") as out:
            yield have
            for chunk in answer.iter_content(CHUNK):
                out.write(chunk)
                have += len(chunk)
                yield have


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    lifeline.hold()
    wheel, order_path = sys.argv[1:]
    sys.path.insert(0, wheel)
    order = json.loads(Path(order_path).read_text("utf-8"))
    try:
        fetch_all(open_session(order["extra_index"]), Path(order["folder"]), order["files"])
    except FetchError as error:
        say(error=error.kind, name=error.name, text=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
