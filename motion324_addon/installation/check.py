"""Whether a backend can work: asks its own doctor, and makes a report of it that can be sent to somebody."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from motion324.errors import EXIT_BACKEND, Motion324Error

from ..job import backend
from ..job.backend_location import Local, Where
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


def report_text(facts: Sequence[tuple[str, str]], report: Report) -> str:
    """Plain text to be sent to somebody: what was found, without the user's name in paths."""
    lines = [f"{subject}: {text}" for subject, text in facts]
    for finding in report.findings:
        mark = "" if finding.verdict == FINE else f"{finding.verdict}: "
        lines.append(f"{finding.subject}: {mark}{finding.text}" + (f". {finding.remedy}" if finding.remedy else ""))
    lines.append("Everything that is needed works." if report.works else "Something that is needed does not work.")
    home = str(Path.home())
    return "\n".join(lines).replace(home, "~") if len(home) > 1 else "\n".join(lines)


def _examine_environment(python: Path, blender: Path, log: Path, gives_up: Callable[[], bool]) -> Report:
    command = [str(python), "-s", "-P", "-m", "motion324.cli", "doctor", "--json"]
    command += ["--blender", str(blender)] if blender.name else []
    code, said = child.run(command, log, gives_up=gives_up)
    for line in reversed(said):  # libraries may print before it
        try:
            found = json.loads(line)["findings"]
            return Report(tuple(Finding(f["subject"], f["verdict"], f["text"], f["remedy"]) for f in found))
        except (ValueError, KeyError, TypeError):
            continue
    raise Motion324Error(
        "doctor-failed",
        f"The backend in '{python}' does not run: {said[-1] if said else f'it ended with code {code}'}.",
        "Repair it, or choose another Python in the preferences.",
        EXIT_BACKEND,
    )


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
