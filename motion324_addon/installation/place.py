"""The files and folders of the installed backend."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """folder: the extension's own for user files. The names below it are short, since paths on Windows are limited."""

    folder: Path

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.folder / "backend"

    @property
    def python(self) -> Path:
        """The environment's Python."""
        if sys.platform == "win32":
            return self.environment / "Scripts" / "python.exe"
        return self.environment / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Says what is installed; written last."""
        return self.environment / "motion324.json"

    @property
    def downloads(self) -> Path:
        """Wheels that were fetched, kept until they are installed."""
        return self.folder / "downloads"

    @property
    def log(self) -> Path:
        """Everything that the installation's programs printed."""
        return self.folder / "logs" / "installation.log"
