"""Tells which frame of the scene shows which frame of a result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from motion324.core.jobs.job_item import KEEP_DURATION as KEEP_DURATION
from motion324.core.jobs.job_item import KEEP_FRAMES

CUSTOM_FPS = "CUSTOM_FPS"  # the same, for a video played at a frame rate that the user gives


@dataclass(frozen=True)
class Timing:
    """Result frame k is shown at the scene's frame `start + k * step`. count: how many result frames there are."""

    start: float
    step: float
    count: int

    def frame(self, index: int) -> float:
        return self.start + index * self.step

    def index(self, frame: float) -> int:
        """The result frame that is shown nearest to that frame of the scene."""
        return min(max(round((frame - self.start) / self.step), 0), self.count - 1)

    @property
    def end(self) -> float:
        return self.frame(self.count - 1)

    @property
    def whole_frames(self) -> tuple[int, int]:
        """The first and last whole frame of the scene that lie within the animation, to play or to export."""
        return math.ceil(self.start), max(math.ceil(self.start), math.floor(self.end + 1e-4))


def scene_fps(scene: Any) -> float:
    """Frames per second of a bpy.types.Scene."""
    return scene.render.fps / scene.render.fps_base


def fit(scene: Any, start: float, count: int, fps: float, mode: str = KEEP_FRAMES) -> Timing:
    """The timing of `count` result frames of `fps` frames per second in a bpy.types.Scene."""
    step = 1.0 if mode == KEEP_FRAMES else scene_fps(scene) / fps
    return Timing(float(start), step, count)


def split_frame(frame: float) -> tuple[int, float]:
    """Frame 7.25 -> (7, 0.25), as `Scene.frame_set` takes it; what rounding left beside a whole frame is dropped."""
    whole = math.floor(frame + 1e-4)
    part = frame - whole
    return whole, part if part > 1e-4 else 0.0
