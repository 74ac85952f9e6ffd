"""Reads a few frames of a video, spread over the range that is used: enough to judge it by, in seconds also for long
ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.progress import Progress
from motion324.video.animated_image import FrameReader, open_video
from motion324.video.containers import ends_inside_a_box, is_boxed
from motion324.video.picture import Picture, StillPicture
from motion324.video.reader import Frame, bad_video
from motion324.video.source import (
    FrameRange,
    Source,
    in_range,
    kept_count,
    lower_rate,
    number_of,
    open_range,
    read_image,
    reduced_size,
    stacked_alpha,
)

log = logging.getLogger(__name__)

NEIGHBOURS = 2  # frames right after the first one, which tell what moves there
WALK_SECONDS = 3.0  # for going frame by frame to the first one, which is exact in every file; then it is sought
SPREAD_SECONDS = 5.0  # for the other frames; those that are not there by then are left out
SHORT_WAY = 8  # frames; a gap of so many is decoded through, which costs less than a search for a key frame
TICK = 0.1


@dataclass(frozen=True)
class VideoSample:
    """clip: the frames that were looked at, the first used one first, at the size at which the whole would be read.

    frame_count: of the whole video, as the file says. used: how many of them the range takes.
    size: (width, height) of the video's own picture. fps: of the file, whatever the range's step is.
    """

    clip: VideoClip
    frame_count: int
    used: int
    size: tuple[int, int]
    fps: float


def sample_video(
    path: Path, frames: FrameRange, most: int, progress: Progress, rate: float | None = None
) -> VideoSample:
    """At most `most` frames of those that motion324.video.decoding.read_video would take, the first one among them.

    Raises what read_video raises; a video of a single frame is no error here.
    """
    source, wanted = open_range(path, frames, lambda: progress("read", 0, 0))
    lower = lower_rate(source, wanted, rate)
    used = kept_count(source, wanted, lower)
    numbers = [number_of(int(index), source, wanted, lower) for index in spread_indices(used, most)]
    progress("read", 0, len(numbers))  # also where all is found before the first look at how far it is
    search = _Search(source, numbers, used)
    search.wait(progress)
    if wanted.first not in search.found:
        raise bad_video(
            "frames-outside-video",
            f"No frame of the video '{path}' can be decoded{in_range(frames)}.",
            "Choose frames between 0 and the last one, or check that the file is complete.",
        )
    found = dict(sorted(search.found.items()))
    colours = np.stack([colour for colour, _ in found.values()])
    alphas = {index: alpha for index, (_, alpha) in enumerate(found.values()) if alpha is not None}
    clip = VideoClip(
        frames=colours,
        fps=lower or source.fps / wanted.step,
        frame_numbers=np.array(list(found), dtype=np.int64),
        alpha=stacked_alpha(alphas, colours.shape[:3]),
        name=source.path.name,
        warnings=_warnings(source, search),
    )
    return VideoSample(clip, source.count, used, search.size, source.fps)


def sample_clip(clip: VideoClip, most: int) -> VideoSample:
    """The same of frames that are in memory already, all of which are used."""
    count = len(clip.frames)
    chosen = np.sort(spread_indices(count, most))
    few = VideoClip(
        frames=clip.frames[chosen],
        fps=clip.fps,
        frame_numbers=clip.frame_numbers[chosen],
        alpha=None if clip.alpha is None else clip.alpha[chosen],
        name=clip.name,
        warnings=clip.warnings,
    )
    return VideoSample(few, count, count, (clip.frames.shape[2], clip.frames.shape[1]), clip.fps)


def spread_indices(count: int, most: int) -> np.ndarray:
    """(K,) distinct indices of 0 .. count - 1, K <= most: the first, its neighbours, then others from coarse to fine.

    However early such a list is cut off, its frames are spread over the whole range.
    """
    if count <= most:
        return np.arange(count)
    near = range(min(1 + NEIGHBOURS, most))
    far = np.linspace(count - 1, len(near), most - len(near)).round().astype(int)
    order = sorted(range(len(far)), key=lambda k: -_halvings(k, len(far)))
    return np.array([*near, *far[order]])


def _halvings(k: int, count: int) -> int:
    """How often 2 divides k; 0 counts as the most."""
    return (k & -k).bit_length() if k else count.bit_length() + 1


class _Search:
    """Looks for frames on a thread of its own, since a search in a file of few key frames cannot be interrupted.

    used: of how many frames they are a sample. found: colours and alpha by number, at the size at which so many would
    be read. size: (width, height) of the first picture itself. wanted: how many it looks for. missing: whether some of
    them are not there. told: warnings about the file's kind.
    """

    def __init__(self, source: Source, numbers: list[int], used: int) -> None:
        self.found: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
        self.size = (0, 0)
        self.told: tuple[dict[str, str], ...] = ()
        self.wanted = len(numbers)
        self.missing = False
        self._source = source
        self._numbers = numbers
        self._used = used
        self._error: BaseException | None = None
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)

    def wait(self, progress: Progress) -> None:
        """Until all are found, or the first one is and the time is over. Lets pass what `progress` raises."""
        self._thread.start()
        first_at: float | None = None
        try:
            while self._thread.is_alive():
                found = len(self.found)
                progress("read", found, len(self._numbers))
                first_at = first_at or (time.monotonic() if found else None)
                if first_at and time.monotonic() - first_at > SPREAD_SECONDS:
                    log.info("%s: %d of %d frames are looked at", self._source.path, found, len(self._numbers))
                    break
                self._thread.join(TICK)
        finally:
            self._enough.set()
        if self._error:
            raise self._error
        self.found = dict(self.found)  # the thread may still add to its own

    def _run(self) -> None:
        found = self.found
        try:
            for number, picture in self._pictures():
                if not found:
                    self.size = picture.size
                found[number] = picture.at(reduced_size(*self.size, self._used))
                if self._enough.is_set():
                    return
            self.missing = len(found) < len(self._numbers)
        except BaseException as error:
            self._error = error

    def _pictures(self) -> Iterator[tuple[int, Picture]]:
        if self._source.images:
            for number in self._numbers:
                yield number, StillPicture(read_image(self._source.images[number]))
            return
        with open_video(self._source.path) as reader:
            position = 0  # of the frame that comes next
            for index, number in enumerate(self._numbers):
                frame = self._go_to(reader, position, number, patient=index == 0)
                self.told = reader.warnings()
                if frame is not None:
                    yield number, frame.picture
                elif index == 0:
                    return
                position = number + 1

    def _go_to(self, reader: FrameReader, position: int, number: int, patient: bool) -> Frame | None:
        """Frame `number`, whatever the reader has given before; None where there is none."""
        deadline = time.monotonic() + WALK_SECONDS
        if position <= number and (patient or number - position <= SHORT_WAY):
            while time.monotonic() < deadline and not self._enough.is_set():
                frame = reader.next()
                if frame is None or position == number:
                    return frame
                position += 1
        if self._enough.is_set():
            return None
        reader.seek(number)
        return None if self._enough.is_set() else reader.next()


def _warnings(source: Source, search: _Search) -> tuple[dict[str, str], ...]:
    """Only of what is plain to see: headers are often off by a few frames, and so is the end of the range."""
    lacking = search.missing and len(search.found) <= search.wanted / 2
    if source.images or not (lacking or (is_boxed(source.path) and ends_inside_a_box(source.path))):
        return search.told
    sentence = (
        f"The video '{source.path}' is damaged or cut short: some of its {source.count} frames cannot be decoded."
    )
    return (*search.told, {"code": "video-cut-short", "sentence": sentence})
