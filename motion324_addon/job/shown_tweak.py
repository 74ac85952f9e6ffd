"""Shows in an object's settings what has been changed of its result, without that changing anything once more."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import bpy

from motion324.core.motion.tweak import Tweak

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
        for name, value in dataclasses.asdict(in_full(animation)).items():
            setattr(settings, name, value)


def in_full(animation: Animation) -> Tweak:
    """What has been changed, with numbers also where the job's own were left."""
    tweak, base = animation.tweak, animation.base or animation
    return dataclasses.replace(
        tweak,
        smoothing=base.smoothed if tweak.smoothing is None else tweak.smoothing,
        start=base.timing.start if tweak.start is None else tweak.start,
    )


def asked_of(obj: bpy.types.Object) -> Tweak:
    """What the object's settings say."""
    return Tweak(**{field.name: getattr(obj.motion324_tweak, field.name) for field in dataclasses.fields(Tweak)})


def is_like(one: Tweak, other: Tweak) -> bool:
    """Whether they are the same but for the rounding of Blender's settings."""
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return all(a == b or (None not in (a, b) and abs(a - b) <= 1e-6 * max(1.0, abs(a))) for a, b in pairs)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before
