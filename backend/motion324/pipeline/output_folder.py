"""Writes a folder of results that get there all together, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.exclusive_use import Hold
from motion324.core.files.owned_folder import UNFINISHED, OwnedFolder, remove_abandoned
from motion324.core.files.write_aside import explained_write_errors

_PROBE_BYTES = 1 << 12


class OutputFolder:
    """Use it as a context: write files into `staging`; when the block ends well, they move into `path`.

    When the block fails, nothing of it stays: neither files nor folders that it made. Files of an earlier run are
    replaced one by one, each in one step; what a run left that was killed is removed. Entering it proves that the
    folder can be written to, so that this is known before the work, not after it, and keeps other runs out. Raises
    Motion324Error("cannot-write", "disk-full", "in-use").
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.staging = self.path
        self._owned: OwnedFolder | None = None
        self._hold = Hold(self.path, "output folder")

    def __enter__(self) -> OutputFolder:
        self._hold.__enter__()
        try:
            with explained_write_errors(self.path):
                remove_abandoned(UNFINISHED, self.path)
                self._owned = OwnedFolder(UNFINISHED, self.path)
                self.staging = self._owned.path
                probe = self.staging / "probe"
                probe.write_bytes(bytes(_PROBE_BYTES))
                probe.unlink()
        except BaseException:
            self._remove()
            raise
        return self

    def check_space(self, needed: int) -> None:
        """Raises Motion324Error("disk-full") where the disk has less than `needed` bytes free."""
        free = shutil.disk_usage(self.staging).free
        if free < needed:
            raise Motion324Error(
                "disk-full",
                f"The disk of '{self.path}' has {free / 1e6:.0f} MB free, but the results need {needed / 1e6:.0f} MB.",
                "Free some space, choose a folder on another disk, or use fewer frames.",
                EXIT_CANNOT_WRITE,
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with explained_write_errors(self.path):
                    for file in sorted(self.staging.iterdir()):
                        file.replace(self.path / file.name)
        finally:
            self._remove()

    def _remove(self) -> None:
        if self._owned is not None:
            self._owned.remove()
        self._hold.release()
