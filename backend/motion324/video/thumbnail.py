"""Writes one frame of a video, small, to the standard output: `python -m motion324.video.thumbnail VIDEO NUMBER`.

For a panel in which the first frame is chosen. What comes is a line "WIDTH HEIGHT", then RGBA bytes, the top row first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.input_files import images_in
from motion324.video.animated_image import open_video
from motion324.video.picture import Picture, StillPicture
from motion324.video.reader import bad_video
from motion324.video.source import read_image

LARGEST = 256  # pixels of the longer side


def thumbnail(video: Path, number: int) -> np.ndarray:
    """Frame `number`, from 0, of a video or of a folder of images -> (H, W, 4) uint8 RGBA.

    Raises Motion324Error("video-missing", "video-unreadable", "frames-outside-video").
    """
    if not video.exists():
        raise bad_video("video-missing", f"The video '{video}' does not exist.", "Check the path.")
    if video.is_dir():
        return _small(_of_folder(video, number))
    with open_video(video) as reader:
        if number:
            reader.seek(number)
        frame = reader.next()
        if frame is None:
            raise _outside(video, number)
        return _small(frame.picture)


def _small(picture: Picture) -> np.ndarray:
    width, height = picture.size
    scale = min(1.0, LARGEST / max(height, width))
    colour, alpha = picture.at((max(1, round(width * scale)), max(1, round(height * scale))))
    opaque = np.full(colour.shape[:2], 255, np.uint8) if alpha is None else alpha
    return np.dstack([colour, opaque])


def _of_folder(folder: Path, number: int) -> Picture:
    images = images_in(folder)
    if not 0 <= number < len(images):
        raise _outside(folder, number)
    return StillPicture(read_image(images[number]))


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
