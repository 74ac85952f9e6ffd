"""Reads a video file: its frames one after another, with the time at which each is shown.

FFmpeg's decoders read the frames, through PyAV.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging
from av.video.reformatter import VideoReformatter

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.video.containers import codec_tag, is_whole_avi
from motion324.video.picture import Orientation, Picture, VideoPicture

log = logging.getLogger(__name__)
av.logging.set_level(None)  # what a damaged file lacks is told once, by us

_PACKETS_BETWEEN_TICKS = 500
_SHORTER, _SHORTER_PART = 0.5, 0.02  # by so many seconds, or so much of it, may a file be shorter than it says
MOST_PIXELS = 2**27  # of one picture: four times as many as 8K has
_THREADS = 8  # at most; each holds a frame or two
_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders of these drop alpha
_CONVERT = "Convert it to MP4 with H.264, for instance by `ffmpeg -i VIDEO -c:v libx264 -pix_fmt yuv420p new.mp4`."


@dataclass(frozen=True)
class Frame:
    """time: when it is shown, in seconds after the stream's beginning; NaN where the file does not say."""

    time: float
    picture: Picture


class VideoReader:
    """A video before its first frame; a context that closes the file.

    fps: frames per second on average, as the file says, or 0. promised: how many frames it says it has, or 0.
    promised_by_all: whether that only follows from how long the whole file lasts, sound included.
    undecodable: how many packets could not be decoded so far.
    interlaced, hdr: whether a frame that was read so far is interlaced; by which transfer function it is HDR, or "".
    Raises Motion324Error("video-unreadable") where nothing can be decoded, with the codec's name where that is why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.interlaced = False
        self.undecodable = 0
        self._waiting: Frame | None = None
        self.hdr = ""
        try:
            self._container = _opened(path)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            log.info("%s cannot be opened: %s", path, error)
            raise _unreadable(path, "it is no video that is known, or its beginning or its index is missing") from error
        try:
            self._open_stream()
        except BaseException:
            self._container.close()
            raise

    def _open_stream(self) -> None:
        streams = [s for s in self._container.streams.video if not s.disposition & s.disposition.attached_pic]
        if not streams:
            raise _unreadable(self.path, "it has no pictures, only sound or data")
        # Stills are posters and thumbnails, also before the video itself.
        self._stream: Any = next((stream for stream in streams if not _is_still(stream)), streams[0])
        context = self._stream.codec_context
        if context is None:
            raise _unknown_codec(self.path, codec_tag(self.path))
        check_pixels(self.path, context.width, context.height)
        self._decoder: Any = context
        other = _WITH_ALPHA.get(context.name) if self._stream.metadata.get("alpha_mode") == "1" else None
        if other in av.codecs_available:
            self._decoder = av.CodecContext.create(other, "r")
            self._decoder.extradata = context.extradata
        self._decoder.thread_type = "AUTO"
        self._decoder.thread_count = min(_THREADS, os.cpu_count() or 1)
        self.fps = float(self._stream.guessed_rate or self._stream.average_rate or 0)
        self.promised = int(self._stream.frames or 0)
        self.promised_by_all = False
        self._leave_out_dropped()
        if not self.promised and self._container.duration and self.fps:
            self.promised = int(self._container.duration / av.time_base * self.fps + 0.5)
            # Some programs count a Matroska's length from 0 where it begins later.
            self.promised_by_all = len(self._container.streams) > 1 or self._begins_late
        self._base = self._stream.time_base or Fraction(1, 1000)
        self._start = float((self._stream.start_time or 0) * self._base)
        self._reformatter = VideoReformatter()
        self._turned: tuple[float, Orientation] | None = None
        self._frames = self._decoded()
        self._waiting = self.next()
        if self._waiting is None:
            raise _unknown_codec(self.path, context.name)

    @property
    def _begins_late(self) -> bool:
        return "matroska" in self._container.format.name and (self._container.start_time or 0) > 0

    def _leave_out_dropped(self) -> None:
        """An AVI counts frames that its recorder has dropped, too, for which it holds nothing but their time."""
        if self.promised and self._container.format.name == "avi" and is_whole_avi(self.path):
            held = len(getattr(self._stream, "index_entries", ()))  # older versions of PyAV tell none
            if 0 < held < self.promised:
                self.fps *= held / self.promised
                self.promised = held

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._frames.close()
        self._container.close()

    def next(self) -> Frame | None:
        """The next frame in the order in which they are shown; None at the end, or where the file breaks off."""
        waiting, self._waiting = self._waiting, None
        return waiting or next(self._frames, None)

    def frames_by_times(self, tick: Callable[[], None]) -> int:
        """How many frames there are by the times of this stream alone, without decoding them, where the file is as long
        as it says; else `promised`, of which the rest is missing. Reads the file to its end. tick: called often.
        """
        first, last, end = math.inf, -math.inf, 0.0
        try:
            with _opened(self.path) as container:
                for number, packet in enumerate(container.demux()):
                    if number % _PACKETS_BETWEEN_TICKS == 0:
                        tick()
                    if packet.pts is None or packet.time_base is None:
                        continue
                    moment = float(packet.pts * packet.time_base)
                    end = max(end, moment + float((packet.duration or 0) * packet.time_base))
                    if packet.stream.index == self._stream.index:
                        first, last = min(first, moment), max(last, moment)
        except (av.error.FFmpegError, OSError) as error:
            log.info("%s breaks off: %s", self.path, error)
        whole = (self._container.duration or 0) / av.time_base
        lasts = end if self._begins_late else end - (self._container.start_time or 0) / av.time_base
        if not first <= last or lasts < whole - max(_SHORTER, _SHORTER_PART * whole):
            return self.promised
        return round((last - first) * self.fps) + 1

    def seek(self, number: int) -> None:
        """Lets `next` go on with frame `number`, counted by the mean rate where frames are not evenly spaced."""
        moment = number / self.fps if self.fps else 0.0
        half = 0.5 / self.fps if self.fps else 0.0
        found = self._first_from(moment, moment - half)
        if found is not None and found.time > moment + half and moment > 0:  # it has sought too far: all the way
            found = self._first_from(0.0, moment - half)
        self._waiting = found

    def _first_from(self, beginning: float, moment: float) -> Frame | None:
        """Decodes from a key frame before `beginning` to the first frame that is not shown before `moment`."""
        self._frames.close()
        try:
            self._container.seek(int((self._start + beginning) / self._base), stream=self._stream)
        except (av.error.FFmpegError, OSError) as error:
            log.info("%s: no place can be sought: %s", self.path, error)
            return None
        self._decoder.flush_buffers()
        self._frames = self._decoded()
        return next((frame for frame in self._frames if not frame.time < moment), None)

    def _decoded(self) -> Generator[Frame, None, None]:
        """What cannot be decoded is left out; where the file itself breaks off it ends."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = self._decoder.decode(packet if packet.size else None)
                except av.error.EOFError:
                    return
                except av.error.FFmpegError as error:
                    self.undecodable += 1
                    log.debug("%s: a frame cannot be decoded: %s", self.path, error)
                    continue
                for frame in frames:
                    yield self._as_frame(frame)
        except (av.error.FFmpegError, OSError) as error:
            log.info("%s breaks off: %s", self.path, error)

    def _as_frame(self, frame: Any) -> Frame:
        time = math.nan if frame.pts is None else float(frame.pts * (frame.time_base or self._base)) - self._start
        aspect = float(self._stream.sample_aspect_ratio or 1)
        if self._turned is None or self._turned[0] != frame.rotation:
            # Once for all: a frame whose side data was looked at refers to itself, and stays until Python cleans up.
            self._turned = frame.rotation, Orientation.of(frame)
        picture = VideoPicture(frame, aspect if 0.05 < aspect < 20 else 1.0, self._turned[1], self._reformatter)
        self.interlaced = self.interlaced or picture.is_interlaced
        self.hdr = self.hdr or picture.hdr
        return Frame(time, picture)

    def warnings(self) -> tuple[dict[str, str], ...]:
        """Of what kind the frames are that have been read so far, where people should know."""
        found = []
        if self.interlaced:
            sentence = (
                f"The video '{self.path.name}' is interlaced; of every frame the first field is used, with half of the "
                "lines. Deinterlace it for more."
            )
            found.append({"code": "video-interlaced", "sentence": sentence})
        if self.hdr:
            sentence = (
                f"The video '{self.path.name}' is HDR ({self.hdr}); its colours are brought into the range of ordinary "
                "videos, and may look different from what your player shows."
            )
            found.append({"code": "video-hdr", "sentence": sentence})
        return tuple(found)


