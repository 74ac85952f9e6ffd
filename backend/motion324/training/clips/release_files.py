"""Reads the files of training data, in folders or in tar shards that were made from them.

A shard is an ordinary, uncompressed tar file. The files of a clip lie in it one after the other, behind a member that
lists them, and index.json says where each clip begins: so that any file is read by one look-up, wherever it lies.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Protocol

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.files.write_aside import written_aside

INDEX = "index.json"
SHARDS_FORMAT = "motion324-shards-1"
BLOCK = tarfile.BLOCKSIZE  # every member has a header of one block and fills whole blocks
DEFAULT_SHARD_BYTES = 1 << 30
LOST_NAMED = 5
WHERE_DATA_ARE_SAID = (
    "Give the folder of pcds, images and the list with release.path, and the list's name with release.list."
)


class ClipFiles(Protocol):
    """Paths are relative and use "/"."""

    def names(self, clip: str, folder: str) -> list[str]:
        """Names of what lies in a folder of a clip, sorted; none where there is no such folder."""
        ...

    def read(self, clip: str, path: str) -> bytes:
        """Raises OSError where there is no such file."""
        ...

    def clip_list(self, name: str) -> list[str]:
        """The clips of a list file. Raises Motion324Error("training-data-missing")."""
        ...


class FolderFiles:
    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, clip: str, folder: str) -> list[str]:
        try:
            return sorted(path.name for path in (self.root / folder).iterdir())
        except OSError:
            return []

    def read(self, clip: str, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def clip_list(self, name: str) -> list[str]:
        return _read_list(self.root / name)


class ShardFiles:
    """Raises Motion324Error("training-data-missing") where the index is missing or broken."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            index = json.loads((root / INDEX).read_text(encoding="utf-8"))
            if index["format"] != SHARDS_FORMAT:
                raise ValueError(f"the format {index['format']}")
            self._shards: list[str] = index["shards"]
            self._places: dict[str, tuple[int, int]] = {clip: (at[0], at[1]) for clip, at in index["clips"].items()}
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise _missing(f"'{root / INDEX}' cannot be read as the index of shards ({error}).") from error
        self._clip = ""
        self._members: dict[str, tuple[int, int]] = {}
        self._folders: dict[str, list[str]] = {}

    def names(self, clip: str, folder: str) -> list[str]:
        self._turn_to(clip)
        return self._folders.get(folder, [])

    def read(self, clip: str, path: str) -> bytes:
        self._turn_to(clip)
        if path not in self._members:
            raise FileNotFoundError(f"no {path} in the shards of '{self.root}'")
        start, size = self._members[path]
        return self._read(clip, start, size)

    def clip_list(self, name: str) -> list[str]:
        return _read_list(self.root / name)

    def _turn_to(self, clip: str) -> None:
        """Reads the list of a clip's files. Raises OSError."""
        if clip == self._clip:
            return
        if clip not in self._places:
            raise FileNotFoundError(f"no clip {clip} in the shards of '{self.root}'")
        try:
            members = self._listed(clip)
        except (tarfile.TarError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise OSError(f"no list of its files lies in '{self.root}' where {INDEX} says ({error})") from error
        folders: dict[str, list[str]] = {}
        for path in sorted(members):
            while "/" in path:
                path, _, name = path.rpartition("/")
                inside = folders.setdefault(path, [])
                if name not in inside[-1:]:
                    inside.append(name)
        self._clip, self._members, self._folders = clip, members, folders

    def _listed(self, clip: str) -> dict[str, tuple[int, int]]:
        """Where each file of a clip begins in its shard, and its size."""
        start = self._places[clip][1]
        size = tarfile.TarInfo.frombuf(self._read(clip, start, BLOCK), "utf-8", "strict").size
        members = json.loads(self._read(clip, start + BLOCK, size))
        base = start + BLOCK + _padded(size)
        return {path: (base + int(at), int(length)) for path, (at, length) in members.items()}

    def _read(self, clip: str, start: int, size: int) -> bytes:
        with (self.root / self._shards[self._places[clip][0]]).open("rb") as file:
            if not 0 <= start <= start + size <= os.fstat(file.fileno()).st_size:
                raise OSError(f"the shard {file.name} ends too early")
            file.seek(start)
            return file.read(size)


def open_files(root: Path) -> ClipFiles:
    """Shards where the folder has an index of them. Raises Motion324Error("training-data-missing")."""
    if not root.is_dir():
        raise _missing(f"There is no folder '{root}'.")
    return ShardFiles(root) if (root / INDEX).is_file() else FolderFiles(root)


def pack(source: Path, target: Path, lists: list[str], shard_bytes: int = DEFAULT_SHARD_BYTES) -> list[Path]:
    """Writes shards of the clips that the lists name, with the lists and the index, and returns the shards.

    A new shard begins when the last one has reached shard_bytes. Raises Motion324Error("training-data-missing",
    "disk-full", "cannot-write"), the first of them also for clips without files.
    """
    files = FolderFiles(source)
    clips = list(dict.fromkeys(clip for name in lists for clip in files.clip_list(name)))
    lost = [clip for clip in clips if not all(folder.is_dir() for folder in _folders(source, clip))]
    if lost:
        named = ", ".join(lost[:LOST_NAMED]) + (", ..." if len(lost) > LOST_NAMED else "")
        raise _missing(
            f"{len(lost)} of the {len(clips)} listed clips have no folder in '{source}/pcds' or none in "
            f"'{source}/images': {named}.",
            "Fetch their files, or leave them out of the lists.",
        )
    target.mkdir(parents=True, exist_ok=True)
    shards: list[Path] = []
    places: dict[str, tuple[int, int]] = {}
    while len(places) < len(clips):
        shard = target / f"shard-{len(shards):05d}.tar"
        with written_aside(shard) as aside, tarfile.open(aside, "w", format=tarfile.USTAR_FORMAT) as tar:
            while len(places) < len(clips) and tar.offset < shard_bytes:
                clip = clips[len(places)]
                places[clip] = (len(shards), tar.offset)
                _add_clip(tar, source, clip)
        shards.append(shard)
    for name in lists:
        with written_aside(target / name) as aside:
            aside.write_text("".join(f"{clip}\n" for clip in files.clip_list(name)), encoding="utf-8")
    index = {"format": SHARDS_FORMAT, "shards": [shard.name for shard in shards], "clips": places}
    with written_aside(target / INDEX) as aside:
        aside.write_text(json.dumps(index), encoding="utf-8")
    return shards


def _add_clip(tar: tarfile.TarFile, source: Path, clip: str) -> None:
    paths = [path for folder in _folders(source, clip) for path in sorted(folder.rglob("*")) if path.is_file()]
    members: dict[str, tuple[int, int]] = {}
    at = 0
    for path in paths:
        size = path.stat().st_size
        members[path.relative_to(source).as_posix()] = (at + BLOCK, size)
        at += BLOCK + _padded(size)
    listing = json.dumps(members).encode()
    own = tarfile.TarInfo(f"clips/{clip}.json")
    own.size = len(listing)
    tar.addfile(own, io.BytesIO(listing))
    for path in paths:
        member = tarfile.TarInfo(path.relative_to(source).as_posix())
        member.size = members[member.name][1]
        with path.open("rb") as file:
            tar.addfile(member, file)


def _folders(source: Path, clip: str) -> tuple[Path, Path]:
    return source / "pcds" / f"{clip}_pointclouds", source / "images" / f"{clip}_images"


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _read_list(path: Path) -> list[str]:
    try:
        names = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise _missing(f"The list of clips '{path}' cannot be read: {error}.") from error
    if not names:
        raise _missing(f"The list of clips '{path}' is empty.")
    return names


def _missing(sentence: str, hint: str = WHERE_DATA_ARE_SAID) -> Motion324Error:
    return Motion324Error("training-data-missing", sentence, hint, EXIT_USAGE)
