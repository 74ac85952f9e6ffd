"""Tells whether a file is still the one that something was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def file_state(path: Path) -> dict[str, Any]:
    """Where a file lies, how large it is, and when it was changed; for a folder, of the files in it."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        states = [file.stat() for file in files]
    except OSError:
        return {"path": str(path.resolve())}
    return {
        "path": str(path.resolve()),
        "files": len(files),
        "bytes": sum(state.st_size for state in states),
        "changed": max((state.st_mtime_ns for state in states), default=0),
    }
