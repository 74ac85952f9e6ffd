"""One job, waited for: what the operator does in the background, as a plain function."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy

from motion324.core.options import AnimateOptions

from ..job.backend_location import Where
from ..job.records import Order
from ..job.runner import runner
from ..job.state import JobState
from ..scene.playing import timing
from ..scene.playing.animation import Animation
from ..settings import preferences


def animate_blocking(
    obj: bpy.types.Object,
    video: Path,
    options: AnimateOptions | None = None,
    on_progress: Callable[[JobState], None] = lambda state: None,
    *,
    start: float = 1.0,
    mode: str = timing.KEEP_FRAMES,
    where: Where | None = None,
) -> Animation:
    """Animates the object after the video and returns the result; nothing is changed yet, see `scene.keeping`.

    on_progress(state) is called at least twice a second; what it raises cancels the job. start: the scene's frame of
    the first result frame. where: the backend; None takes the preferences'. The animation's positions lie in a
    temporary file until `release()`, or the next job of the object.
    Raises the Motion324Error that ended the job.
    """
    order = Order(
        obj=obj,
        video=Path(video),
        options=options or AnimateOptions(),
        where=where or preferences.connection(),
        start=start,
        mode=mode,
    )
    return runner.run_blocking(order, on_progress)


def release() -> None:
    """Forgets all results, and removes their temporary files."""
    runner.forget_all()
