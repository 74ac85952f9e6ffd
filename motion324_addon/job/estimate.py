"""Estimates how long a job may take by the jobs that were done before, and says nothing where nothing like it
was done.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from motion324.core.errors import Motion324Error
from motion324.core.files.write_aside import written_aside
from motion324.core.jobs.job_plan import plan_of
from motion324.core.options.animate_options import AnimateOptions, names_mask_files
from motion324.core.progress import STAGES

from . import storage
from .backend import Remote, Where

log = logging.getLogger(__name__)

MOST = 100  # jobs that are remembered
USUAL_PIXELS = 512 * 512  # of a frame, where that is not known
FARTHEST = 2.0  # doublings of vertices and pixels between two jobs that still tell something about each other
KINDS = ("reconstructor", "quality", "device", "mask", "view")  # options that decide what a job has to do


@dataclass(frozen=True)
class JobSize:
    """vertices of the mesh; frames that are used; pixels of one frame. 0: not known."""

    vertices: int
    frames: int
    pixels: int


@dataclass(frozen=True)
class _Done:
    """A job that was done. kind: see `_kind`; seconds: by stage."""

    kind: str
    vertices: int
    frames: int
    pixels: int
    seconds: dict[str, float] = field(default_factory=dict)


_known: dict[Path, list[_Done]] = {}  # by file, the newest last


def estimate_seconds(
    vertices: int, frames: int, pixels: int, options: AnimateOptions, where: Where | None = None
) -> float | None:
    """How long a job with these options may take; pixels: of one frame, 0 where not known.

    None where no similar job has been done. where: None is a backend on this machine. Fast enough to be called while
    drawing.
    """
    expected = expected_stages(JobSize(vertices, frames, pixels), options, where)
    return sum(seconds for _, seconds in expected) or None


def expected_stages(size: JobSize, options: AnimateOptions, where: Where | None) -> tuple[tuple[str, float], ...]:
    """The stages of such a job in their order, and the seconds of each; empty where no similar one has been done."""
    kind = _kind(options, where)
    alike = [(_doublings(done, size), -place, done) for place, done in enumerate(_load()) if done.kind == kind]
    if not alike or not size.frames:
        return ()
    distance, _, nearest = min(alike, key=lambda entry: entry[:2])
    if distance > FARTHEST:
        return ()
    ratio = size.frames / nearest.frames
    return tuple((stage, nearest.seconds[stage] * ratio) for stage in STAGES if stage in nearest.seconds)


def guessed_stages(size: JobSize, options: AnimateOptions, where: Where | None) -> tuple[tuple[str, float], ...]:
    """The same for the first job of its kind: what it takes on a common machine; empty for a backend somewhere else, or
    where the number of frames is not known."""
    if isinstance(where, Remote) or not size.frames:
        return ()
    plan = plan_of(options, size.frames, size.pixels or USUAL_PIXELS, size.vertices)
    return tuple((stage.name, stage.seconds) for stage in plan)


def learn(report: dict[str, Any], options: AnimateOptions, where: Where | None) -> None:
    """Remembers a job that was done. report: the backend's; where it lacks something, nothing is learnt."""
    try:
        width, height = report["video"]["size"]
        done = _Done(
            kind=_kind(options, where),
            vertices=int(report["mesh"]["vertices"]),
            frames=int(report["video"]["frames"]),
            pixels=int(width) * int(height),
            seconds={stage: float(report["seconds"][stage]) for stage in STAGES if stage in report["seconds"]},
        )
    except (KeyError, TypeError, ValueError):
        return
    if min(done.vertices, done.frames, done.pixels) < 1 or not done.seconds:
        return
    entries = [*_load(), done][-MOST:]
    path = _path()
    _known[path] = entries
    try:
        with written_aside(path) as aside:
            aside.write_text(json.dumps([asdict(entry) for entry in entries]), "utf-8")
    except Motion324Error as error:
        log.warning("%s", error.sentence)


def _kind(options: AnimateOptions, where: Where | None) -> str:
    """What makes jobs take different times besides their size."""
    values = options.to_dict()
    values["mask"] = _mask_kind(options.mask)
    values["view"] = "found" if options.view == "auto" else "given"
    place = where.address if isinstance(where, Remote) else "here"
    return " ".join([place, *(str(values.get(name, "")) for name in KINDS)])


def _mask_kind(mask: str) -> str:
    """Each of rembg's models takes a time of its own; what SAM 2.1 is told to follow makes no difference."""
    if names_mask_files(mask):
        return "given"
    return "sam2" if mask.startswith("sam2:") else mask


def _doublings(done: _Done, size: JobSize) -> float:
    pairs = [(done.vertices, size.vertices), (done.pixels, size.pixels)]
    return sum(abs(math.log2(one / other)) for one, other in pairs if one and other)


@functools.cache
def _path() -> Path:
    return storage.user_folder() / "durations.json"


def _load() -> list[_Done]:
    path = _path()
    if path not in _known:
        _known[path] = []
        with contextlib.suppress(OSError, ValueError, TypeError):
            _known[path] = [_Done(**entry) for entry in json.loads(path.read_text("utf-8"))]
    return _known[path]
