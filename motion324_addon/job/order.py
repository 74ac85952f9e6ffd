"""What the user asked for, and what the runner holds of one job besides its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from motion324.core.options import AnimateOptions

from ..scene.playing import timing
from ..scene.playing.animation import Animation
from ..scene.playing.preview import Preview
from ..scene.reading.joining import JointReading
from .backend_location import Where
from .worker import Worker

WhenDone = Callable[[int], None]


@dataclass(frozen=True)
class Order:
    """start: the scene's frame of the first result frame; mode: see scene.timing.

    others: objects that are animated together with `obj`, as one. where: the backend that does it.
    frames, pixels: how many frames are used, and the pixels of one, for an estimate of the time; None if not known.
    fps: at which the result will show its frames, for the preview before it is there; None if not known.
    when_done: called on the main thread with the job's number, once its result is shown.
    """

    obj: bpy.types.Object
    video: Path
    options: AnimateOptions
    where: Where
    start: float
    mode: str = timing.KEEP_FRAMES
    others: tuple[bpy.types.Object, ...] = ()
    frames: int | None = None
    pixels: int | None = None
    fps: float | None = None
    when_done: WhenDone | None = None

    @property
    def objects(self) -> tuple[bpy.types.Object, ...]:
        return (self.obj, *self.others)

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.obj.name} and {len(self.others)} more" if self.others else self.obj.name


@dataclass
class Job:
    """steps: of the reading, while it goes on; reading: at its end. previews: what is shown, in members' order.

    wants_start: the work is to begin as soon as the reading is there. folder: of the worker's files.
    changed_from: the first frame of the preview that has changed since it was shown last.
    """

    order: Order
    steps: Iterator[JointReading | None] | None
    reading: JointReading | None = None
    wants_start: bool = False
    worker: Worker | None = None
    folder: Path | None = None
    previews: tuple[Preview, ...] = ()
    changed_from: int | None = None
    animations: tuple[Animation, ...] = ()

    def read_on(self) -> None:
        """Takes one step of the reading. Raises what `joining.read_objects_in_steps` raises."""
        if self.steps is None:
            return
        self.reading = next(self.steps)
        if self.reading is not None:
            self.steps = None

    def read_all(self) -> None:
        while self.steps is not None:
            self.read_on()
