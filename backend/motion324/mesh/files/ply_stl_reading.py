"""Reads PLY and STL, as text or binary, as a ReferenceMesh in the file's order.

A PLY file's polygons may have any number of corners, and its vertices stay as they are; STL has three vertices for each
triangle.
"""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import numpy as np

from motion324.core.errors import Cancelled, Motion324Error
from motion324.core.files.foreign_names import file_beside, short
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.files.foreign import (
    MOST_IMAGE_BYTES,
    MOST_MESH_BYTES,
    MOST_POLYGON_CORNERS,
    Damaged,
    check_counts,
    read_regular,
    too_much,
)
from motion324.mesh.files.mtl_reading import as_utf8
from motion324.mesh.files.ply_elements import Element, Lists, read_elements
from motion324.mesh.polygons import triangulate
from motion324.mesh.textures import Textures

_WHITE = (1.0, 1.0, 1.0, 1.0)
_COLOURS = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))
_UV = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texture_s", "texture_t"))
_TEXTURE_COMMENT = "comment TextureFile "
_HEAD = 84  # bytes: 80 of anything, and the number of triangles
_TRIANGLE = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
_VERTEX = re.compile(rb"(?<!\S)vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)
_MATCHES_BETWEEN_LOOKS = 50_000


def read_ply(path: Path, progress: Progress = silent) -> ReferenceMesh:
    """Colours: of vertices or faces, taken as sRGB, or the texture that a `comment TextureFile` names.

    Raises Motion324Error for what is too large; ValueError and KeyError for damaged files: motion324.mesh.files.reading
    turns them into words.
    """
    elements, comments = read_elements(read_regular(path, MOST_MESH_BYTES, progress), progress)
    vertex, face = elements.get("vertex", Element(0)), elements.get("face", Element(0))
    polygons = _vertices_of(face) if face.count else _strips(elements.get("tristrips", Element(0)))
    check_counts(path, vertex.count, len(polygons.values) // 3)
    longest = int(np.diff(polygons.starts).max(initial=0))
    if longest > MOST_POLYGON_CORNERS:
        raise too_much(path, f"a face of {longest:,} corners", f"{MOST_POLYGON_CORNERS:,}")
    if vertex.count and not vertex.numbers.keys() >= set("xyz"):
        raise Damaged("its vertices have no x, y and z")
    positions = np.stack([vertex.numbers[axis].astype(np.float64) for axis in "xyz"], 1) if vertex.count else _none(3)
    corners = _whole(polygons.values, vertex.count)
    triangles = triangulate(positions, corners, polygons.starts, progress)
    face_of = np.searchsorted(polygons.starts, triangles[:, 0], side="right") - 1
    colour, uv, material = _colours(vertex), None, Material()
    warnings: list[dict[str, str]] = []
    texture = _texture(path, comments, warnings, progress)
    found = None if texture is None else _uv_of_corners(vertex, face, corners, polygons)
    if found is not None:
        uv, colour, material = found[triangles], None, Material(base_colour=_WHITE, texture=texture)
    elif colour is not None:
        material = Material(base_colour=_WHITE)
    elif (of_faces := _colours(face)) is not None:
        painted, centres = _colour_per_face(of_faces)
        uv, material = centres[face_of], Material(base_colour=_WHITE, texture=painted)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which the checks of the mesh refuse
        return ReferenceMesh(
            positions=positions.astype(np.float32),
            faces=corners[triangles].astype(np.int32).reshape(-1, 3),
            face_material=np.zeros(len(triangles), np.int32),
            materials=(material,),
            corner_uv=None if uv is None else uv.astype(np.float32),
            vertex_colour=None if colour is None else colour.astype(np.float32),
            up="Y",
            name=path.stem,
            metadata={"vertex order": "as in the file"},
            warnings=tuple(warnings),
        )


def _vertices_of(face: Element) -> Lists:
    for name in ("vertex_indices", "vertex_index"):
        if name in face.lists:
            return face.lists[name]
    return Lists(np.zeros(0, np.int64), np.zeros(1, np.int64))


def _strips(strips: Element) -> Lists:
    """The triangles of strips, as the scans of Stanford have them: each begins anew after a -1, and every second of its
    triangles is wound the other way."""
    values = np.clip(np.nan_to_num(_vertices_of(strips).values), -1, 2**31).astype(np.int64)
    corners = np.stack([values[:-2], values[1:-1], values[2:]], axis=1) if len(values) > 2 else np.zeros((0, 3), int)
    begins = np.maximum.accumulate(np.where(values < 0, np.arange(len(values)) + 1, _firsts(strips, len(values))))
    over = (np.arange(len(corners)) - begins[: len(corners)]) % 2 == 1
    corners[over] = corners[over][:, [1, 0, 2]]
    triangles = corners[(corners >= 0).all(axis=1) & (begins[: len(corners)] == begins[2:])]
    return Lists(triangles.ravel(), np.arange(0, 3 * len(triangles) + 1, 3))


def _firsts(strips: Element, count: int) -> np.ndarray:
    """(count,) int64: where a list of the element begins its place, 0 elsewhere."""
    found = np.zeros(count, np.int64)
    starts = _vertices_of(strips).starts[:-1]
    found[starts[starts < count]] = starts[starts < count]
    return found


def _none(width: int) -> np.ndarray:
    return np.zeros((0, width))


def _whole(values: np.ndarray, count: int) -> np.ndarray:
    """Indices as int64; -1, which is refused with the number of faces, for what is none of `count`."""
    fits = (values >= 0) & (values < count)
    return np.where(fits, np.where(fits, values, 0).astype(np.int64), -1)


def _colours(element: Element) -> np.ndarray | None:
    """(rows, 3) in [0, 1], from whole numbers of the type's whole range, or from fractions."""
    names = next((names for names in _COLOURS if all(name in element.numbers for name in names)), None)
    if names is None or not element.count:
        return None
    columns = [element.numbers[name] for name in names]
    colours = np.stack([column.astype(np.float64) for column in columns], axis=1)
    if columns[0].dtype.kind in "iu":
        colours /= np.iinfo(columns[0].dtype).max
    elif np.nanmax(colours) > 1.001:  # text, or fractions that count to 255
        colours /= 255.0
    return np.clip(colours, 0.0, 1.0)


def _texture(path: Path, comments: list[str], warnings: list[dict[str, str]], progress: Progress) -> np.ndarray | None:
    named = [line[len(_TEXTURE_COMMENT) :].strip() for line in comments if line.startswith(_TEXTURE_COMMENT)]
    if not named:
        return None
    texture = None
    try:
        data = read_regular(file_beside(path, named[0]), MOST_IMAGE_BYTES, progress)
        texture, why = Textures(progress).decode(data, named[0])
    except Cancelled:
        raise
    except FileNotFoundError:
        why = "it is missing"
    except OSError as error:
        why = (error.strerror or str(error)).lower()
    except Motion324Error as error:
        why = error.sentence.rstrip(".")
    if texture is None:
        sentence = f"The texture '{short(named[0])}' of '{path}' is not read ({why}); the mesh's plain colour is used."
        warnings.append({"code": "mesh-materials", "sentence": sentence})
    return texture


def _uv_of_corners(vertex: Element, face: Element, corners: np.ndarray, polygons: Lists) -> np.ndarray | None:
    """(C, 2) float64, of the corners where the file has them there, else of their vertices."""
    for name in ("texcoord", "texture_coordinates"):
        uv = face.lists.get(name)
        if uv is not None and np.array_equal(uv.starts, 2 * polygons.starts):
            return uv.values.astype(np.float64).reshape(-1, 2)
    for names in _UV:
        if all(name in vertex.numbers for name in names):
            columns = np.stack([vertex.numbers[name].astype(np.float64) for name in names], axis=1)
            return columns[np.maximum(corners, 0)]
    return None


def _colour_per_face(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """colours (P, 3) -> a texture with one texel for each polygon, and the (P, 3, 2) coordinates at its centre."""
    width = max(1, math.ceil(math.sqrt(len(colours))))
    height = max(1, math.ceil(len(colours) / width))
    texture = np.full((height, width, 4), 255, np.uint8)
    texture.reshape(-1, 4)[: len(colours), :3] = np.rint(colours * 255)
    index = np.arange(len(colours))
    centre = np.stack([(index % width + 0.5) / width, 1 - (index // width + 0.5) / height], axis=1)
    return texture, np.repeat(centre[:, None], 3, axis=1)


def read_stl(path: Path, progress: Progress = silent) -> ReferenceMesh:
    """Several solids of a text become one mesh. Binary files may begin with "solid" too: what no text has tells them.

    Raises Motion324Error for what is too large; ValueError for damaged files: motion324.mesh.files.reading turns it
    into words.
    """
    data = read_regular(path, MOST_MESH_BYTES, progress)
    spelled = as_utf8(data)  # of a binary file whose zeros look like UTF-16 it makes nothing
    data = spelled if _begins_as_text(spelled) else data
    count = struct.unpack_from("<I", data, 80)[0] if len(data) >= _HEAD else 0
    # A count of triangles has a zero byte, whatever is appended to the file.
    text = _begins_as_text(data) and b"\0" not in data[80 : _HEAD + _TRIANGLE.itemsize]
    corners = _from_text(path, data, progress) if text else _from_binary(path, data, count)
    return ReferenceMesh(
        positions=corners.reshape(-1, 3).astype(np.float32),
        faces=np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3),
        face_material=np.zeros(len(corners), np.int32),
        up="Y",
        name=path.stem,
        metadata={"vertex order": "as in the file"},
    )


def _begins_as_text(data: bytes) -> bool:
    return data[:1000].lstrip()[:5].lower() == b"solid"


def _from_binary(path: Path, data: bytes, count: int) -> np.ndarray:
    """(F, 3, 3) float32"""
    if len(data) < _HEAD or len(data) < _HEAD + count * _TRIANGLE.itemsize:
        raise Damaged("it is shorter than it says; it is damaged or cut short")
    check_counts(path, 3 * count, count)
    return np.frombuffer(data, _TRIANGLE, count, _HEAD)["corners"]


def _from_text(path: Path, data: bytes, progress: Progress) -> np.ndarray:
    """(F, 3, 3) float32"""
    numbers: list[float] = []
    for number, match in enumerate(_VERTEX.finditer(data)):
        if number % _MATCHES_BETWEEN_LOOKS == 0:
            progress("read", 0, 1)
            check_counts(path, number, 0)
        numbers += [float(word) for word in match.groups()]
    if len(numbers) % 9:
        raise Damaged("its last triangle has fewer than three corners; it is damaged or cut short")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which the checks of the mesh refuse
        return np.array(numbers, np.float64).astype(np.float32).reshape(-1, 3, 3)
