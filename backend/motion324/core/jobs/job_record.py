"""Keeps the results of a job file's items, one line of JSON each, from which a batch that was stopped goes on.

Both commands write the same record, so that either goes on where the other was stopped. It is read line by line: its
length costs no memory.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from motion324 import __version__
from motion324.core.files.input_files import file_state
from motion324.core.files.json_text import read_json
from motion324.core.files.write_aside import explained_write_errors, written_aside
from motion324.core.jobs.job_item import JobItem

RESULTS, LOGS = ".results.jsonl", ".logs"  # behind the job file's stem

SizeOf = Callable[[str], int | None]


def made_of(item: JobItem, opened: str = "") -> dict[str, Any]:
    """What the item's outputs depend on beside its line, as plain values: while it stays the same, so do they.

    opened: the .blend that Blender has opened, if any.
    """
    return {"inputs": {each.kind: file_state(each.path) for each in item.inputs(opened)}, "version": __version__}


def size_of(path: str) -> int | None:
    """Bytes of a file, or of all files in a folder; None where there is nothing."""
    place = Path(path)
    try:
        files = [file for file in place.rglob("*") if file.is_file()] if place.is_dir() else [place]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return None


class JobRecord:
    """The results file of a batch; a context manager that keeps it open.

    An item is done where an earlier run ended well with the same line, wherever it stands in the job file now, from the
    same inputs and by the same version, and all that it wrote is still there, whole. What is to be done anew loses its
    earlier result when the file is opened, so that it has one line per item; results of items that the job file does
    not name now stay, for when it names them again.
    """

    def __init__(
        self,
        path: Path,
        lines: Sequence[str],
        made_of: Callable[[int], dict[str, Any] | None] = lambda place: None,
        again: bool = False,
        size_of: SizeOf = size_of,
    ) -> None:
        """lines: the items of the job file. made_of: (an item's place among them) -> what its outputs would be made
        of now; None where that is not asked. again: none of them counts as done. size_of: of an output's path.

        Entering raises Motion324Error("disk-full" or "cannot-write").
        """
        self.path, self._again, self._made_of, self._size_of = path, again, made_of, size_of
        self._digests = [digest_of(line) for line in lines]
        self._done: set[int] = set()
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

    def __enter__(self) -> JobRecord:
        places: dict[str, list[int]] = {}
        for place, digest in reversed(list(enumerate(self._digests))):
            places.setdefault(digest, []).append(place)  # two equal items need two results
        kept = Counter[str]()
        with written_aside(self.path) as aside, aside.open("w", encoding="utf-8") as out:
            for digest, line in self._earlier():
                if digest not in places:
                    print(line, file=out)
                    continue
                left = places[digest]
                if not self._again and kept[digest] < len(left) and self._counts(left[-1 - kept[digest]], line):
                    self._done.add(left[-1 - kept[digest]])
                    kept[digest] += 1
                    print(line, file=out)
        with explained_write_errors(self.path):
            self._out = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            with explained_write_errors(self.path):  # what a full disk did not take is tried once more
                self._out.close()

    def _earlier(self) -> Iterator[tuple[str, str]]:
        """The item's digest and the line of every earlier result. Raises Motion324Error("cannot-write")."""
        with explained_write_errors(self.path):
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                for raw in file:
                    line = raw.decode("utf-8", "replace").rstrip("\n")
                    result = _read(line)
                    if "item" in result:
                        yield str(result["item"]), line

    def _counts(self, place: int, line: str) -> bool:
        """Whether an earlier result of the item is one still."""
        result = _read(line)
        if result.get("ok") is not True:
            return False
        wanted = self._made_of(place)
        if wanted is not None and result.get("made_of") != json.loads(json.dumps(wanted)):
            return False
        files = result.get("files")
        if not isinstance(files, dict):
            files = dict.fromkeys(result.get("outputs", {}).values())
        return all(self._is_whole(path, size) for path, size in files.items())

    def _is_whole(self, path: str, size: int | None) -> bool:
        """Whether there is what was written: full disks have left empty ones."""
        found = self._size_of(path)
        return bool(found) and size in (None, found)


def digest_of(line: str) -> str:
    """What stays the same as long as an item's line does."""
    return hashlib.sha256(line.strip().encode()).hexdigest()[:16]


def log_name(number: int, text: str) -> str:
    """Of the log of the item in that line."""
    return f"{number:04d}-{digest_of(text)[:8]}.log"


def _read(line: str) -> dict[str, Any]:
    """A result; {} for a line that a killed batch has not written to its end."""
    try:
        result = read_json(line)
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}
