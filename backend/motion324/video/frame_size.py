"""At which size frames are kept, so that a long 4K video fits into memory, and which are too many for it."""

from __future__ import annotations

import math

import numpy as np

from motion324.video.source import Source, bad_video

# Frames are reduced while they are decoded, so that a long 4K video fits into memory: to LONGEST_SIDE pixels, and
# further where all of them together would take more than FRAME_BYTES, but never below SMALLEST_SIDE.
LONGEST_SIDE = 1024
SMALLEST_SIDE = 384
FRAME_BYTES = 320 * 2**20
MOST_BYTES = 2**31  # of frames that would still be too large at SMALLEST_SIDE: refused


def reduced_size(width: int, height: int, count: int) -> tuple[int, int]:
    """The (width, height) at which the frames of a clip of `count` of them are kept."""
    longest = max(width, height)
    fits = longest * math.sqrt(FRAME_BYTES / (3.0 * width * height * max(count, 1)))
    side = min(longest, LONGEST_SIDE, max(SMALLEST_SIDE, int(fits)))
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def check_length(source: Source, count: int, size: tuple[int, int]) -> None:
    """Whether so many frames of (width, height) are to be held. Raises Motion324Error("video-too-long")."""
    most = MOST_BYTES // (3 * size[0] * size[1])
    if count > most:
        raise bad_video(
            "video-too-long",
            f"The video '{source.path}' has {count} frames in the range, of which {most} fit into the memory meant for "
            f"them.",
            "Use a part of it (--frames) or fewer frames per second (--video-fps).",
        )


def stacked_alpha(alphas: dict[int, np.ndarray], shape: tuple[int, ...]) -> np.ndarray | None:
    """(T, H, W) uint8 out of masks by index; opaque where a frame has none, None where no frame has one."""
    if not alphas:
        return None
    stacked = np.full(shape, 255, np.uint8)
    for index, alpha in alphas.items():
        stacked[index] = alpha
    return stacked
