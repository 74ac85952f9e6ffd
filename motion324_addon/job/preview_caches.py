"""The point caches of a job's objects, written while frames come in. No bpy: for the worker thread."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from motion324.core.point_cache import Pc2Writer

from ..scene.reading.orientation import Share


class PreviewCaches:
    """One cache per object, each with its share of the job's vertices, in its own space."""

    def __init__(self, paths: Sequence[Path], shares: Sequence[Share]) -> None:
        """Raises Motion324Error("disk-full" or "cannot-write")."""
        self._shares = tuple(shares)
        with contextlib.ExitStack() as opened:
            self._writers = [
                opened.enter_context(Pc2Writer(path, share.count)) for path, share in zip(paths, shares, strict=True)
            ]
            self._open = opened.pop_all()  # from here on they stay open

    @property
    def frame_count(self) -> int:
        """How many frames, from the first on, all caches have."""
        return min(writer.frame_count for writer in self._writers)

    def write(self, indices: Sequence[int] | np.ndarray, positions: np.ndarray) -> None:
        """Puts positions (B, N, 3) of the job's whole mesh at the frames `indices` (B,).

        Raises Motion324Error("disk-full" or "cannot-write").
        """
        for writer, share in zip(self._writers, self._shares, strict=True):
            writer.write(indices, share.own(positions))

    def __enter__(self) -> PreviewCaches:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
