"""One frame of a video, small: `python -m motion324.video.thumbnail VIDEO NUMBER` writes it to the standard output.

For a panel in which the first frame is chosen. What comes is a line "WIDTH HEIGHT", then RGBA bytes, the top row first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.image_files import images_in
from motion324.video.source import bad_video, open_capture, read_image

LARGEST = 256  # pixels of the longer side


def thumbnail(video: Path, number: int) -> np.ndarray:
    """Frame `number`, from 0, of a video or of a folder of images -> (H, W, 4) uint8 RGBA.

    Raises Motion324Error("video-missing", "video-unreadable", "frames-outside-video").
    """
    if not video.exists():
        raise bad_video("video-missing", f"The video '{video}' does not exist.", "Check the path.")
    image = _of_folder(video, number) if video.is_dir() else _of_file(video, number)
    height, width = image.shape[:2]
    scale = min(1.0, LARGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small if small.shape[2] == 4 else cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)


def _of_folder(folder: Path, number: int) -> np.ndarray:
    images = images_in(folder)
    if not 0 <= number < len(images):
        raise _outside(folder, number)
    return read_image(images[number])


def _of_file(video: Path, number: int) -> np.ndarray:
    capture = open_capture(video)
    try:
        if number:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        decoded, image = capture.read()
    finally:
        capture.release()
    if not decoded:
        raise _outside(video, number)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _outside(video: Path, number: int) -> Motion324Error:
    return bad_video("frames-outside-video", f"'{video}' has no frame {number}.", "Choose an earlier one.")


def main(arguments: list[str]) -> int:
    """The exit code; errors become one sentence on stderr."""
    if len(arguments) != 2 or not arguments[1].isdigit():
        print("usage: python -m motion324.video.thumbnail VIDEO NUMBER", file=sys.stderr)
        return EXIT_USAGE
    try:
        picture = thumbnail(Path(arguments[0]), int(arguments[1]))
    except Motion324Error as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    height, width = picture.shape[:2]
    sys.stdout.buffer.write(f"{width} {height}\n".encode() + picture.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
