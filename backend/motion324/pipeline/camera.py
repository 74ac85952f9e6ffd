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
from motion324.video.steady_picture import SteadyPicture, picture_of, steadied, steady_images


@dataclass(frozen=True)
class Filmed:
    """A clip as a camera that stands still shows it.

    clip, masks: as they are, where the camera stands still or its motion is left in; picture, to_first: None then.
    frames (T, h, w, 3) uint8, masks (T, h, w) float32: what is reconstructed, of the part of the plane of the first
    frame's picture in which the object is. report: plain JSON values. warnings: {"code", "sentence"}. to_first: as
    AnimationResult.camera_to_first.
    """

    clip: VideoClip
    frames: np.ndarray
    masks: np.ndarray
    report: dict[str, Any]
    warnings: tuple[dict[str, str], ...] = ()
    to_first: np.ndarray | None = None
    picture: SteadyPicture | None = None

    def view(self, view: View) -> View:
        """The camera that sees the frames, of the one that sees the clip's first frame."""
        return view if self.picture is None else view.of_part(self.picture.box, self.clip.frames.shape[1:3])

    def shown(self, progress: Progress) -> VideoClip:
        """The clip as the first frame's camera sees it, as large as it is, to draw the result over."""
        if self.to_first is None:
            return self.clip
        return dataclasses.replace(self.clip, frames=steady_images(self.clip.frames, self.to_first, progress))


def filmed_by_a_still_camera(clip: VideoClip, masks: np.ndarray, options: AnimateOptions, progress: Progress) -> Filmed:
    """masks (T, H, W) float32 in [0, 1]. A clip whose camera stands still keeps its very frames and masks."""
    if options.camera == "still":
        return Filmed(clip, clip.frames, masks, {"motion": "left in"})
    motion = find_camera_motion(clip, masks, progress)
    takes_off = takes_motion_off(motion, options)
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
    frames = steadied(clip.frames, motion.to_first, picture, progress)
    steady_masks = steadied(masks, motion.to_first, picture, progress)
    to_heights = np.diag([1 / clip.frames.shape[1], 1 / clip.frames.shape[1], 1.0])
    to_first = to_heights @ motion.to_first @ np.linalg.inv(to_heights)
    return Filmed(clip, frames, steady_masks, report, warnings, to_first, picture)


def takes_motion_off(motion: CameraMotion, options: AnimateOptions) -> bool:
    return motion.moves and (motion.is_clear or (options.camera == "moving" and motion.is_known))


def _in_words(motion: CameraMotion, takes_off: bool) -> str:
    if takes_off:
        return "taken off"
    if motion.moves:
        return "left in"
    return "none" if motion.is_clear else "not known"
