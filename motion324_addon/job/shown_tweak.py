"""Shows in an object's settings what has been changed of its result, without that changing anything once more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..scene.playing.animation import Animation

_quiet = False


def is_quiet() -> bool:
    """Whether settings are just being shown, so that their change is nobody's wish."""
    return _quiet


def show(animation: Animation) -> None:
    """Sets the settings of the animation's object to what was changed of it."""
    settings = getattr(animation.target.find(), "motion324_tweak", None)
    if settings is None:
        return
    with _quietly():
        tweak, base = animation.tweak, animation.base or animation
        settings.smoothing = base.smoothed if tweak.smoothing is None else tweak.smoothing
        settings.start = base.timing.start if tweak.start is None else tweak.start
        for name in ("strength", "speed", "trim_start", "trim_end", "loop", "still"):
            setattr(settings, name, getattr(tweak, name))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before
