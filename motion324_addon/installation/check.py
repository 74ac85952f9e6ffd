"""Tells whether a backend can work: it asks the backend's own doctor, and makes a report that can be sent to
somebody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.core.errors import EXIT_BACKEND, Motion324Error

from ..job import backend
from ..job.backend import Local, Where
from . import child

FINE, WARNING, PROBLEM = "fine", "warning", "problem"
OUTSIDE = {"temporary files", "log"}  # what the doctor looks at that no new installation would mend


@dataclass(frozen=True)
class Finding:
    """subject: what was looked at. verdict: FINE, WARNING or PROBLEM. remedy: what to do, unless it is fine."""

    subject: str
    verdict: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """findings: in the order in which a person reads them."""

    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        return all(finding.verdict != PROBLEM for finding in self.findings)

    @property
    def damage(self) -> str:
        """The first problem that a new installation mends, or ""."""
        for finding in self.findings:
            if finding.verdict == PROBLEM and finding.subject not in OUTSIDE:
                return f"{finding.subject}: {finding.text}"
        return ""


def examine(where: Where, blender: Path, log: Path, gives_up: Callable[[], bool] = lambda: False) -> Report:
    """Takes some seconds. blender: its executable, which the backend reads .fbx and .blend files with. log: of the
    programs that are run. Raises Motion324Error("doctor-failed", ...), and for a remote backend as `backend.connect`.
    """
    if isinstance(where, Local):
        return _examine_environment(where.python, blender, log, gives_up)
    return _examine_remote(where, log, gives_up)


def report_text(facts: Sequence[tuple[str, str]], report: Report, events: Sequence[str] = ()) -> str:
    """Plain text to be sent to somebody: what was found, and what happened lately; no user's name in paths."""
    lines = [f"{subject}: {text}" for subject, text in facts]
    for finding in report.findings:
        mark = "" if finding.verdict == FINE else f"{finding.verdict}: "
        lines.append(f"{finding.subject}: {mark}{finding.text}" + (f". {finding.remedy}" if finding.remedy else ""))
    lines.append("Everything that is needed works." if report.works else "Something that is needed does not work.")
    if events:
        lines += ["", f"The last {len(events)} events of this Blender:", *events]
    home = str(Path.home())
    return "\n".join(lines).replace(home, "~") if len(home) > 1 else "\n".join(lines)


def _examine_environment(python: Path, blender: Path, log: Path, gives_up: Callable[[], bool]) -> Report:
    program = [str(python), "-s", "-P", "-m", "motion324"]
    asked = ["doctor", "--json"] + (["--blender", str(blender)] if blender.name else [])
    code, said = child.run([*program, *asked], log, gives_up=gives_up)
    answer = _json_answer(said, "findings")
    if answer is None:
        raise Motion324Error(
            "doctor-failed",
            f"The backend in '{python}' does not run: {said[-1] if said else f'it ended with code {code}'}.",
            "Repair it, or choose another Python in the preferences.",
            EXIT_BACKEND,
        )
    findings = [Finding(f["subject"], f["verdict"], f["text"], f["remedy"]) for f in answer]
    if not any(finding.subject == "weights" for finding in findings):  # the doctor asks for them with PyTorch only
        _, said = child.run([*program, "weights", "list", "--json"], log, gives_up=gives_up)
        findings += [_weights(entry) for entry in _json_answer(said, "weights") or []]
    return Report(tuple(findings))


def _json_answer(said: Sequence[str], key: str) -> list[dict[str, Any]] | None:
    """What the program printed under that key; libraries may print lines of their own before."""
    for line in reversed(said):
        try:
            found = json.loads(line)[key]
        except (ValueError, KeyError, TypeError):
            continue
        return found if isinstance(found, list) else None
    return None


def _weights(entry: dict[str, Any]) -> Finding:
    state = f"{entry['path']}, {entry['bytes'] / 1e9:.2f} GB" if entry["bytes"] else "not installed"
    return Finding("weights", FINE, f"{entry['name']}: {state}")


def _examine_remote(where: Where, log: Path, gives_up: Callable[[], bool]) -> Report:
    client = backend.connect(where, log, gives_up)
    began = time.monotonic()
    status = client.status()
    answered = 1000 * (time.monotonic() - began)
    findings = [
        Finding("motion324", FINE, f"{client.backend.version} ({client.backend.program})"),
        Finding("answer", FINE, f"in {answered:.0f} ms"),
        Finding("device", FINE, status.device),
        *(Finding(f"memory, {name}", FINE, f"{size / 2**30:.1f} GB") for name, size in status.memory.items()),
        Finding("reconstructors", FINE, ", ".join(status.reconstructors) or "none loaded yet"),
        Finding("jobs", FINE, f"{'one running' if status.running else 'none running'}, {status.queued} waiting"),
    ]
    return Report(tuple(findings))
