"""Says what is wrong with the input of a job, and what a job that does not fit the memory would have needed."""

from __future__ import annotations

import numpy as np

from motion324.core.errors import EXIT_BACKEND, EXIT_BAD_MESH, EXIT_BAD_VIDEO, Motion324Error

GIGABYTE = 1e9


def check_points(what: str, positions: np.ndarray, normals: np.ndarray, colours: np.ndarray) -> None:
    """Raises Motion324Error("points-...") where the arrays are not (N, 3) each, are empty, or hold NaN or infinity."""
    for name, array in (("positions", positions), ("normals", normals), ("colours", colours)):
        if array.ndim != 2 or array.shape[1] != 3 or len(array) != len(positions):
            raise _bad_points(
                "shape", f"The {name} of {what} have the shape {array.shape}, where ({len(positions)}, 3) is needed."
            )
        if len(array) == 0:
            raise _bad_points("empty", f"There are no points in {what}.")
        if not np.isfinite(array).all():
            raise _bad_points("not-finite", f"The {name} of {what} hold values that are no finite numbers.")


def check_video(video: np.ndarray) -> None:
    """Raises Motion324Error("frames-...") where the frames are not (T, H, W, 3) uint8, or finite floats."""
    if video.ndim != 4 or video.shape[3] != 3 or 0 in video.shape:
        raise _bad_frames("shape", f"The frames have the shape {video.shape}, where (T, H, W, 3) is needed.")
    if video.dtype != np.uint8 and not np.issubdtype(video.dtype, np.floating):
        raise _bad_frames("type", f"The frames are of type {video.dtype}, where uint8 or a float is needed.")
    if video.dtype != np.uint8 and not np.isfinite(video).all():
        raise _bad_frames("not-finite", "The frames hold values that are no finite numbers.")


def out_of_memory(device: str, needed: int, free: int | None, stage: str) -> Motion324Error:
    have = "" if free is None else f" and {free / GIGABYTE:.1f} GB are free"
    return Motion324Error(
        "out-of-memory",
        f"The motion transformer ran out of memory on {device} ({stage}): "
        f"it needs about {needed / GIGABYTE:.1f} GB{have}.",
        "Choose a smaller window (--window 64, say), close other programs that use the GPU, or use --device cpu.",
        EXIT_BACKEND,
    )


def _bad_points(kind: str, sentence: str) -> Motion324Error:
    return Motion324Error(f"points-{kind}", sentence, "Repair the mesh, then try again.", EXIT_BAD_MESH)


def _bad_frames(kind: str, sentence: str) -> Motion324Error:
    return Motion324Error(f"frames-{kind}", sentence, "Give another video.", EXIT_BAD_VIDEO)
