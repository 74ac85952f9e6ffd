"""The files that a request names, and how both ends tell whether they see the same ones. Standard library only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.image_files import images_in
from motion324.core.options import names_mask_files
from motion324.wire.job_requests import JobRequest

VIDEO, MASK = "video", "mask"  # the roles of a request's paths


@dataclass(frozen=True)
class NamedFiles:
    """What lies at one path of a request: a file, or the images of a folder.

    files: each with its size in bytes.
    """

    role: str
    path: Path
    is_folder: bool
    files: tuple[tuple[Path, int], ...]

    @property
    def size(self) -> int:
        return sum(size for _, size in self.files)


def files_of(request: JobRequest) -> list[NamedFiles]:
    """What this machine has of the paths in a request; paths that are not here are left out. Raises OSError."""
    return [_named(role, path) for role, path in paths_of(request).items() if path.exists()]


def paths_of(request: JobRequest) -> dict[str, Path]:
    """The absolute paths that a request names, by their roles."""
    paths = {}
    if isinstance(request.video, Path):
        paths[VIDEO] = request.video.absolute()
    if names_mask_files(request.options.mask):
        paths[MASK] = Path(request.options.mask).absolute()
    return paths


def check_all_are_here(request: JobRequest, found: list[NamedFiles]) -> None:
    """Raises Motion324Error("video-missing") where the video cannot be sent since it is not on this machine."""
    if isinstance(request.video, Path) and not any(named.role == VIDEO for named in found):
        raise Motion324Error(
            "video-missing", f"The video '{request.video}' does not exist.", "Check the path.", EXIT_BAD_VIDEO
        )


def fingerprint(path: Path) -> str:
    """The same text on two machines that see the same file or folder: from names, sizes and times of change.

    "" where there is nothing to read.
    """
    try:
        files = images_in(path) if path.is_dir() else [path]
        described = [(file.name, (found := file.stat()).st_size, found.st_mtime_ns) for file in files]
    except (OSError, ValueError):  # ValueError: a path that holds a zero byte
        return ""
    return hashlib.sha256(repr(described).encode()).hexdigest()


def _named(role: str, path: Path) -> NamedFiles:
    files = images_in(path) if path.is_dir() else [path]
    return NamedFiles(role, path, path.is_dir(), tuple((file, file.stat().st_size) for file in files))
