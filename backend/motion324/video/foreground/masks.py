"""Holds the foreground masks of a clip, and says what is odd about them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.clip import VideoClip, told_frames
from motion324.core.files.frame_storage import Masks
from motion324.video.shots import first_picture, without_start

# The part of the border's pixels that an object has to cover before it counts as leaving the frame.
_TOUCHING = 0.004
_EMPTY_PIXELS = 16
_FULL_SHARE = 0.97
# A mask jumps where its area leaves the median of the frames around it by this factor, or its middle moves from one
# frame to the next by this part of its size.
_JUMP_FACTOR, _JUMP_WAY, _JUMP_FRAMES = 1.6, 0.5, 3
# An object is told to be small that has fewer pixels than this on its longer side, and is so small a part of all.
_FEWEST_PIXELS, _SMALL_SHARE = 48, 1 / 8
_OF_FRAMES = _EMPTY, _JUMPS, _SMALL, _LEAVES = ("mask-empty", "mask-jumps", "object-small", "object-leaves-frame")


@dataclass(frozen=True)
class ForegroundMasks:
    """masks (T, H, W) in [0, 1]: 1 on the object, with soft edges.

    method: how they were found: "alpha", "plain", "rembg", "sam2" or "given".
    warnings: {"code", "sentence"} for several objects, and for frames in which the object is missing, jumps, or leaves
    the picture.
    """

    masks: Masks
    method: str
    warnings: tuple[dict[str, str], ...] = ()


def empty_frames(masks: Masks) -> np.ndarray:
    """(K,) indices of the frames that show next to nothing of the object."""
    return np.flatnonzero(_areas(masks) < _EMPTY_PIXELS)


def tells_nothing(masks: Masks) -> bool:
    """Whether masks (T, H, W) show no object in most frames: next to nothing of it, or the whole picture."""
    return bool(_without_object(masks).sum() > len(masks) / 2)


def from_first_object(clip: VideoClip, found: ForegroundMasks) -> tuple[VideoClip, ForegroundMasks]:
    """Both without the frames at the start whose masks show no object, and with a warning in the clip that names them.

    The first frame is what the mesh is fitted to, so that all depends on what it shows.
    """
    count = first_picture(_without_object(found.masks))
    if not count or count > len(found.masks) - 2:
        return clip, found
    shorter = without_start(clip, count)
    masks = found.masks[count:]
    kept = tuple(warning for warning in found.warnings if warning["code"] not in _OF_FRAMES)
    warnings = mask_warnings(masks, shorter.frame_numbers, clip.name) + kept
    return shorter, ForegroundMasks(masks, found.method, warnings)


def _without_object(masks: Masks) -> np.ndarray:
    """(T,) bool."""
    areas = _areas(masks)
    return (areas > _FULL_SHARE * masks.shape[1] * masks.shape[2]) | (areas < _EMPTY_PIXELS)


def _areas(masks: Masks) -> np.ndarray:
    """(T,) pixels of the object in each frame."""
    return np.array([np.count_nonzero(mask > 0.5) for mask in masks])


def mask_warnings(masks: Masks, frame_numbers: np.ndarray, name: str) -> tuple[dict[str, str], ...]:
    """What to tell the user about masks (T, H, W): frames with no object, in which it jumps, or leaves the picture, and
    an object that is small in the first one."""
    warnings = []
    empty = empty_frames(masks)
    if len(empty):
        sentence = (
            f"No object was found in {told_frames(frame_numbers[empty])} of '{name}'; its motion is guessed there."
        )
        warnings.append({"code": _EMPTY, "sentence": sentence})
    jumping = jumping_frames(masks)
    if len(jumping):
        sentence = (
            f"The mask of the object changes suddenly in {told_frames(frame_numbers[jumping])} of '{name}'; look at "
            "it, and give your own masks where it is wrong."
        )
        warnings.append({"code": _JUMPS, "sentence": sentence})
    size = _first_size(masks)
    if 0 < max(size) < min(_FEWEST_PIXELS, _SMALL_SHARE * max(masks.shape[1:])):
        sentence = (
            f"The object is only {size[0]} x {size[1]} pixels large in frame {frame_numbers[0]} of '{name}', as the "
            "picture is used here, so that view and motion are rough. Use a video in which it is larger, or cut to it."
        )
        warnings.append({"code": _SMALL, "sentence": sentence})
    cut = np.flatnonzero(_border_share(masks) > _TOUCHING)
    if len(cut):
        sentence = (
            f"The object touches the edge of the picture in {told_frames(frame_numbers[cut])} of '{name}'; "
            "what lies outside cannot be followed."
        )
        warnings.append({"code": _LEAVES, "sentence": sentence})
    return tuple(warnings)


def jumping_frames(masks: Masks) -> np.ndarray:
    """(K,) indices of the frames whose mask differs suddenly, in size or place, from those around; empty ones are not
    counted."""
    areas, middle = np.zeros(len(masks)), np.zeros((len(masks), 2))
    for index, mask in enumerate(masks):
        solid = (mask > 0.5).view(np.uint8)
        sums = [cv2.reduce(solid, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (0, 1)]  # columns, rows
        areas[index] = sums[0].sum()
        middle[index] = [(part * np.arange(len(part))).sum() / max(areas[index], 1) for part in sums]
    shown = areas >= _EMPTY_PIXELS
    jumps = np.zeros(len(masks), bool)
    for index in np.flatnonzero(shown).tolist():
        around = np.arange(max(0, index - _JUMP_FRAMES), min(len(masks), index + _JUMP_FRAMES + 1))
        around = around[shown[around] & (around != index)]
        if len(around) >= 2:
            ratio = areas[index] / np.median(areas[around])
            jumps[index] = not 1 / _JUMP_FACTOR <= ratio <= _JUMP_FACTOR
        if index and shown[index - 1]:
            way = float(np.linalg.norm(middle[index] - middle[index - 1]))
            jumps[index] |= way > _JUMP_WAY * np.sqrt(max(areas[index], areas[index - 1]))
    return np.flatnonzero(jumps)


def several_objects(name: str, count: int, kept_all: bool) -> dict[str, str]:
    """The warning about a clip that shows `count` objects of similar size."""
    what = "all of them are taken as one" if kept_all else "only the largest is used"
    sentence = f"'{name}' shows {count} objects that never touch; {what}. Give masks of the one that is meant."
    return {"code": "several-objects", "sentence": sentence}


def _first_size(masks: Masks) -> tuple[int, int]:
    """(width, height) of the object in the first frame."""
    _, _, width, height = cv2.boundingRect((masks[0] > 0.5).view(np.uint8))
    return width, height


def _border_share(masks: Masks) -> np.ndarray:
    """(T,) the part of each frame's outermost pixels that the object covers."""
    border = [np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]) for mask in masks]
    return np.array([float((each > 0.5).mean()) for each in border])
