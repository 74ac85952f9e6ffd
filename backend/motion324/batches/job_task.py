"""Does one line of a job file, whatever worker it has come to, and keeps its log."""

from __future__ import annotations

import contextlib
import json
import logging
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.batches.addresses import fetched
from motion324.batches.executor import Workplace
from motion324.batches.folder_task import explained, logged_to
from motion324.batches.plain_item import Animator, animated, do_plain_item
from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.jobs.job_item import parse_item
from motion324.core.jobs.job_resources import Resources
from motion324.core.progress import Progress


@dataclass(frozen=True)
class JobTask:
    """A Task. text: the line `number` of a job file in `folder`. log: the file that its log goes to.

    blender: the executable, None to look for one. animator: what moves a mesh where no Blender is needed.
    """

    number: int
    text: str
    folder: Path
    log: Path
    resources: Resources
    needs_blender: bool
    blender: Path | None = None
    animator: Animator = animated

    @property
    def name(self) -> str:
        try:
            return f"{self.number} {Path(json.loads(self.text)['mesh']).name}"
        except (ValueError, KeyError, TypeError):
            return str(self.number)

    def run(self, workplace: Workplace, progress: Progress) -> dict[str, Any]:
        """The item's result, as a record has it. Raises Cancelled."""
        began = time.monotonic()
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with fetched(self.text) as text:
                if self.needs_blender:
                    blender = workplace.blender(self.blender)
                    return blender.do(self.number, text, self.folder, self.log, progress)
                with logged_to(self.log):
                    return self._plain(text, progress, began)
        except Cancelled:
            raise
        except Exception as error:  # one item's defect leaves the others alone
            with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as log:
                log.write(traceback.format_exc())
            return failed(explained(error), began, self.log)

    def _plain(self, text: str, progress: Progress, began: float) -> dict[str, Any]:
        logging.info("%s", self.text)
        try:
            item = parse_item(text, self.folder)
            result: dict[str, Any] = {"ok": True, "mesh": item.mesh, "video": item.video}
            result |= do_plain_item(item, progress, self.animator)
        except Cancelled:
            raise
        except Exception as error:
            logging.error("%s", traceback.format_exc())
            return failed(explained(error), began, self.log)
        for warning in result["report"].get("warnings", ()):
            logging.warning("%s", warning["sentence"])
        return {**result, "seconds": round(time.monotonic() - began, 2), "log": str(self.log)}


def failed(error: Motion324Error, began: float, log: Path) -> dict[str, Any]:
    """The result of an item that has failed. began: by the monotonic clock."""
    return {
        "ok": False,
        "code": error.code,
        "error": error.sentence,
        "hint": error.hint,
        "exit_code": error.exit_code,
        "seconds": round(time.monotonic() - began, 2),
        "log": str(log),
    }
