"""Point caches in the MDD format, for programs that read no PC2. No bpy.

The layout, all big-endian (as Blender's Mesh Cache modifier reads it, `MOD_meshcache_mdd.cc`):
int32 frames, int32 points, frames x float32 seconds, then frames x points x 3 float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion324.core.write_aside import explained_write_errors


def write_mdd(path: Path, frames: Iterable[np.ndarray], frame_count: int, point_count: int, fps: float) -> None:
    """Writes `frame_count` frames of positions (N, 3), the first at 0 seconds.

    Raises Motion324Error("disk-full" or "cannot-write"); ValueError where the frames are not as announced.
    """
    written = 0
    with explained_write_errors(path), path.open("wb") as file:
        file.write(np.array([frame_count, point_count], ">i4").tobytes())
        file.write((np.arange(frame_count) / fps).astype(">f4").tobytes())
        for positions in frames:
            if positions.shape != (point_count, 3):
                raise ValueError(f"positions {positions.shape} are not ({point_count}, 3)")
            file.write(positions.astype(">f4").tobytes())
            written += 1
    if written != frame_count:
        raise ValueError(f"{written} frames came, not {frame_count}")
