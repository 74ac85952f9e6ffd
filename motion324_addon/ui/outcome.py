"""What the settings will give: how many frames, where in the scene, how long."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..scene.playing import timing
from ..settings import properties
from ..settings.source_video import VideoFacts

FEWEST_FRAMES = 2


@dataclass(frozen=True)
class Outcome:
    """frames: of the video that are used. first, last: frames of the scene. seconds: until the last one's end.

    fps: at which the frames are shown.
    """

    frames: int
    first: int
    last: int
    seconds: float
    fps: float

    @property
    def sentence(self) -> str:
        return f"{self.frames} frames, scene frames {self.first} to {self.last}, {self.seconds:.1f} s"


def outcome_of(settings: Any, facts: VideoFacts, scene: Any) -> Outcome:
    """settings: `properties.JobProperties`; scene: the bpy.types.Scene whose frame rate counts."""
    start, stop, step = properties.frames_of(settings)
    frames = len(range(*slice(start, stop, step).indices(facts.frames)))
    rate = facts.fps / step
    if 0 < settings.video_fps < rate:
        frames, rate = min(frames, math.ceil(frames * settings.video_fps / rate)), settings.video_fps
    fps = settings.custom_fps if settings.timing == timing.CUSTOM_FPS else rate
    fitted = timing.fit(scene, settings.start_frame, max(frames, 1), fps, settings.timing)
    first, last = fitted.whole_frames
    return Outcome(frames, first, last, frames * fitted.step / timing.scene_fps(scene), fps)
