"""Keeps the results of a batch, one line of JSON per item, from which a batch that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from motion324.core.write_aside import explained_write_errors, written_aside


class BatchResults:
    """The results file of a batch; a context manager that keeps it open.

    An item is done where an earlier run ended well with the same line, wherever it stands in the job file now, and all
    that it wrote is still there. What is to be done anew loses its earlier result when the file is opened, so that it
    has one line per item; results of items that the job file does not name now stay, for when it names them again.
    """

    def __init__(self, path: Path, lines: Sequence[str], again: bool = False) -> None:
        """lines: the items of the job file; again: none of them counts as done.

        Entering raises Motion324Error("disk-full" or "cannot-write").
        """
        self.path, self._again = path, again
        self._digests = [digest_of(line) for line in lines]
        self._done: dict[int, str] = {}
        self._out: TextIO | None = None

    @property
    def done_before(self) -> int:
        return len(self._done)

    def is_done(self, place: int) -> bool:
        """Whether an earlier run has done the item at that place among `lines`."""
        return place in self._done

    def add(self, place: int, result: dict[str, Any]) -> str:
        """Writes an item's result, at once to the disk, and returns its line."""
        assert self._out is not None
        line = json.dumps({**result, "item": self._digests[place]}, ensure_ascii=False)
        with explained_write_errors(self.path):
            print(line, file=self._out, flush=True)
        return line

    def __enter__(self) -> BatchResults:
        earlier = self._earlier()
        if not self._again:
            self._done = self._find_done(earlier)
        others = [line for digest, line in earlier if digest not in self._digests]
        kept = [*others, *(self._done[place] for place in sorted(self._done))]
        with written_aside(self.path) as aside:
            aside.write_text("".join(f"{line}\n" for line in kept), "utf-8")
        with explained_write_errors(self.path):
            self._out = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()

    def _earlier(self) -> list[tuple[str, str]]:
        """The item's digest and the line of every earlier result. Raises Motion324Error("cannot-write")."""
        with explained_write_errors(self.path):
            if not self.path.exists():
                return []
            lines = self.path.read_bytes().decode("utf-8", "replace").split("\n")
        return [(str(result["item"]), line) for line in lines if "item" in (result := _read(line))]

    def _find_done(self, earlier: list[tuple[str, str]]) -> dict[int, str]:
        """The result lines of earlier runs by the places of their items; two equal items need two results."""
        found = defaultdict(list)
        for digest, line in earlier:
            result = _read(line)
            if result.get("ok") is True and all(_is_there(Path(path)) for path in result.get("outputs", {}).values()):
                found[digest].append(line)
        return {place: found[digest].pop(0) for place, digest in enumerate(self._digests) if found.get(digest)}


def digest_of(line: str) -> str:
    """What stays the same as long as an item's line does."""
    return hashlib.sha256(line.strip().encode()).hexdigest()[:16]


def _is_there(output: Path) -> bool:
    """Whether there is a file or folder of which something was written: full disks have left empty ones."""
    return any(output.iterdir()) if output.is_dir() else output.is_file() and output.stat().st_size > 0


def _read(line: str) -> dict[str, Any]:
    """A result; {} for a line that a killed batch has not written to its end."""
    try:
        result = json.loads(line)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}
