"""Knows which of glTF's extensions this reader can read; has Draco's decoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.core.files.foreign_names import short
from motion324.core.files.gltf_extensions import DRACO, VISIBILITY, concerns_no_geometry
from motion324.mesh.checks import bad_mesh
from motion324.mesh.files.foreign import Damaged, check_counts

MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")  # the second may have streams of a newer version
INSTANCES = "EXT_mesh_gpu_instancing"

# Followed where a file has them. An unknown extension that a file *requires* is refused: it may change the geometry in
# ways that this reader cannot follow.
_FOLLOWED = {DRACO, *MESHOPT, INSTANCES, VISIBILITY, "KHR_mesh_quantization"}
_MOST_TRIANGLES_PER_BYTE = 1000  # of Draco's data: the flattest grid takes more than that


def check_required(path: Path, names: object) -> None:
    """Raises Motion324Error("mesh-unreadable") that names an extension which is required and unknown."""
    if not isinstance(names, list):
        raise Damaged("its required extensions are no list")
    for name in map(str, names):
        if not _is_known(name):
            raise refused(path, name)


def _is_known(name: str) -> bool:
    return name in _FOLLOWED or concerns_no_geometry(name)


def refused(path: Path, extension: str, why: str = "which cannot be read") -> Motion324Error:
    """The error of a file that needs an extension."""
    return bad_mesh(
        "mesh-unreadable",
        f"The mesh file '{path}' needs the glTF extension {short(extension)}, {why}.",
        "Export it again without compression, for example through Blender.",
    )


def without_data(path: Path, owner: dict[str, Any], why: str) -> Motion324Error | Damaged:
    """The error of something in a file that has no data, as compressed things have none for who cannot decode them."""
    named = [name for name in owner.get("extensions") or {} if "compress" in name.lower() or not _is_known(name)]
    return refused(path, named[0]) if named else Damaged(why)


@dataclass(frozen=True)
class DracoData:
    """triangles (F, 3) int64, and the attributes by their number in the data, each (V, width)."""

    triangles: np.ndarray
    attributes: dict[int, np.ndarray]


def decode_draco(path: Path, data: bytes, vertices: int, corners: int) -> DracoData:
    """A primitive's compressed data, of which the header says that it has so many vertices and corners of triangles.

    What it would unpack to is looked at before it is. Raises Motion324Error("mesh-unreadable") that names Draco.
    """
    damaged = "whose data is damaged or missing"
    check_counts(path, vertices, corners // 3)
    try:
        faces, points = _declared(data)
    except (IndexError, ValueError) as error:
        raise refused(path, DRACO, damaged) from error
    if 3 * faces != corners or points > vertices or faces > _MOST_TRIANGLES_PER_BYTE * len(data):
        raise refused(path, DRACO, damaged)
    try:
        import DracoPy
    except ImportError as error:
        raise refused(path, DRACO, "for which the package DracoPy is missing") from error
    try:
        mesh = DracoPy.decode(data)
        triangles = np.asarray(mesh.faces, dtype=np.int64).reshape(-1, 3)
        attributes = {int(found["unique_id"]): np.asarray(found["data"]) for found in mesh.attributes}
    except Exception as error:  # whatever it raises on damaged data
        raise refused(path, DRACO, damaged) from error
    return DracoData(triangles, attributes)


def _declared(data: bytes) -> tuple[int, int]:
    """Triangles, and a number of vertices that is not above the decoded one (Draco bitstream 2.2, sections 3 to 6)."""
    if data[:5] != b"DRACO" or data[5:7] != b"\2\2" or data[7] != 1:
        raise Damaged("no mesh in Draco's bitstream 2.2, which glTF asks for")
    edgebreaker, flags = data[8] == 1, int.from_bytes(data[9:11], "little")
    place = _after_metadata(data, 11) if flags & 0x8000 else 11
    if not edgebreaker:
        faces, place = _varint(data, place)
        return faces, _varint(data, place)[0]
    points, place = _varint(data, place + 1)  # after the kind of traversal
    return _varint(data, place)[0], points


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while data[place] & 0x80:
        value |= (data[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if shift > 56:
            raise Damaged("a number is too long")
    return value | data[place] << shift, place + 1


def _after_metadata(data: bytes, place: int) -> int:
    """Where the metadata of attributes and of the whole ends."""
    attributes, place = _varint(data, place)
    for _ in range(attributes):
        _, place = _varint(data, place)
        place = _after_entries(data, place)
    return _after_entries(data, place)


def _after_entries(data: bytes, place: int) -> int:
    """Entries are a name and a value, each with its length before it."""
    entries, place = _varint(data, place)
    for _ in range(entries):
        place += 1 + data[place]
        length, place = _varint(data, place)
        place += length
    below, place = _varint(data, place)
    if below:
        raise Damaged("metadata below metadata, which glTF has no use for")
    return place
