"""Finds how the camera moved, from the background: for each frame the map of its pixels to the first frame's.

Corners outside of the masks are followed from a key frame (Lucas and Kanade), and what most of them agree on (RANSAC)
is the camera's: a similarity, or a homography where that explains clearly more, as of a wide lens that turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from motion324.core.clip import VideoClip, told_frames
from motion324.core.files.frame_storage import Masks
from motion324.core.progress import Progress, silent
from motion324.video.foreground.coverage import disc

_WORKING_SIDE = 640  # pixels
_CORNERS, _CELLS = 400, 4  # of the picture; it is looked at in so many columns and rows
_WINDOW = (21, 21)
_AGREE = 1.5  # pixels of the working picture
# A homography is taken that explains this part of the corners more, or the same ones so much more exactly.
_HOMOGRAPHY_GAIN, _HOMOGRAPHY_MISS = 0.1, 0.6
# A frame's evidence: so many corners that agree, this part of all, in so many of the cells that the object leaves free.
_FEWEST, _CLEAR_SHARE, _ANY_SHARE, _CLEAR_CELLS = 24, 0.6, 0.3, 0.5
_RENEW = 0.7  # of a key frame's corners that have to be seen, else the frame before becomes the key frame
_OTHER_CONTRAST, _OTHER_BRIGHTNESS, _LARGEST_GAIN = 0.04, 4.0, 4.0  # as a part; in grey levels; times
_MOVES = 0.01  # of the picture's height: what stands still in the world moves by so much, or the camera is still
_STEP = 0.002  # the same, from one frame to the next


@dataclass(frozen=True)
class CameraMotion:
    """to_first (T, 3, 3) float64: homographies of each frame's pixels (x, y, 1) to the first frame's, in units of the
    frame's pixels, (0.5, 0.5) the middle of the first one; the identity where nothing was found.

    found (T,) bool: where it was found; clear (T,) bool: where most of the background agrees. shift (T,): how far a
    point of the background is from where the first frame shows it, at most, in parts of the picture's height; step (T,)
    the same from where the frame before shows it.
    """

    to_first: np.ndarray
    found: np.ndarray
    clear: np.ndarray
    shift: np.ndarray
    step: np.ndarray

    @property
    def moves(self) -> bool:
        """Whether the camera moves visibly; of a few frames alone it is not believed."""
        return bool((self.shift[self.found] > _MOVES).any() and self.found.mean() >= 0.5)

    @property
    def is_clear(self) -> bool:
        """Whether all of it is known for sure."""
        return bool(self.clear.all())

    @property
    def is_known(self) -> bool:
        """Whether all of it is known at least roughly."""
        return bool(self.found.all())

    def moving_frames(self) -> np.ndarray:
        """(K,) the indices of the frames before which it moves."""
        return np.flatnonzero(self.found & (self.step > _STEP))


def find_camera_motion(clip: VideoClip, masks: Masks, progress: Progress = silent) -> CameraMotion:
    """masks (T, H, W) in [0, 1]: where the object is, which does not tell of the camera."""
    count = len(clip.frames)
    height, width = clip.frames.shape[1:3]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    to_working = np.diag([size[0] / width, size[1] / height, 1.0])
    to_first = np.repeat(np.eye(3)[None], count, axis=0)
    found, clear = np.zeros(count, bool), np.zeros(count, bool)
    found[0] = clear[0] = True
    pairs = zip(clip.frames, masks, strict=True)
    for index, fit in enumerate(_fits(_evenly_lit(_working(frame, mask, size) for frame, mask in pairs)), 1):
        progress("foreground", count, count)
        to_first[index] = np.linalg.inv(to_working) @ fit.to_first @ to_working
        to_first[index] /= to_first[index][2, 2]
        found[index], clear[index] = True, fit.clear
    known = to_first[: int(found.sum())]  # all of those before the first gap
    steps = np.linalg.inv(known[:-1]) @ known[1:]
    step = np.zeros(count)
    step[1 : len(known)] = _shifts(steps / steps[:, 2:, 2:], height, width)
    return CameraMotion(to_first, found, clear, _shifts(to_first, height, width), step)


@dataclass(frozen=True)
class _Fit:
    """to_first (3, 3) of the working picture. clear: as CameraMotion has it."""

    to_first: np.ndarray
    clear: bool


@dataclass(frozen=True)
class _Key:
    """grey (h, w) uint8; corners (P, 2) float32 of its background, counted from the first pixel's middle; free: how
    many cells of the picture show background; to_first (3, 3)."""

    grey: np.ndarray
    corners: np.ndarray
    free: int
    to_first: np.ndarray


def _working(frame: np.ndarray, mask: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """-> grey (h, w) uint8 and background (h, w) uint8, 1 where the object is not near."""
    grey = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    solid = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0.1
    return grey, 1 - cv2.dilate(solid.view(np.uint8), disc(max(2, max(size) // 64)))


def _evenly_lit(pictures: Iterator[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same with the first one's brightness and contrast of the background, where they are clearly others, as when
    light flickers, a camera sets its exposure, or a shot fades: corners are followed by what is as bright as before."""
    usual: tuple[float, float] | None = None
    for grey, free in pictures:
        mean, contrast = (float(each[0, 0]) for each in cv2.meanStdDev(grey, mask=free))
        usual = usual or (mean, contrast)
        gain = usual[1] / max(contrast, 1e-6)
        if 1 / _LARGEST_GAIN < gain < _LARGEST_GAIN and (
            abs(gain - 1) > _OTHER_CONTRAST or abs(mean - usual[0]) > _OTHER_BRIGHTNESS
        ):
            grey = np.clip((grey - mean) * gain + usual[0], 0, 255).astype(np.uint8)
        yield grey, free


