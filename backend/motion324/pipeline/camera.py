"""Takes the camera's motion off a clip before it is reconstructed, and tells what became of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.options import AnimateOptions
from motion324.core.progress import Progress
from motion324.core.view import View
from motion324.video.camera_motion import CameraMotion, camera_remark, find_camera_motion
from motion324.video.steady_picture import SteadyPicture, picture_of, steadied


@dataclass(frozen=True)
class Filmed:
    """A clip as a camera that stands still shows it.

    clip, masks: as they are, where the camera stands still or its motion is left in; picture, motion: None then.
    frames (T, h, w, 3) uint8, masks (T, h, w) float32: what is reconstructed, of the part of the plane of the first
    frame's picture in which the object is. report: plain JSON values. warnings: {"code", "sentence"}.
    """

    clip: VideoClip
    frames: np.ndarray
    masks: np.ndarray
    report: dict[str, Any]
    warnings: tuple[dict[str, str], ...] = ()
    motion: CameraMotion | None = None
    picture: SteadyPicture | None = None

    def view(self, view: View) -> View:
        """The camera that sees the frames, of the one that sees the clip's first frame."""
        return view if self.picture is None else view.of_part(self.picture.box, self.clip.frames.shape[1:3])

    def shown(self, progress: Progress) -> VideoClip:
        """The clip as the first frame's camera sees it, as large as it is, to draw the result over."""
        if self.motion is None:
            return self.clip
        height, width = self.clip.frames.shape[1:3]
        whole = SteadyPicture(0, 0, 1.0, width, height)
        return dataclasses.replace(self.clip, frames=steadied(self.clip.frames, self.motion, whole, progress))


def filmed_by_a_still_camera(clip: VideoClip, masks: np.ndarray, options: AnimateOptions, progress: Progress) -> Filmed:
    """masks (T, H, W) float32 in [0, 1]. A clip whose camera stands still keeps its very frames and masks."""
    if options.camera == "still":
        return Filmed(clip, clip.frames, masks, {"motion": "left in"})
    motion = find_camera_motion(clip, masks, progress)
    takes_off = motion.moves and (motion.is_clear or (options.camera == "moving" and motion.is_known))
    report = {
        "motion": _in_words(motion, takes_off),
        "largest_shift": round(float(motion.shift.max()), 4),
        "known_frames": int(motion.found.sum()),
        "clear_frames": int(motion.clear.sum()),
    }
    warnings = camera_remark(motion, takes_off, clip.frame_numbers, clip.name)
    if not takes_off:
        return Filmed(clip, clip.frames, masks, report, warnings)
    picture = picture_of(masks, motion, progress)
    frames = steadied(clip.frames, motion, picture, progress)
    return Filmed(clip, frames, steadied(masks, motion, picture, progress), report, warnings, motion, picture)


def _in_words(motion: CameraMotion, takes_off: bool) -> str:
    if takes_off:
        return "taken off"
    if motion.moves:
        return "left in"
    return "none" if motion.is_clear else "not known"
