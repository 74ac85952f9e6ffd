"""Finds what the camera did: its motion is taken off a clip before that is reconstructed, and the first frame is shown
to the search for the view.

A clip is drawn as a camera would have seen it that stands still where the first frame's stood. The first frame is shown
as large as the file has it, where the object is small.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.files.frame_storage import Masks, room_for_masks, room_for_pictures
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import Progress, silent
from motion324.core.view import View
from motion324.video.camera_motion import CameraMotion, camera_remark, find_camera_motion
from motion324.video.decoding import read_frames

_MARGIN = 0.12  # of the object's box
_LARGEST = 8.0  # times the first frame's height: what moves farther away is cut off
_SMALL = 160  # pixels of the object's longer side; more of them say no more about the view


@dataclass(frozen=True)
class Filmed:
    """A clip as a camera that stands still shows it.

    clip, masks: as they are, where the camera stands still or its motion is left in; picture, to_first: None then.
    frames (T, h, w, 3) uint8, masks (T, h, w): what is reconstructed, of the part of the plane of the first
    frame's picture in which the object is. report: plain JSON values. warnings: {"code", "sentence"}. to_first: as
    AnimationResult.camera_to_first.
    """

    clip: VideoClip
    frames: np.ndarray
    masks: Masks
    report: dict[str, Any]
    warnings: tuple[dict[str, str], ...] = ()
    to_first: np.ndarray | None = None
    picture: SteadyPicture | None = None

    def view(self, view: View) -> View:
        """The camera that sees the frames, of the one that sees the clip's first frame."""
        return view if self.picture is None else view.of_part(self.picture.box, self.clip.frames.shape[1:3])

    def first_frames_view(self, view: View) -> View:
        """The camera that sees the clip's first frame, of the one that sees the frames."""
        if self.picture is None:
            return view
        picture, (height, width) = self.picture, self.clip.frames.shape[1:3]
        top, left = -picture.top * picture.scale, -picture.left * picture.scale
        box = (top, top + height * picture.scale, left, left + width * picture.scale)
        return view.of_part(box, (picture.height, picture.width))

    def shown(self, progress: Progress) -> VideoClip:
        """The clip as the first frame's camera sees it, as large as it is, to draw the result over."""
        if self.to_first is None:
            return self.clip
        return dataclasses.replace(self.clip, frames=steady_images(self.clip.frames, self.to_first, progress))


def filmed_by_a_still_camera(clip: VideoClip, masks: Masks, options: AnimateOptions, progress: Progress) -> Filmed:
    """masks (T, H, W) in [0, 1]. A clip whose camera stands still keeps its very frames and masks."""
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
    to_heights = np.diag([1 / clip.frames.shape[1], 1 / clip.frames.shape[1], 1.0])
    to_first = to_heights @ motion.to_first @ np.linalg.inv(to_heights)
    steady = steadied_by(clip, masks, to_first, progress)
    return dataclasses.replace(steady, report=report, warnings=warnings)


def steadied_by(clip: VideoClip, masks: Masks, to_first: np.ndarray | None, progress: Progress) -> Filmed:
    """By a motion that is known: to_first (T, 3, 3), as AnimationResult.camera_to_first has it; None: there is none."""
    if to_first is None:
        return Filmed(clip, clip.frames, masks, {})
    to_pixels = np.diag([clip.frames.shape[1], clip.frames.shape[1], 1.0])
    in_pixels = to_pixels @ to_first @ np.linalg.inv(to_pixels)
    picture = picture_of(masks, in_pixels, progress)
    frames = steadied(clip.frames, in_pixels, picture, progress)
    return Filmed(clip, frames, steadied_masks(masks, in_pixels, picture, progress), {}, (), to_first, picture)


def takes_motion_off(motion: CameraMotion, options: AnimateOptions) -> bool:
    return motion.moves and (motion.is_clear or (options.camera == "moving" and motion.is_known))


def _in_words(motion: CameraMotion, takes_off: bool) -> str:
    if takes_off:
        return "taken off"
    if motion.moves:
        return "left in"
    return "none" if motion.is_clear else "not known"


