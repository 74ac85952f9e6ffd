"""Proves that an export has room before it is written, and is whole afterwards, before it takes the place of another
file.

Blender's exporters cannot be asked: on a full disk USD reports success with a file that is cut short, and Alembic ends
Blender, which is why it writes into memory first where that is possible (`memory_file`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.point_cache import read_pc2
from motion324.core.files.write_aside import explained_write_errors, write_error

from .export_size import Expected

MARGIN = 1.35  # estimates are right within 30 percent
SMALL = 100_000  # bytes that a file may have beside what was estimated


class Broken(ValueError):
    """What is wrong with a file, in words that go on after its name."""


def reserve(path: Path, aside: Path, size: int) -> None:
    """Looks whether the disk has room for `size` bytes and a margin; where the system can, by taking and freeing them,
    which also meets quotas. aside: a name in the folder of `path` that is free.

    Raises Motion324Error("disk-full" or "cannot-write").
    """
    needed = round(MARGIN * size) + min(size, SMALL)
    if shutil.disk_usage(path.parent).free < needed:
        raise write_error(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    if not hasattr(os, "posix_fallocate"):
        return
    with explained_write_errors(path):
        try:
            with aside.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(needed, 1))
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # file systems that cannot
                raise
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()


def proven(path: Path, aside: Path, expected: Expected | None = None) -> None:
    """Opens what was written as `aside`, and has it on the disk. path: what it is to be. expected: None where nothing
    is known of its size and its frames.

    Raises Motion324Error("export-broken", "disk-full" or "cannot-write") where it is not a whole file of its format.
    """
    try:
        size = aside.stat().st_size
        if expected is not None and size < expected.least:
            raise Broken(f"has {size} bytes, but cannot have less than {expected.least}")
        check_whole(aside, expected.frames if expected is not None else None)
    except FileNotFoundError:
        raise _broken(path, "is not there") from None
    except Broken as error:
        with explained_write_errors(path):
            _check_room(path)
        raise _broken(path, str(error)) from error
    with explained_write_errors(path), aside.open("rb+") as file:
        os.fsync(file.fileno())  # some disks tell only now that they are full


def check_whole(path: Path, frames: int | None = None) -> None:
    """Reads as much of the file as shows that its end is there, and so many frames as it says to have.

    Raises Broken, or OSError.
    """
    check = CHECKS[path.suffix.lower()]
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            check(file, size, frames)
        except (struct.error, IndexError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise Broken("is cut short") from error


def _check_glb(file: BinaryIO, size: int, frames: int | None) -> None:
    magic, _, length = struct.unpack("<4sII", file.read(12))
    if magic != b"glTF" or length != size:
        raise Broken(f"has {size} of {length} bytes")
    count, kind = struct.unpack("<I4s", file.read(8))
    if kind != b"JSON":
        raise Broken("has no description")
    scene = json.loads(file.read(count))
    binary, _ = struct.unpack("<I4s", file.read(8))
    if 12 + 8 + count + 8 + binary != size:
        raise Broken("has chunks of another length than it says")
    if any(view.get("byteOffset", 0) + view["byteLength"] > binary for view in scene["bufferViews"]):
        raise Broken("names data that it does not have")
    targets = [len(part.get("targets", ())) for mesh in scene["meshes"] for part in mesh["primitives"]]
    if frames is not None and min(targets) < frames:
        raise Broken(f"has {min(targets)} of {frames} frames")


def _check_fbx(file: BinaryIO, size: int, frames: int | None) -> None:
    if file.read(21) != b"Kaydara FBX Binary  \0":
        raise Broken("is no binary FBX")
    file.seek(23)
    (version,) = struct.unpack("<I", file.read(4))
    head = struct.Struct("<QQQB" if version >= 7500 else "<IIIB")
    names, shapes = set(), 0
    while True:
        end, _, length, name_length = head.unpack(file.read(head.size))
        if end == 0:
            break
        name = file.read(name_length)
        names.add(name)
        if end > size:
            raise Broken("is cut short")
        if name == b"Objects":
            shapes = _count_shapes(file, head, file.tell() + length, end)
        file.seek(end)
    if not {b"Objects", b"Connections", b"Takes"} <= names:
        raise Broken("lacks objects, connections or takes")
    file.seek(size - 16)
    if file.read(16) != bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b"):
        raise Broken("has no end")
    if frames is not None and shapes < frames:
        raise Broken(f"has {shapes} of {frames} frames")


def _count_shapes(file: BinaryIO, head: struct.Struct, start: int, end: int) -> int:
    """How many of the records are geometries that hold a shape key's offsets."""
    count = 0
    file.seek(start)
    while file.tell() < end:
        stop, _, length, name_length = head.unpack(file.read(head.size))
        if stop == 0:
            break
        name, values = file.read(name_length), file.read(length)
        count += name == b"Geometry" and values.endswith(b"S" + struct.pack("<I", 5) + b"Shape")
        file.seek(stop)
    return count


