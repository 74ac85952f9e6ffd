"""Defines how a long step reports where it is and learns that it should stop, and what its stages are called."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by every long step at least four times a second.

    stage: one of STAGES; "mesh" while one is made from a picture, "report" while a page is drawn. done and total:
    counted in the stage's own unit (frames, mostly), 0 <= done <= total.
    Raises motion324.core.errors.Cancelled when the user has asked to stop; a step lets that exception pass.
    """

    def __call__(self, stage: str, done: int, total: int) -> None: ...


# What the panel and the terminal call a stage before people; a job's stages in the order of the pipeline.
STAGE_LABELS = {
    "read": "Reading the video",
    "foreground": "Finding the foreground",
    "sample": "Sampling the surface",
    "view": "Finding the view",
    "load": "Loading the model",
    "warm-up": "Warming up",
    "reconstruct": "Reconstructing",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
    "mesh": "Making the mesh",
}
STAGES = tuple(stage for stage in STAGE_LABELS if stage != "mesh")


def silent(stage: str, done: int, total: int) -> None:
    """A Progress for callers that do not care."""
