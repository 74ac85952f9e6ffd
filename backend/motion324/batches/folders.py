"""Animates items into folders, by run_batch(): what is done already stays, and what fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from motion324.batches.executor import Executor, Task
from motion324.batches.folder_task import FolderTask
from motion324.batches.items import FAILED, KEPT, BatchItem, Outcome, is_done, log_line, write_summary
from motion324.batches.processes import Processes
from motion324.batches.scheduler import RETRIES, Answer, work_off
from motion324.core.files.exclusive_use import Hold
from motion324.core.progress import Progress, silent

LOG, SUMMARY = "batch.log", "summary.json"

OnOutcome = Callable[[Outcome], None]


def run_batch(
    items: Sequence[BatchItem],
    folder: Path,
    *,
    workers: int = 1,
    blender: Path | None = None,
    overlay: bool = False,
    progress: Progress = silent,
    on_outcome: OnOutcome | None = None,
    retries: int = RETRIES,
) -> list[Outcome]:
    """Animates each item into folder/NAME, beside batch.log (a line an item, over all runs) and summary.json.

    An item whose result is there already, from the same files, options and version, is kept, unless it lacks an
    `overlay` that is wanted. A process that dies takes only its own item with it, which is done again, `retries` times
    at most. -> outcomes in the items' order.
    Raises Motion324Error("cannot-write", "disk-full", "in-use") for the folder itself, Cancelled; the processes are
    ended then.
    """
    with Hold(folder, "output folder"):
        outcomes: dict[str, Outcome] = {}

        def tell(outcome: Outcome) -> None:
            outcomes[outcome.name] = outcome
            log_line(folder / LOG, outcome)
            if on_outcome:
                on_outcome(outcome)

        def ended(answer: Answer) -> None:
            lost = Outcome(items[answer.key].name, FAILED, code="process-ended", sentence=answer.why)
            tell(answer.value or lost)

        def tasks() -> Iterator[tuple[int, Task]]:
            for key, item in enumerate(items):
                if is_done(folder / item.name, item, overlay):
                    tell(Outcome(item.name, KEPT))
                else:
                    yield key, FolderTask(item, folder / item.name, blender, overlay)

        executor: Executor = Processes(workers)
        with executor:
            work_off(tasks(), executor, ended, lambda: progress("batch", len(outcomes), len(items)), retries)
        progress("batch", len(items), len(items))
        ordered = [outcomes[item.name] for item in items]
        write_summary(folder / SUMMARY, ordered)
        return ordered