def _fits(pictures: Iterator[tuple[np.ndarray, np.ndarray]]) -> Iterator[_Fit]:
    """One for each picture but the first; it ends where the background does not tell any more."""
    before, background = next(pictures)
    key = _key(before, background, np.eye(3))
    if key is None:
        return
    places = key.corners
    for grey, free in pictures:
        expected = _followed(before, grey, places, places)[0]
        places, good = _followed(key.grey, grey, key.corners, expected)
        inside = np.clip(places.round().astype(int), 0, (grey.shape[1] - 1, grey.shape[0] - 1))
        good &= free[inside[:, 1], inside[:, 0]] > 0
        fit = _fit(key, places, good, grey.shape)
        if fit is None:
            return  # what comes after a gap cannot be joined to the first frame
        yield fit
        to_key = np.linalg.inv(key.to_first) @ fit.to_first
        carried = cv2.perspectiveTransform(key.corners[:, None], np.linalg.inv(to_key))[:, 0]
        places = np.where(good[:, None], places, carried).astype(np.float32)
        if good.sum() < _RENEW * len(key.corners):
            key = _key(grey, free, fit.to_first)
            if key is None:
                return
            places = key.corners
        before = grey


def _key(grey: np.ndarray, background: np.ndarray, to_first: np.ndarray) -> _Key | None:
    """None where the background has too few corners to follow."""
    height, width = grey.shape
    corners, free = [], 0
    for row in range(_CELLS):
        for column in range(_CELLS):  # each for itself, or the strongest corners would lie together
            part = (
                slice(row * height // _CELLS, (row + 1) * height // _CELLS),
                slice(column * width // _CELLS, (column + 1) * width // _CELLS),
            )
            free += bool(background[part].mean() > 0.25)
            most = _CORNERS // _CELLS**2
            found = cv2.goodFeaturesToTrack(grey[part], most, 0.02, 5, mask=background[part], useHarrisDetector=False)
            if found is not None:
                strong = cv2.cornerMinEigenVal(grey[part], 3)
                x, y = found[:, 0].astype(int).T
                kept = found[:, 0][strong[y, x] > 1e-4]
                corners.append(kept + np.array([part[1].start, part[0].start], np.float32))
    together = np.concatenate(corners) if corners else np.empty((0, 2), np.float32)
    return _Key(grey, together.astype(np.float32), free, to_first) if len(together) >= _FEWEST else None


def _followed(
    first: np.ndarray, second: np.ndarray, corners: np.ndarray, expected: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where corners (P, 2) of the first picture are in the second, near `expected`, and which of them return (P,)."""

    def follow(
        one: np.ndarray, other: np.ndarray, places: np.ndarray, near: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        where, known, _ = cv2.calcOpticalFlowPyrLK(
            one, other, places, near.copy(), winSize=_WINDOW, maxLevel=4, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        return where, known[:, 0] > 0

    there, seen = follow(first, second, corners, expected)
    back, returned = follow(second, first, there, corners)
    close = np.linalg.norm(back - corners, axis=1) < 0.7
    inside = ((there >= 0) & (there <= (first.shape[1] - 1, first.shape[0] - 1))).all(axis=1)
    return there, seen & returned & close & inside


def _fit(key: _Key, places: np.ndarray, good: np.ndarray, shape: tuple[int, ...]) -> _Fit | None:
    """The map from the places (P, 2), in the frame, of the key's corners to the first frame."""
    here, there = places[good] + np.float32(0.5), key.corners[good] + np.float32(0.5)
    if len(here) < _FEWEST:
        return None
    similarity, agree = cv2.estimateAffinePartial2D(here, there, ransacReprojThreshold=_AGREE, maxIters=2000)
    if similarity is None:
        return None
    found, agree = np.vstack([similarity, [0.0, 0.0, 1.0]]), agree[:, 0] > 0
    homography, others = cv2.findHomography(here, there, cv2.RANSAC, _AGREE, maxIters=2000)
    if homography is not None and (
        others.sum() > agree.sum() + _HOMOGRAPHY_GAIN * len(here)
        or _miss(homography, here[agree], there[agree]) < _HOMOGRAPHY_MISS * _miss(found, here[agree], there[agree])
    ):
        found, agree = homography, others[:, 0] > 0
    share = float(agree.mean())
    if share < _ANY_SHARE or agree.sum() < _FEWEST or not _is_plausible(found, shape):
        return None
    cells = (here[agree] * _CELLS / (shape[1], shape[0])).astype(int)
    covered = len({(x, y) for x, y in cells.tolist()})
    clear = share > _CLEAR_SHARE and covered >= _CLEAR_CELLS * max(key.free, _CELLS**2 // 2)
    return _Fit(key.to_first @ found, clear)


def _miss(homography: np.ndarray, here: np.ndarray, there: np.ndarray) -> float:
    """How far, in pixels, it leads the typical point astray."""
    return float(np.median(np.linalg.norm(cv2.perspectiveTransform(here[:, None], homography)[:, 0] - there, axis=1)))


def _is_plausible(homography: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether it leaves the picture a picture: neither mirrored nor squeezed, nor seen from behind."""
    height, width = shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], float)
    mapped = corners @ homography.T
    if (mapped[:, 2] < 0.2).any():
        return False
    outline = (mapped[:, :2] / mapped[:, 2:]).astype(np.float32)
    area = cv2.contourArea(outline, oriented=True) / (width * height)
    return bool(
        cv2.isContourConvex(outline)
        and 0.2 < abs(area) < 5
        and area * cv2.contourArea(corners[:, :2].astype(np.float32), oriented=True) > 0
    )


def _shifts(to_first: np.ndarray, height: int, width: int) -> np.ndarray:
    """(T,) how far a frame's points move at most on the way to the first frame, in parts of the height."""
    points = np.array([[x, y] for x in (0.1, 0.5, 0.9) for y in (0.1, 0.5, 0.9)]) * (width, height)
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ to_first.transpose(0, 2, 1)
    moved = homogeneous[..., :2] / homogeneous[..., 2:]
    return np.linalg.norm(moved - points, axis=2).max(axis=1) / height


def camera_remark(motion: CameraMotion, taken_off: bool, numbers: np.ndarray, name: str) -> tuple[dict[str, str], ...]:
    """What to tell about it: a warning {"code", "sentence"} where the camera moves; none where it stands still.

    numbers (T,): the frames' in the video.
    """
    if not motion.moves:
        return ()
    frames = numbers[motion.moving_frames()]
    how = f"The camera moves in {told_frames(frames)} of '{name}', by up to {motion.shift.max():.0%} of the picture"
    if taken_off:
        sentence = f"{how}; its motion, as the background shows it, is taken off. Use --camera still to leave it in."
        return ({"code": "camera-motion-removed", "sentence": sentence},)
    first, last = int(motion.moving_frames()[0]), int(motion.moving_frames()[-1])
    stands = f":{numbers[first]}" if first > len(numbers) - 1 - last else f"{numbers[last]}:"
    sentence = (
        f"{how}, which cannot be told for sure from the object's own motion and is left in. Use --camera moving to "
        f"take it off all the same, or frames in which it stands still, such as --frames {stands}."
    )
    return ({"code": "camera-moves", "sentence": sentence},)
