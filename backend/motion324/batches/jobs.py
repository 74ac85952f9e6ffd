"""Does the items of a job file: what was done before is left out, what fails does not stop the rest, and each result is
on the disk at once, so that the same command goes on wherever this one was stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.batches.addresses import addresses_of, size_of, state_of, stood_in
from motion324.batches.executor import Executor, Task
from motion324.batches.job_task import JobTask, failed
from motion324.batches.plain_item import Animator, animated
from motion324.batches.scheduler import RETRIES, Answer, work_off
from motion324.batches.watcher import BatchSummary, Counts, Watcher
from motion324.core.errors import EXIT_BACKEND, Motion324Error
from motion324.core.files.exclusive_use import Hold
from motion324.core.files.json_text import read_json
from motion324.core.files.owned_folder import UNFINISHED, remove_abandoned
from motion324.core.files.write_aside import explained_write_errors, remove_unfinished
from motion324.core.jobs import job_record
from motion324.core.jobs.job_file import Line, numbered_jobs, output_folders, read_lines
from motion324.core.jobs.job_item import ADDRESS, JobItem
from motion324.core.jobs.job_record import LOGS, RESULTS, JobRecord, log_name, made_of


@dataclass(frozen=True)
class JobFile:
    """What is to be done. lines: with their numbers, in the words of a job file in `folder`. beside: the path whose
    name, without its suffix, begins those of the record and of the folder of logs."""

    lines: Sequence[tuple[int, str]]
    folder: Path
    beside: Path

    @classmethod
    def read(cls, path: Path, defaults: Mapping[str, Any] | None = None, scene: Path | None = None) -> JobFile:
        """defaults: options for lines that do not say their own. scene: the .blend of lines without one.

        Raises Motion324Error("bad-job-file").
        """
        path = path.resolve()
        return cls.of(numbered_jobs(path), path.parent, path, defaults, scene)

    @classmethod
    def of(
        cls,
        lines: Sequence[tuple[int, str]],
        folder: Path,
        beside: Path,
        defaults: Mapping[str, Any] | None = None,
        scene: Path | None = None,
    ) -> JobFile:
        """The same from lines that are no file."""
        more = {"options": dict(defaults or {}), "scene": str(scene.resolve()) if scene else ""}
        return cls([(number, _with_defaults(text, more)) for number, text in lines], folder, beside)

    @property
    def record(self) -> Path:
        return self.beside.with_name(f"{self.beside.stem}{RESULTS}")

    @property
    def logs(self) -> Path:
        return self.beside.with_name(f"{self.beside.stem}{LOGS}")


def run_jobs(
    jobs: JobFile,
    executor: Executor,
    watcher: Watcher,
    *,
    again: bool = False,
    retries: int = RETRIES,
    blender: Path | None = None,
    animator: Animator = animated,
    prepare: Callable[[bool], None] = lambda needs_blender: None,
) -> BatchSummary:
    """Each item leaves a log in JOBS.logs/ and a line in JOBS.results.jsonl.

    again: also what was done before. retries: how often an item runs again whose worker was lost. prepare: called
    before any work, told whether an item needs Blender.
    Raises Motion324Error("in-use", "disk-full", "cannot-write"), what `prepare` and the watcher raise.
    """
    return _Batch(jobs, executor, watcher, retries, blender, animator).run(again, prepare)


class _Batch:
    def __init__(
        self,
        jobs: JobFile,
        executor: Executor,
        watcher: Watcher,
        retries: int,
        blender: Path | None,
        animator: Animator,
    ) -> None:
        self._jobs, self._executor, self._watcher = jobs, executor, watcher
        self._retries, self._blender, self._animator = retries, blender, animator
        texts = [(number, _checked_stand_in(text)) for number, text in jobs.lines]
        self._lines: list[Line] = read_lines(texts, jobs.folder)
        self._made: dict[int, dict[str, Any]] = {}  # of items that are being done
        self._counts = Counts(len(self._lines))
        self._folders = output_folders(line.item for line in self._lines if line.item)

    def run(self, again: bool, prepare: Callable[[bool], None]) -> BatchSummary:
        began = time.monotonic()
        jobs = self._jobs
        with explained_write_errors(jobs.logs):
            jobs.logs.mkdir(parents=True, exist_ok=True)
        texts = [text for _, text in jobs.lines]
        self._record = JobRecord(jobs.record, texts, self._made_of, again, _size_of)
        with contextlib.ExitStack() as held:
            held.enter_context(Hold(jobs.record, "file of results", is_folder=False))
            for folder in self._folders:
                self._hold(held, folder)
            held.callback(self._sweep)
            held.enter_context(self._record)
            self._counts.kept = self._record.done_before
            todo = [place for place in range(len(self._lines)) if not self._record.is_done(place)]
            # Those that cannot work come first, so that they are told before anything takes its time.
            for place in todo:
                if problem := self._lines[place].problem:
                    self._note(place, f"{jobs.lines[place][1]}\n{problem}")
                    self._tell(place, failed(problem, time.monotonic(), self._log(place)))
            able = [place for place in todo if self._lines[place].item]
            if able:
                prepare(any(self._item(place).needs_blender() for place in able))
                with self._executor:
                    work_off(self._tasks(able), self._executor, self._answered, self._beat, self._retries)
            self._beat()
        counts = self._counts
        return BatchSummary(counts.done, counts.kept, counts.failed, jobs.record, time.monotonic() - began)

    def _tasks(self, places: list[int]) -> Iterator[tuple[int, Task]]:
        for place in places:
            item, (number, text) = self._item(place), self._jobs.lines[place]
            self._made[place] = self._made_of(place) or {}  # before: what changes meanwhile makes the result an old one
            resources = item.resources.found(item.options, item.needs_blender())
            yield (
                place,
                JobTask(
                    number,
                    text,
                    self._jobs.folder,
                    self._log(place),
                    resources,
                    item.needs_blender(),
                    self._blender,
                    self._animator,
                ),
            )

    def _answered(self, answer: Answer) -> None:
        place = answer.key
        result = answer.value
        if result is None:
            lost = Motion324Error(
                "worker-lost",
                f"{answer.why.rstrip('.')}, {answer.attempts} times.",
                "Look at its log; it may need more memory than there is.",
                EXIT_BACKEND,
            )
            result = failed(lost, time.monotonic(), self._log(place))
            self._note(place, str(lost))
        made = self._made.pop(place)
        if result["ok"]:
            item, text = self._item(place), self._jobs.lines[place][1]
            _, elsewhere = addresses_of(text)
            files = {str(path): _size_of(str(path)) for path in item.made()}
            if elsewhere:
                stood = {str(item.outputs[name]) for name in elsewhere}
                files = {path: size for path, size in files.items() if path not in stood}
                files |= {address: _size_of(address) for address in elsewhere.values()}
            values = json.loads(text)
            result = {
                **result,
                "mesh": values["mesh"],
                "video": values["video"],
                "outputs": {**item.told_outputs(), **elsewhere},
                "made_of": made,
                "files": files,
            }
        more = {"attempts": answer.attempts} if answer.attempts > 1 else {}
        self._tell(place, {**result, "log": str(self._log(place)), "node": answer.node, **more})

    def _tell(self, place: int, result: dict[str, Any]) -> None:
        result = {"line": self._lines[place].number, **result}
        line = self._record.add(place, result)
        counts = self._counts
        counts.done += result["ok"]
        counts.failed += not result["ok"]
        node = result.get("node")
        if node:
            counts.by_node[node] = counts.by_node.get(node, 0) + 1
        self._watcher.ended(json.loads(line))

    def _note(self, place: int, text: str) -> None:
        """Adds to the item's log what no worker has written there."""
        with contextlib.suppress(OSError), self._log(place).open("a", encoding="utf-8") as log:
            print(text, file=log)

    def _beat(self) -> None:
        self._watcher.show(self._counts, self._executor.running(), self._executor.workers())

    def _made_of(self, place: int) -> dict[str, Any] | None:
        item = self._lines[place].item
        if item is None:
            return None
        inputs, _ = addresses_of(self._jobs.lines[place][1])
        elsewhere = {"elsewhere": {address: state_of(address) for address in inputs}} if inputs else {}
        return {**made_of(item), **elsewhere}

    def _item(self, place: int) -> JobItem:
        item = self._lines[place].item
        assert item is not None
        return item

    def _log(self, place: int) -> Path:
        number, text = self._jobs.lines[place]
        return self._jobs.logs / log_name(number, text)

    def _hold(self, held: contextlib.ExitStack, folder: Path) -> None:
        """A folder that cannot be written to is only told by the lines that need it."""
        try:
            held.enter_context(Hold(folder, "output folder"))
        except Motion324Error as error:
            if error.code == "in-use":
                raise

    def _sweep(self) -> None:
        """What workers that were killed have left."""
        paths = (path for line in self._lines if line.item for path in line.item.outputs.values())
        outputs = {Path(os.path.realpath(path.parent)) / path.name for path in paths}
        for folder in self._folders:
            remove_abandoned(UNFINISHED, folder)
            remove_unfinished(folder, outputs)


def _with_defaults(text: str, more: Mapping[str, Any]) -> str:
    """The line with what it does not say itself; just as it is where that is nothing, or where it cannot be read."""
    if not any(more.values()):
        return text
    try:
        values = read_json(text)
        options = {**more["options"], **values.get("options", {})}
        wanted = {**values, **({"options": options} if options else {})}
        if more["scene"]:
            wanted.setdefault("scene", more["scene"])
    except (ValueError, TypeError, AttributeError):
        return text
    return json.dumps(wanted, ensure_ascii=False)


def _checked_stand_in(text: str) -> str:
    """With paths for addresses; a line that cannot be read is told as that by who reads it."""
    try:
        return stood_in(text)
    except Motion324Error:
        return text


def _size_of(path: str) -> int | None:
    return size_of(path) if ADDRESS.match(path) else job_record.size_of(path)
