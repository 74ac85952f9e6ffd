"""Shows a batch of a job file while it runs: all items on one screen, and a line of each as it ends.

On a terminal the screen is drawn anew where it stands; elsewhere a line tells now and then how far the batch is.
Results go to stdout: as sentences on a terminal, as the lines of the record where a program reads them.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import Any, TextIO

from motion324.batches.executor import Running
from motion324.batches.watcher import Counts
from motion324.core.processes.interruption import look
from motion324.core.progress import STAGE_LABELS

LIVE_SECONDS = 0.2  # between two drawings of the screen
LINE_SECONDS = 10.0  # between two plain lines
MOST_ITEMS = 12  # that are being done and are shown one by one
BAR = 12  # characters of a bar


class BatchScreen:
    """A Watcher of motion324.batches.jobs."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._alive = self._err.isatty()
        self._began = time.monotonic()
        self._shown_at = -LINE_SECONDS
        self._height = 0

    def show(self, counts: Counts, running: list[Running], workers: dict[str, int]) -> None:
        """Raises Cancelled after Ctrl-C."""
        look()
        now = time.monotonic()
        if now - self._shown_at < (LIVE_SECONDS if self._alive else LINE_SECONDS):
            return
        self._shown_at = now
        lines = screen(counts, running, workers, now - self._began)
        if self._alive:
            columns = shutil.get_terminal_size().columns - 1
            self.clear()
            self._err.write("".join(f"{line[:columns]}\n" for line in lines))
            self._err.flush()
            self._height = len(lines)
        else:
            print(lines[0], file=self._err, flush=True)

    def ended(self, result: dict[str, Any]) -> None:
        self.clear()
        text = sentence(result) if self._out.isatty() else json.dumps(result, ensure_ascii=False)
        print(text, file=self._out, flush=True)
        if not result["ok"] and not self._out.isatty():
            print(sentence(result), file=self._err, flush=True)

    def clear(self) -> None:
        """Takes the screen away, before something else is printed."""
        if self._height:
            self._err.write(f"\x1b[{self._height}F\x1b[J")
            self._err.flush()
            self._height = 0


def screen(counts: Counts, running: list[Running], workers: dict[str, int], seconds: float) -> list[str]:
    """The first line tells all in short; then a line for each machine, and one for each item that is being done."""
    waiting = counts.total - counts.ended - len(running)
    parts = [f"{counts.done + counts.kept} of {counts.total} items done"]
    if counts.kept:
        parts[0] += f" ({counts.kept} before)"
    parts += [f"{number} {what}" for number, what in _others(counts, running, waiting) if number]
    left = _left(counts, seconds)
    lines = [", ".join(parts) + (f", about {_clock(left)} left" if left is not None else "")]
    if not workers and waiting:
        lines.append("  no machine has room for them yet")
    for node in sorted({*workers, *counts.by_node}):
        own = sum(item.node == node for item in running)
        gone = "" if node in workers else ", gone"
        there, ended = workers.get(node, 0), counts.by_node.get(node, 0)
        lines.append(f"  {node:<24} {there} worker{'s' * (there != 1)}, {own} running, {ended} ended{gone}")
    for item in sorted(running, key=lambda each: each.key)[:MOST_ITEMS]:
        lines.append(f"    {item.name[:32]:<32} {_bar(item)} {_stage(item)}")
    if len(running) > MOST_ITEMS:
        lines.append(f"    and {len(running) - MOST_ITEMS} more")
    return lines


def sentence(result: dict[str, Any]) -> str:
    """One line of an item that has ended, for people."""
    name = f"line {result['line']}"
    if not result["ok"]:
        hint = f" {result['hint']}" if result.get("hint") else ""
        return f"{name}: failed ({result['code']}): {result['error']}{hint}"
    where = f" on {result['node']}" if result.get("node") else ""
    tries = f", attempt {result['attempts']}" if result.get("attempts") else ""
    return (
        f"{name}: {result['mesh']} after {result['video']}: {result['frames']} frames of {result['vertices']} vertices "
        f"in {result['seconds']:.1f} s{where}{tries}"
    )


def _others(counts: Counts, running: list[Running], waiting: int) -> list[tuple[int, str]]:
    return [(counts.failed, "failed"), (len(running), "running"), (waiting, "waiting")]


def _left(counts: Counts, seconds: float) -> float | None:
    """Seconds, by the pace so far."""
    ended = counts.done + counts.failed
    left = counts.total - counts.ended
    return seconds / ended * left if ended and left else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _bar(item: Running) -> str:
    full = round(BAR * min(1.0, item.done / item.total)) if item.total > 1 else 0
    return "#" * full + "." * (BAR - full)


def _stage(item: Running) -> str:
    part = f" {item.done} of {item.total}" if item.total > 1 else ""
    return f"{STAGE_LABELS.get(item.stage, item.stage or 'starting')}{part}"
