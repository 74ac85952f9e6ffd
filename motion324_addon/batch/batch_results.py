"""The results of a batch, one line of JSON per item, from which a batch that was stopped goes on."""

from __future__ import annotations

import contextlib
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
    that it wrote is still there. The results of others are dropped when the file is opened, so that it has one line
    per item.
    """

    def __init__(self, path: Path, lines: Sequence[str], again: bool = False) -> None:
        """lines: the items of the job file; again: none of them counts as done.

        Raises Motion324Error("disk-full" or "cannot-write").
        """
        self.path = path
        self._digests = [digest_of(line) for line in lines]
        self._done: dict[int, str] = {} if again else self._find_done()
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
        with written_aside(self.path) as aside:
            aside.write_text("".join(f"{self._done[place]}\n" for place in sorted(self._done)), "utf-8")
        with explained_write_errors(self.path):
            self._out = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()

    def _find_done(self) -> dict[int, str]:
        """The result lines of earlier runs by the places of their items; two equal items need two results."""
        found = defaultdict(list)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in self.path.read_text("utf-8").splitlines():
                result = _read(line)
                if result.get("ok") is True and all(Path(path).exists() for path in result.get("outputs", {}).values()):
                    found[result.get("item")].append(line)
        return {place: found[digest].pop(0) for place, digest in enumerate(self._digests) if found.get(digest)}


def digest_of(line: str) -> str:
    """What stays the same as long as an item's line does."""
    return hashlib.sha256(line.strip().encode()).hexdigest()[:16]


def _read(line: str) -> dict[str, Any]:
    """A result; {} for a line that a killed batch has not written to its end."""
    try:
        result = json.loads(line)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}
