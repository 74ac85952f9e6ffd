"""Shows the first frame to the search for the view: as large as the file has it, where the object is small."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from motion324.core.clip import VideoClip
from motion324.core.progress import Progress
from motion324.video.decoding import read_frames

_SMALL = 160  # pixels of the object's longer side; more of them say no more about the view


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
