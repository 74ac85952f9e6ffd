"""Tells where a clip begins to show something, where it fades in and out, and where another shot begins."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection

import cv2
import numpy as np

from motion324.core.clip import VideoClip, told_frames
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import Progress, silent
from motion324.video.optical_flow import DenseFlow, sample_image

_LOOKED_AT_SIDE = 160  # pixels
_BLANK = 16.0  # how far (0..255) the pixels of a frame that shows nothing lie from their median, codecs' noise included
# A frame fades in where it is the next one with less contrast; all such frames together have to lack a quarter of it.
_FADING_STEP, _FADED = 0.96, 0.75
_ALIKE = 0.9  # the correlation of frames that show the same, brighter or darker
# A cut leaves so much of the picture's contrast unexplained by any flow, and so many times what is usual around it; a
# pair of frames that differs hardly more than those around it is not looked at.
_CUT_UNEXPLAINED, _CUT_UNUSUAL, _CUT_AROUND, _CUT_SUSPECT = 0.2, 3.0, 3, 1.25
# One shot dissolves into another within so many frames, or about as many. The middle one is then nearly the mean of
# both ends: it differs from that by less than this part of what these differ by.
_DISSOLVES, _MIXED = (4, 8, 16, 32), 0.25


def from_first_picture(clip: VideoClip) -> VideoClip:
    """The clip without the frames at its start that show nothing but one colour, and with a warning that names them.

    Where nothing at all is to be seen, or only in the last frame, it stays as it is.
    """
    if not blank_frames(dataclasses.replace(clip, frames=clip.frames[:1], alpha=_first(clip.alpha))).any():
        return clip
    count = first_picture(blank_frames(clip))
    if not count or count > len(clip.frames) - 2:
        return clip
    return without_start(clip, count)


def _first(alpha: np.ndarray | None) -> np.ndarray | None:
    return None if alpha is None else alpha[:1]


def first_picture(blank: np.ndarray) -> int:
    """How many of blank (T,) bool are true before the first that is not."""
    return len(blank) if blank.all() else int(np.argmin(blank))


def without_start(clip: VideoClip, count: int) -> VideoClip:
    """The clip without its first `count` frames, in which no object is to be seen, and with a warning that says so."""
    return dataclasses.replace(
        clip,
        frames=clip.frames[count:],
        frame_numbers=clip.frame_numbers[count:],
        alpha=None if clip.alpha is None else clip.alpha[count:],
        warnings=(*clip.warnings, begins_later(clip.frame_numbers[:count], int(clip.frame_numbers[count]), clip.name)),
    )


def begins_later(without: np.ndarray, first: int, name: str) -> dict[str, str]:
    """The warning {"code", "sentence"} that frames `without` (K,) show no object, and that `first` is the first one."""
    sentence = (
        f"{told_frames(without).capitalize()} of '{name}' {'shows' if len(without) == 1 else 'show'} no object; frame "
        f"{first} is taken as the first one, in which the mesh is as it is. Use --frames {first}: or a later one to "
        "choose it yourself."
    )
    return {"code": "first-frame-without-object", "sentence": sentence}


def shot_warnings(clip: VideoClip, progress: Progress = silent) -> tuple[dict[str, str], ...]:
    """{"code", "sentence"} for frames of one colour, for a clip that fades in or out, for cuts and dissolves."""
    reduced = _reduced_frames(clip.frames, lambda done: progress("foreground", len(clip.frames), len(clip.frames)))
    small = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in reduced])
    blank, numbers = _blank(reduced, clip.alpha), clip.frame_numbers
    warnings = []
    if blank.any() and not blank.all():
        index = int(np.argmax(blank))
        remedy = f"--frames :{numbers[index]}" if index > 1 else f"--frames {numbers[index + 1]}:"
        sentence = (
            f"{told_frames(numbers[blank]).capitalize()} of '{clip.name}' {_are(blank)} of one colour; the motion "
            f"is guessed there. Use {remedy} to leave them out."
        )
        warnings.append({"code": "frames-blank", "sentence": sentence})
    fading = fading_frames(small)
    if fading:
        sentence = (
            f"{told_frames(numbers[:fading]).capitalize()} of '{clip.name}' {'fades' if fading == 1 else 'fade'} in, "
            f"and the first one is what the mesh is fitted to. Use --frames {numbers[fading]}: to start after them."
        )
        warnings.append({"code": "fades-in", "sentence": sentence})
    cuts = [index for index in cut_frames(small, progress) if not (blank[index] or blank[index - 1])]
    if cuts:
        starts = numbers[np.array(cuts)]
        sentence = (
            f"The picture jumps in {told_frames(starts)} of '{clip.name}', as where another shot begins, and so does "
            f"the motion. Use one shot alone, such as --frames :{starts[0]} or --frames {starts[-1]}:."
        )
        warnings.append({"code": "cut", "sentence": sentence})
    mixed = dissolving_frames(small, cuts, progress)
    if len(mixed):
        sentence = (
            f"One shot dissolves into another in {told_frames(numbers[mixed])} of '{clip.name}', and so does the "
            f"motion. Use one shot alone, such as --frames :{numbers[mixed[0]]} or --frames {numbers[mixed[-1]] + 1}:."
        )
        warnings.append({"code": "dissolve", "sentence": sentence})
    fading = fading_frames(small[: len(blank) - int(np.argmin(blank[::-1]))][::-1])
    if fading:
        out = np.flatnonzero(~blank)[-fading:]
        sentence = (
            f"{told_frames(numbers[out]).capitalize()} of '{clip.name}' {'fades' if fading == 1 else 'fade'} out; the "
            f"motion is guessed there. Use --frames :{numbers[out[0]]} to leave them out."
        )
        warnings.append({"code": "fades-out", "sentence": sentence})
    return tuple(warnings)


def blank_frames(clip: VideoClip) -> np.ndarray:
    """(T,) bool: which frames have one colour all over, also in their alpha channel."""
    return _blank(_reduced_frames(clip.frames, lambda done: None), clip.alpha)


def _blank(reduced: list[np.ndarray], alpha: np.ndarray | None) -> np.ndarray:
    """As blank_frames. reduced: the clip's frames."""
    blank = np.array([_is_uniform(image) for image in reduced])
    if alpha is not None:
        blank &= np.array([_is_uniform(_reduced(each)[..., None]) for each in alpha])
    return blank


