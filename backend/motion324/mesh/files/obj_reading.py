"""Reads Wavefront OBJ with MTL as a ReferenceMesh, one vertex for each `v` line, in the file's order."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from motion324.core.files.foreign_names import short
from motion324.core.progress import Progress, silent
from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.files.foreign import (
    MOST_MESH_BYTES,
    MOST_POLYGON_CORNERS,
    Damaged,
    check_counts,
    read_regular,
    too_much,
)
from motion324.mesh.files.mtl_reading import Materials, logical_lines
from motion324.mesh.polygons import triangulate

_LINES_BETWEEN_LOOKS = 20_000  # at the counts


@dataclass
class _Statements:
    """What an OBJ file says, before it is made into a mesh."""

    positions: array[float] = field(default_factory=lambda: array("d"))  # three for each vertex
    colours: array[float] = field(default_factory=lambda: array("f"))  # empty, or three for each vertex
    uv: array[float] = field(default_factory=lambda: array("f"))  # two for each vt
    corners: array[int] = field(default_factory=lambda: array("q"))
    corner_uv: array[int] = field(default_factory=lambda: array("q"))  # -1: the corner has none
    starts: array[int] = field(default_factory=lambda: array("q", [0]))
    material_names: dict[str, int] = field(default_factory=dict)
    polygon_material: array[int] = field(default_factory=lambda: array("q"))
    libraries: dict[str, None] = field(default_factory=dict)
    parts: dict[str, None] = field(default_factory=dict)


def read_obj(path: Path, progress: Progress = silent) -> ReferenceMesh:
    """Faces with more than three corners are cut into triangles; lines, points and free-form surfaces are skipped.

    Colours come from `usemtl` and the MTL files (Kd, d, map_Kd) beside the OBJ, or from `v x y z r g b`, which is taken
    as sRGB; 0 to 255 where a value is above 1.
    Raises Motion324Error for what is too large; ValueError and the like for damaged files:
    motion324.mesh.files.reading turns them into words.
    """
    said = _parse(path, progress)
    positions = np.array(said.positions, dtype=np.float64).reshape(-1, 3)
    corners = np.array(said.corners, dtype=np.int64)
    starts = np.array(said.starts, dtype=np.int64)
    triangles = triangulate(positions, corners, starts, progress)
    polygon_of = np.searchsorted(starts, triangles[:, 0], side="right") - 1
    colour = _colour(said)
    materials = Materials(path, progress)
    if any(said.material_names):
        for library in said.libraries:
            materials.read(library)
    known = np.where((corners >= 0) & (corners < len(positions)), corners, -1)  # -1 is refused with the number of faces
    return ReferenceMesh(
        positions=_single(positions),
        faces=known[triangles].astype(np.int32).reshape(-1, 3),
        face_material=np.array(said.polygon_material, dtype=np.int32)[polygon_of],
        materials=_materials(path, said, materials, painted=colour is not None),
        corner_uv=_corner_uv(said, triangles),
        vertex_colour=colour,
        up="Y",
        name=path.stem,
        metadata={"parts": ", ".join(said.parts), "vertex order": "the file's v lines"},
        warnings=tuple(materials.warnings),
    )


def _parse(path: Path, progress: Progress) -> _Statements:
    said = _Statements()
    material = -1
    for number, line in enumerate(logical_lines(read_regular(path, MOST_MESH_BYTES, progress), progress), 1):
        if number % _LINES_BETWEEN_LOOKS == 0:
            check_counts(path, len(said.positions) // 3, len(said.corners) // 3)
        key, *rest = line.split(None, 1)[:2] or [""]
        if key in ("v", "vt", "f", "fo"):  # fo: a face's name of before version 3.0
            words = rest[0].partition("#")[0].split() if rest else []
            try:
                if key == "v":
                    _add_vertex(said, [float(word) for word in words])
                elif key == "vt":
                    values = [float(word) for word in words[:2]]
                    said.uv.extend((values[0], values[1] if len(values) > 1 else 0.0))
                else:
                    if len(words) > MOST_POLYGON_CORNERS:
                        raise too_much(path, f"a face of {len(words):,} corners", f"{MOST_POLYGON_CORNERS:,}")
                    _add_polygon(said, words)
                    material = said.material_names.setdefault("", 0) if material < 0 else material
                    said.polygon_material.append(material)
            except (ValueError, IndexError, OverflowError) as error:
                raise Damaged(f"line {number} is no '{key}' as OBJ has it: {short(line.strip(), 60)}") from error
        elif rest and key == "usemtl":
            material = said.material_names.setdefault(rest[0].strip(), len(said.material_names))
        elif rest and key == "mtllib":
            said.libraries[rest[0].strip()] = None
        elif rest and key in ("o", "g") and rest[0].strip():
            said.parts[rest[0].strip()] = None
    check_counts(path, len(said.positions) // 3, len(said.corners) // 3)
    return said


def _add_vertex(said: _Statements, values: list[float]) -> None:
    """x y z, x y z w, x y z r g b or x y z w r g b."""
    if len(values) < 3:
        raise Damaged("a vertex has three coordinates")
    if len(values) >= 6:
        if not said.colours:
            said.colours.extend([1.0] * len(said.positions))  # those before have none: white
        said.colours.extend(values[3:6] if len(values) == 6 else values[-3:])
    elif said.colours:
        said.colours.extend((1.0, 1.0, 1.0))
    said.positions.extend(values[:3])


def _add_polygon(said: _Statements, words: list[str]) -> None:
    """Words like 7, 7/3, 7/3/2 or 7//2: counted from 1, or backwards from the latest where negative."""
    vertices, coordinates = len(said.positions) // 3, len(said.uv) // 2
    for word in words:
        vertex, _, rest = word.partition("/")
        uv = rest.partition("/")[0]
        said.corners.append(_index(int(vertex), vertices))
        said.corner_uv.append(_index(int(uv), coordinates) if uv else -1)
    said.starts.append(len(said.corners))