def _opened(path: Path) -> Any:
    """A playlist may name files, but no address."""
    return av.open(str(path), options={"protocol_whitelist": "file"})


def _is_still(stream: Any) -> bool:
    """Whether a stream says that it has one picture."""
    if stream.frames:
        return bool(stream.frames == 1)
    hours, _, rest = str(stream.metadata.get("DURATION", "")).partition(":")  # as Matroska has it: 00:00:00.040000000
    minutes, _, seconds = rest.partition(":")
    try:
        lasts = 3600 * float(hours) + 60 * float(minutes) + float(seconds)
    except ValueError:
        return False
    return 0 < lasts * float(stream.average_rate or 0) < 1.5


def bad_video(code: str, sentence: str, hint: str = "") -> Motion324Error:
    return Motion324Error(code, sentence, hint, EXIT_BAD_VIDEO)


def check_pixels(path: Path, width: int, height: int) -> None:
    """Raises Motion324Error("video-unreadable") where one picture has more than any camera's."""
    if width * height > MOST_PIXELS:
        raise too_many_pixels(path)


def too_many_pixels(path: Path) -> Motion324Error:
    """The error of a picture that would take more memory than there is for it."""
    sentence = f"A picture of '{path}' has more than {MOST_PIXELS:,} pixels, the most that are read."
    return bad_video("video-unreadable", sentence, "Make it smaller.")


def _unreadable(path: Path, why: str) -> Motion324Error:
    return bad_video(
        "video-unreadable",
        f"The file '{path}' cannot be read as a video: {why}.",
        "Check that it is complete; MP4 with H.264 is read everywhere.",
    )


def _unknown_codec(path: Path, codec: str) -> Motion324Error:
    named = f"its codec is '{codec}'" if codec else "its codec is not known"
    return bad_video(
        "video-unreadable",
        f"No frame of the video '{path}' can be decoded; {named}.",
        f"{_CONVERT} If that fails, too, the file is damaged.",
    )
