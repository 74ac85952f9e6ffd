"""STL, as text or binary -> ReferenceMesh with three vertices for each triangle, in the file's order."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np

from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import ReferenceMesh
from motion324.mesh.files.foreign import MOST_MESH_BYTES, check_counts, read_regular

_HEAD = 84  # bytes: 80 of anything, and the number of triangles
_TRIANGLE = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
_VERTEX = re.compile(rb"^[ \t]*vertex[ \t]+(\S+)[ \t]+(\S+)[ \t]+(\S+)", re.IGNORECASE | re.MULTILINE)
_MATCHES_BETWEEN_LOOKS = 50_000


def read_stl(path: Path, progress: Progress = silent) -> ReferenceMesh:
    """Several solids of a text become one mesh. Binary files may begin with "solid" too: their length tells them.

    Raises Motion324Error for what is too large; ValueError for damaged files: motion324.mesh.files.reading turns it
    into words.
    """
    data = read_regular(path, MOST_MESH_BYTES, progress)
    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= _HEAD else 0
    text = data.lstrip()[:5].lower() == b"solid" and len(data) != _HEAD + count * _TRIANGLE.itemsize
    corners = _from_text(path, data, progress) if text else _from_binary(path, data, count)
    return ReferenceMesh(
        positions=corners.reshape(-1, 3).astype(np.float32),
        faces=np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3),
        face_material=np.zeros(len(corners), np.int32),
        up="Y",
        name=path.stem,
        metadata={"vertex order": "as in the file"},
    )


def _from_binary(path: Path, data: bytes, count: int) -> np.ndarray:
    """(F, 3, 3) float32"""
    if len(data) < _HEAD or len(data) < _HEAD + count * _TRIANGLE.itemsize:
        raise ValueError("it is shorter than it says; it is damaged or cut short")
    check_counts(path, 3 * count, count)
    return np.frombuffer(data, _TRIANGLE, count, _HEAD)["corners"]


def _from_text(path: Path, data: bytes, progress: Progress) -> np.ndarray:
    """(F, 3, 3) float32"""
    data = data.replace(b"\r", b"\n")
    numbers: list[float] = []
    for number, match in enumerate(_VERTEX.finditer(data)):
        if number % _MATCHES_BETWEEN_LOOKS == 0:
            progress("read", 0, 1)
            check_counts(path, number, 0)
        numbers += [float(word) for word in match.groups()]
    if len(numbers) % 9:
        raise ValueError("its last triangle has fewer than three corners; it is damaged or cut short")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which the checks of the mesh refuse
        return np.array(numbers, np.float64).astype(np.float32).reshape(-1, 3, 3)