def fading_frames(small: np.ndarray) -> int:
    """How many frames of small (T, h, w) uint8, from the first one on, are those after them with less contrast."""
    deviations = np.array([each.astype(np.float32).std() for each in small])
    count = 0
    while count + 1 < len(small) and deviations[count] < _FADING_STEP * deviations[count + 1]:
        if deviations[count] < 0.5 or _correlation(small[count], small[count + 1]) < _ALIKE:
            break
        count += 1
    return count if count and deviations[0] < _FADED * deviations[count] else 0


def cut_frames(small: np.ndarray, progress: Progress = silent) -> list[int]:
    """The indices in small (T, h, w) uint8 at which another shot begins.

    There, unlike between the frames around, no motion makes one frame out of the other.
    """
    if len(small) < 4:
        return []
    change = np.array([_difference(a, b) for a, b in itertools.pairwise(small)])
    unexplained: dict[int, float] = {}
    flow = DenseFlow()

    def left(pair: int) -> float:
        if pair not in unexplained:
            progress("foreground", len(small), len(small))
            unexplained[pair] = _unexplained(flow, small[pair], small[pair + 1])
        return unexplained[pair]

    cuts = []
    for pair in range(len(change)):
        low, high = max(0, pair - _CUT_AROUND), min(len(change), pair + _CUT_AROUND + 1)
        around = [other for other in range(low, high) if other != pair]
        contrast = max(1.0, min(_contrast(small[pair]), _contrast(small[pair + 1])))
        if change[pair] < max(_CUT_SUSPECT * np.median(change[around]), _CUT_UNEXPLAINED * contrast):
            continue
        if _correlation(small[pair], small[pair + 1]) > _ALIKE:
            continue
        if left(pair) > _CUT_UNEXPLAINED * contrast and all(left(pair) > _CUT_UNUSUAL * left(k) for k in around):
            cuts.append(pair + 1)
    return cuts


def dissolving_frames(small: np.ndarray, cuts: Collection[int] = (), progress: Progress = silent) -> np.ndarray:
    """(K,) the indices in small (T, h, w) uint8 of the frames that mix two shots. cuts: as `cut_frames` has them.

    Looked at are stretches of several lengths; of those that are found, the shortest tell where it is.
    """
    flow = DenseFlow()
    for length in _DISSOLVES:
        mixed = np.zeros(len(small), bool)
        for start in range(len(small) - length):
            progress("foreground", len(small), len(small))
            if any(start < cut <= start + length for cut in cuts):
                continue
            first, middle, last = small[start], small[start + length // 2], small[start + length]
            contrast = max(1.0, min(_contrast(first), _contrast(last)))
            difference = _difference(first, last)
            if difference < 2 * _CUT_UNEXPLAINED * contrast or _correlation(first, last) > _ALIKE:
                continue
            if _difference(middle, cv2.addWeighted(first, 0.5, last, 0.5, 0)) > _MIXED * difference:
                continue
            if _unexplained(flow, first, last) > _CUT_UNEXPLAINED * contrast:
                mixed[start + 1 : start + length] = True
        if mixed.any():
            return np.flatnonzero(mixed)
    return np.empty(0, int)


def _reduced_frames(frames: np.ndarray, tell: Callable[[int], None]) -> list[np.ndarray]:
    """frames (T, H, W, 3) uint8 -> the same smaller, the longer side at most _LOOKED_AT_SIDE. tell: often called."""
    reduced: list[np.ndarray] = [frames[0]] * len(frames)

    def reduce(index: int) -> None:
        reduced[index] = _reduced(frames[index])

    side_by_side(len(frames), reduce, tell)
    return reduced


def _reduced(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(1.0, _LOOKED_AT_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _is_uniform(image: np.ndarray) -> bool:
    """image (h, w, C) uint8."""
    colours = np.ascontiguousarray(image.reshape(-1, image.shape[2]).T)
    if (np.ptp(colours, axis=1) > 2 * _BLANK).any():  # so both ends cannot lie near the median
        return False
    return bool(np.abs(colours - np.median(colours, axis=1, keepdims=True)).max() <= _BLANK)


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(cv2.absdiff(first, second).mean())


def _contrast(image: np.ndarray) -> float:
    return float(np.abs(image.astype(np.float32) - image.mean()).mean())


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    ones, others = (image.ravel() - image.mean() for image in (first, second))
    return float(ones @ others / max(1e-6, float(np.linalg.norm(ones) * np.linalg.norm(others))))


def _unexplained(flow: DenseFlow, first: np.ndarray, second: np.ndarray) -> float:
    """The mean difference that is left when one picture is moved onto the other, the smaller one of both ways."""
    height, width = first.shape
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2) + np.float32(0.5)
    lefts = []
    for one, other in ((first, second), (second, first)):
        moved = sample_image(other, (places + flow.between(one, other)).reshape(-1, 2)).reshape(height, width)
        lefts.append(_difference(moved, one))
    return min(lefts)


def _are(chosen: np.ndarray) -> str:
    return "is" if chosen.sum() == 1 else "are"
