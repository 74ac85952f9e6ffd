"""How a long step tells its caller where it is, and how it learns that it should stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by every long step at least four times a second.

    stage: one of STAGES; "mesh" while one is made from a picture, "report" while a page is drawn. done and total:
    counted in the stage's own unit (frames, mostly), 0 <= done <= total.
    Raises motion324.core.errors.Cancelled when the user has asked to stop; a step lets that exception pass.
    """

    def __call__(self, stage: str, done: int, total: int) -> None: ...


# In the order of the pipeline; the panel and the terminal show these words.
STAGES = ("read", "foreground", "sample", "view", "load", "warm-up", "reconstruct", "refine", "smooth", "write")


def silent(stage: str, done: int, total: int) -> None:
    """A Progress for callers that do not care."""
