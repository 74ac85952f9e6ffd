"""What became of a batch's items, and how a result is known to be done."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from motion324.batch.items import BatchItem
from motion324.core.write_aside import written_aside
from motion324.trajectories.result_files import TRAJECTORY

DONE, KEPT, FAILED = "done", "kept", "failed"
ITEM_FILE = "item.json"


@dataclass(frozen=True)
class Outcome:
    """status: DONE; KEPT, where an earlier run had done it; or FAILED, with the error's code and sentence."""

    name: str
    status: str
    frames: int = 0
    vertices: int = 0
    seconds: float = 0.0
    reconstructor: str = ""
    overlap: float | None = None
    code: str = ""
    sentence: str = ""

    def line(self) -> str:
        """For the log and the terminal."""
        if self.status == FAILED:
            return f"{self.name}: failed ({self.code}): {self.sentence}"
        if self.status == KEPT:
            return f"{self.name}: kept from an earlier run"
        return (
            f"{self.name}: {self.frames} frames of {self.vertices} vertices in {self.seconds:.1f} s by "
            f"{self.reconstructor}, overlap {self.overlap:.2f}"
        )


def is_done(folder: Path, item: BatchItem, overlay: bool = False) -> bool:
    """Whether the folder holds the result of just this item: same files, same options, same version; and where an
    overlay is wanted, with one."""
    try:
        known = json.loads((folder / ITEM_FILE).read_text(encoding="utf-8"))
        has_overlay = known.pop("overlay", False)
    except (OSError, ValueError, AttributeError):
        return False
    wanted = known == item.fingerprint() and (has_overlay or not overlay)
    trajectory = folder / TRAJECTORY
    return bool(wanted) and trajectory.is_file() and trajectory.stat().st_size > 0


def mark_done(folder: Path, item: BatchItem, overlay: bool = False) -> None:
    """overlay: whether one was kept. Raises Motion324Error("disk-full" or "cannot-write")."""
    with written_aside(folder / ITEM_FILE) as aside:
        aside.write_text(json.dumps({**item.fingerprint(), "overlay": overlay}, indent=1) + "\n", encoding="utf-8")


def write_summary(path: Path, outcomes: list[Outcome]) -> dict[str, Any]:
    """Leaves all outcomes with their counts as JSON, and returns that."""
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in (DONE, KEPT, FAILED)}
    worked = [outcome for outcome in outcomes if outcome.status == DONE]
    summary = {
        **counts,
        "seconds": round(sum(outcome.seconds for outcome in worked), 3),
        "frames": sum(outcome.frames for outcome in worked),
        "items": [asdict(outcome) for outcome in outcomes],
    }
    with written_aside(path) as aside:
        aside.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def log_line(path: Path, outcome: Outcome) -> None:
    """Adds one line with the time to the log."""
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    with path.open("a", encoding="utf-8") as log:
        log.write(f"{now} {outcome.line()}\n")
