"""Does items that come one by one on stdin, as `motion324 batch` sends them: one Blender serves many of them.

An item is a line of JSON: {"text": a job file's line, "number", "folder": the job file's, "log": where its log goes}.
What is answered begins with MARK, since Blender prints on stdout as well: {"progress": [stage, done, total]}, and at
last {"result": ...} as it stands in a record. The end of stdin, or of the process that has started this one, is the
end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from motion324.core.errors import Motion324Error
from motion324.core.jobs.job_file import read_lines
from motion324.core.processes.interruption import look
from motion324.core.processes.parent_watch import end_with_parent

from ..runner_base.state import problem_of
from .batch_file import failed, run_logged

MARK = "motion324-item: "
OFTEN = 0.25  # seconds between two reports


def serve() -> int:
    """Raises Cancelled or KeyboardInterrupt when it is told to stop."""
    end_with_parent(os.getppid())
    _say({"ready": True})
    while wish := sys.stdin.readline():
        look()
        _say({"result": _do(json.loads(wish))})
    return 0


def _do(wish: dict[str, Any]) -> dict[str, Any]:
    (line,) = read_lines([(int(wish["number"]), str(wish["text"]))], Path(wish["folder"]))
    said = -OFTEN

    def show(state: Any) -> None:
        nonlocal said
        if time.monotonic() - said >= OFTEN:
            said = time.monotonic()
            _say({"progress": [state.stage or "", state.done or 0, state.total or 0]})

    began, log = time.monotonic(), Path(wish["log"])
    try:
        return run_logged(line, log, "", f"line {line.number}", show)
    except Motion324Error as error:  # of the log
        return {**failed(problem_of(error)), "seconds": round(time.monotonic() - began, 2), "log": str(log)}


def _say(answer: dict[str, Any]) -> None:
    print(MARK + json.dumps(answer), flush=True)