def _check_alembic(file: BinaryIO, size: int, frames: int | None) -> None:
    """Walks through all groups of an Ogawa file: numbers with the first bit name data, the others name groups."""
    if file.read(5) != b"Ogawa" or file.read(1) != b"\xff":
        raise Broken("was not written to its end")
    file.seek(8)
    groups, seen = [struct.unpack("<Q", file.read(8))[0]], set()
    most = 0
    while groups:
        place = groups.pop()
        if place == 0 or place in seen:
            continue
        seen.add(place)
        file.seek(place)
        (count,) = struct.unpack("<Q", file.read(8))
        if place + 8 + 8 * count > size:
            raise Broken("is cut short")
        most = max(most, count)
        for child in struct.unpack(f"<{count}Q", file.read(8 * count)):
            if not child >> 63:
                groups.append(child)
            elif child & ~(1 << 63):
                file.seek(child & ~(1 << 63))
                (length,) = struct.unpack("<Q", file.read(8))
                if file.tell() + length > size:
                    raise Broken("is cut short")


def _check_usd(file: BinaryIO, size: int, frames: int | None) -> None:
    """Reads the table of contents of a crate file, which its writer adds last."""
    if file.read(8) != b"PXR-USDC":
        raise Broken("is no USD crate file")
    file.seek(16)
    (contents,) = struct.unpack("<q", file.read(8))
    if not 0 < contents < size:
        raise Broken("has no table of contents")
    file.seek(contents)
    (count,) = struct.unpack("<Q", file.read(8))
    if contents + 8 + 32 * count > size:
        raise Broken("is cut short")
    names = set()
    for _ in range(count):
        name, start, length = struct.unpack("<16sqq", file.read(32))
        names.add(name.rstrip(b"\0"))
        if start + length > size:
            raise Broken("is cut short")
    if not {b"TOKENS", b"FIELDS", b"PATHS", b"SPECS"} <= names:
        raise Broken("lacks a part of its contents")


def _check_pc2(file: BinaryIO, size: int, frames: int | None) -> None:
    try:
        found = len(read_pc2(Path(file.name)).positions)
    except Motion324Error as error:
        raise Broken("is cut short") from error
    if frames is not None and found != frames:
        raise Broken(f"has {found} of {frames} frames")


def _check_mdd(file: BinaryIO, size: int, frames: int | None) -> None:
    found, points = struct.unpack(">ii", file.read(8))
    if size != 8 + found * (4 + 12 * points) or (frames is not None and found != frames):
        raise Broken(f"has {size} bytes, which is not {frames or found} frames of {points} vertices")


def _check_mp4(file: BinaryIO, size: int, frames: int | None) -> None:
    place, names = 0, set()
    while place < size:
        file.seek(place)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < 8 or place + length > size:
            raise Broken("is cut short")
        names.add(name)
        place += length
    if not {b"ftyp", b"moov", b"mdat"} <= names:
        raise Broken("lacks its index or its pictures")


def _check_blend(file: BinaryIO, size: int, frames: int | None) -> None:
    head = file.read(7)
    if head[:4] == b"\x28\xb5\x2f\xfd":  # compressed by Zstandard, with a table of its parts at the end
        file.seek(size - 4)
        if file.read(4) != bytes.fromhex("b1ea928f"):
            raise Broken("is cut short")
    elif head == b"BLENDER":
        file.seek(max(0, size - 64))
        if b"ENDB" not in file.read():
            raise Broken("is cut short")
    else:
        raise Broken("is no .blend")


CHECKS: dict[str, Callable[[BinaryIO, int, int | None], None]] = {
    ".glb": _check_glb,
    ".fbx": _check_fbx,
    ".abc": _check_alembic,
    ".usd": _check_usd,
    ".pc2": _check_pc2,
    ".mdd": _check_mdd,
    ".mp4": _check_mp4,
    ".blend": _check_blend,
}


def _check_room(path: Path) -> None:
    """Raises OSError where the disk is as good as full, which then is what broke the file."""
    if shutil.disk_usage(path.parent).free < SMALL:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _broken(path: Path, why: str) -> Motion324Error:
    sentence = f"The export to '{path}' went wrong: what was written {why}. What was there before is still there."
    return Motion324Error("export-broken", sentence, "Export again, or choose another format.", EXIT_CANNOT_WRITE)