def _index(number: int, count: int) -> int:
    """From 0; negative for what does not exist, as far as that is known yet."""
    if number > 0:
        return number - 1
    return count + number if number < 0 else -1


def _colour(said: _Statements) -> np.ndarray | None:
    if not said.colours:
        return None
    colour = np.array(said.colours, dtype=np.float32).reshape(-1, 3)
    return np.clip(colour / 255 if np.nanmax(colour) > 1.001 else colour, 0, 1)


def _materials(path: Path, said: _Statements, materials: Materials, painted: bool) -> tuple[Material, ...]:
    plain = Material(base_colour=(1.0, 1.0, 1.0, 1.0)) if painted else Material()
    names = list(said.material_names)
    lost = [name for name in names if name and materials.named(name) is None]
    if lost and said.libraries and not materials.warnings:
        some = ", ".join(f"'{short(name, 40)}'" for name in lost[:3]) + (" and others" if len(lost) > 3 else "")
        sentence = f"No material file of '{path}' describes the material {some}; a plain colour is used."
        materials.warnings.append({"code": "mesh-materials", "sentence": sentence})
    return tuple((materials.named(name) if name else None) or plain for name in names) or (plain,)


def _corner_uv(said: _Statements, triangles: np.ndarray) -> np.ndarray | None:
    indices = np.array(said.corner_uv, dtype=np.int64)
    if not said.uv or not (indices >= 0).any():
        return None
    uv = np.array(said.uv, dtype=np.float32).reshape(-1, 2)
    inside = (indices >= 0) & (indices < len(uv))
    per_corner = np.where(inside[:, None], uv[np.where(inside, indices, 0)], np.float32(0))
    return per_corner[triangles]


def _single(positions: np.ndarray) -> np.ndarray:
    """float32; what is too large for it becomes infinite, which the checks of the mesh refuse."""
    with np.errstate(over="ignore"):
        return positions.astype(np.float32)