@dataclass(frozen=True)
class SteadyPicture:
    """A part of the plane of the first frame's picture, which may reach beyond it.

    left, top: in pixels of that frame; scale: of these pixels to the own ones; width, height: in own pixels.
    """

    left: int
    top: int
    scale: float
    width: int
    height: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Its top, bottom, left and right in pixels of the first frame."""
        return self.top, self.top + self.height / self.scale, self.left, self.left + self.width / self.scale

    def from_first(self) -> np.ndarray:
        """(3, 3) float64: pixels (x, y, 1) of the first frame to the own ones; (0.5, 0.5) is the middle of a pixel."""
        return np.array([[self.scale, 0, -self.scale * self.left], [0, self.scale, -self.scale * self.top], [0, 0, 1]])


def picture_of(masks: Masks, to_first: np.ndarray, progress: Progress = silent) -> SteadyPicture:
    """The one that shows the object of masks (T, H, W) in all frames, with no more pixels than a frame has.
    to_first (T, 3, 3): as CameraMotion has it."""
    height, width = masks.shape[1:]
    low, high = [np.zeros(2)], [np.array([width, height], float)]
    boxes = []
    for mask, matrix in zip(masks, to_first, strict=True):
        progress("foreground", len(masks), len(masks))
        x, y, w, h = cv2.boundingRect((mask > 0.05).view(np.uint8))
        if w:
            corners = np.array([[[x, y]], [[x + w, y]], [[x + w, y + h]], [[x, y + h]]], float)
            boxes.append(cv2.perspectiveTransform(corners, matrix)[:, 0])
    if boxes:
        low, high = [box.min(axis=0) for box in boxes], [box.max(axis=0) for box in boxes]
    start, end = np.min(low, axis=0), np.max(high, axis=0)
    margin = _MARGIN * float((high[0] - low[0]).max()) + 4
    reach = _LARGEST * height
    left, top = (math.floor(max(value, -reach)) for value in start - margin)
    right, bottom = (
        math.ceil(min(value, limit + reach)) for value, limit in zip(end + margin, (width, height), strict=True)
    )
    scale = min(1.0, math.sqrt(width * height / ((right - left) * (bottom - top))))
    own = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    return SteadyPicture(left, top, own[1] / (bottom - top), *own)


def steadied(
    images: np.ndarray, to_first: np.ndarray, picture: SteadyPicture, progress: Progress = silent
) -> np.ndarray:
    """images (T, H, W, ...) uint8 as that picture shows them -> (T, picture.height, picture.width, ...), 0 where no
    frame looks. to_first (T, 3, 3): as CameraMotion has it."""
    drawn = room_for_pictures((len(images), picture.height, picture.width, *images.shape[3:]))
    _steady(images, to_first, picture, drawn, progress)
    return drawn


def steadied_masks(masks: Masks, to_first: np.ndarray, picture: SteadyPicture, progress: Progress = silent) -> Masks:
    """The same of masks (T, H, W) in [0, 1]."""
    drawn = room_for_masks((len(masks), picture.height, picture.width))
    _steady(masks, to_first, picture, drawn, progress)
    return drawn


def _steady(images: Masks, to_first: np.ndarray, picture: SteadyPicture, drawn: Masks, progress: Progress) -> None:
    """Draws them into `drawn`; pictures as well as masks."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])  # OpenCV's pixels have their middle at (0, 0)
    for index, (image, matrix) in enumerate(zip(images, to_first, strict=True)):
        progress("foreground", len(images), len(images))
        whole = np.linalg.inv(half) @ picture.from_first() @ matrix @ half
        drawn[index] = cv2.warpPerspective(image, whole, (picture.width, picture.height), flags=cv2.INTER_LINEAR)


def steady_images(images: np.ndarray, to_first: np.ndarray, progress: Progress = silent) -> np.ndarray:
    """images (T, H, W, ...) uint8 as the first frame's camera sees them, as large as they are.

    to_first (T, 3, 3): in units of the picture's height, as AnimationResult.camera_to_first is.
    """
    return steadied(images, *_as_large(images, to_first), progress)


def steady_masks(masks: Masks, to_first: np.ndarray, progress: Progress = silent) -> Masks:
    """The same of masks (T, H, W) in [0, 1]."""
    return steadied_masks(masks, *_as_large(masks, to_first), progress)


def _as_large(images: Masks, to_first: np.ndarray) -> tuple[np.ndarray, SteadyPicture]:
    """to_first in pixels, and the picture of the first frame itself."""
    height, width = images.shape[1:3]
    to_pixels = np.diag([height, height, 1.0])
    return to_pixels @ to_first @ np.linalg.inv(to_pixels), SteadyPicture(0, 0, 1.0, width, height)


def first_look(
    video: Path | VideoClip, clip: VideoClip, mask: np.ndarray, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """The clip's first frame (H, W, 3) uint8 and its mask (H, W) float32, both of them larger where that tells more.

    video: where the clip was read from. mask (h, w) float32 in [0, 1]: of the clip's first frame.
    """
    frame = clip.frames[0]
    _, _, width, height = cv2.boundingRect((mask > 0.5).view(np.uint8))
    if isinstance(video, VideoClip) or max(width, height) >= _SMALL:
        return frame, mask
    number = int(clip.frame_numbers[0])
    progress("view", 0, 1)
    whole = read_frames(
        video, (number, number + 1, 1), lambda stage, done, total: progress("view", 0, 1), reduce=False
    ).frames[0]
    if whole.shape == frame.shape:
        return frame, mask
    return whole, cv2.resize(mask, whole.shape[1::-1], interpolation=cv2.INTER_LINEAR)
