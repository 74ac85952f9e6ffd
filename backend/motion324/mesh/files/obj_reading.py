"""Wavefront OBJ with MTL -> ReferenceMesh, one vertex for each `v` line, in the file's order."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from motion324.core.reference_mesh import Material, ReferenceMesh
from motion324.mesh.polygons import triangulate
from motion324.mesh.textures import texture_from_file

log = logging.getLogger(__name__)


@dataclass
class _Statements:
    """What an OBJ file says, before it is made into a mesh."""

    positions: list[list[float]] = field(default_factory=list)
    colours: list[list[float]] = field(default_factory=list)
    uv: list[list[float]] = field(default_factory=list)
    corners: list[int] = field(default_factory=list)
    corner_uv: list[int] = field(default_factory=list)  # -1: the corner has none
    starts: list[int] = field(default_factory=lambda: [0])
    polygon_material: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)


def read_obj(path: Path) -> ReferenceMesh:
    """Faces with more than three corners are cut into triangles; lines, points and free-form surfaces are skipped.

    Colours come from `usemtl` and the MTL files (Kd, d, map_Kd) beside the OBJ, or from `v x y z r g b`.
    Raises ValueError and IndexError for damaged files: motion324.mesh.files.reading turns them into words.
    """
    said = _parse(path)
    positions = np.array(said.positions, dtype=np.float64).reshape(-1, 3)
    corners = np.array(said.corners, dtype=np.int64)
    starts = np.array(said.starts, dtype=np.int64)
    triangles = triangulate(positions, corners, starts)
    polygon_of = np.searchsorted(starts, triangles[:, 0], side="right") - 1
    names = list(dict.fromkeys(said.polygon_material)) or [""]
    index_of = {name: index for index, name in enumerate(names)}
    polygon_material = np.array([index_of[name] for name in said.polygon_material], dtype=np.int32)
    painted = len(said.colours) == len(said.positions) > 0
    plain = Material(base_colour=(1.0, 1.0, 1.0, 1.0)) if painted else Material()
    known = _read_libraries(path, said.libraries) if any(names) else {}
    return ReferenceMesh(
        positions=positions.astype(np.float32),
        faces=corners[triangles].astype(np.int32).reshape(-1, 3),
        face_material=polygon_material[polygon_of] if len(triangles) else np.zeros(0, np.int32),
        materials=tuple(known.get(name, plain) for name in names),
        corner_uv=_corner_uv(said, triangles),
        vertex_colour=np.clip(np.array(said.colours, dtype=np.float32), 0, 1) if painted else None,
        up="Y",
        name=path.stem,
        metadata={"parts": ", ".join(dict.fromkeys(said.parts)), "vertex order": "the file's v lines"},
    )


def _parse(path: Path) -> _Statements:
    said = _Statements()
    material = ""
    text = path.read_bytes().decode("utf-8", errors="replace").replace("\\\r\n", " ").replace("\\\n", " ")
    for line in text.splitlines():
        key, _, rest = line.strip().partition(" ")
        if key == "v":
            values = [float(value) for value in rest.split()]
            if len(values) < 3:
                raise ValueError(f"the vertex '{line.strip()}' has fewer than three coordinates")
            said.positions.append(values[:3])
            if len(values) >= 6:
                said.colours.append(values[3:6] if len(values) == 6 else values[-3:])
        elif key == "vt":
            values = [float(value) for value in rest.split()]
            said.uv.append([values[0], values[1] if len(values) > 1 else 0.0])
        elif key == "f":
            _add_polygon(said, rest.split())
            said.polygon_material.append(material)
        elif key == "usemtl":
            material = rest.strip()
        elif key == "mtllib":
            said.libraries.append(rest.strip())
        elif key in ("o", "g") and rest.strip():
            said.parts.append(rest.strip())
    return said


def _add_polygon(said: _Statements, words: list[str]) -> None:
    """Words like 7, 7/3, 7/3/2 or 7//2: counted from 1, or backwards from the latest where negative."""
    for word in words:
        vertex, _, rest = word.partition("/")
        uv = rest.partition("/")[0]
        number = int(vertex)
        said.corners.append(number - 1 if number > 0 else len(said.positions) + number)
        if uv:
            number = int(uv)
            said.corner_uv.append(number - 1 if number > 0 else len(said.uv) + number)
        else:
            said.corner_uv.append(-1)
    said.starts.append(len(said.corners))


def _corner_uv(said: _Statements, triangles: np.ndarray) -> np.ndarray | None:
    indices = np.array(said.corner_uv, dtype=np.int64)
    if not said.uv or not (indices >= 0).any():
        return None
    uv = np.array(said.uv, dtype=np.float32)
    inside = (indices >= 0) & (indices < len(uv))
    per_corner = np.where(inside[:, None], uv[np.where(inside, indices, 0)], np.float32(0))
    return per_corner[triangles]


def _read_libraries(obj: Path, libraries: list[str]) -> dict[str, Material]:
    materials: dict[str, Material] = {}
    for library in libraries:
        whole = obj.parent / library  # a name with spaces is one file; several names on a line are rare
        candidates = [whole] if whole.exists() else [obj.parent / word for word in library.split()]
        for path in candidates:
            if path.exists():
                materials.update(_read_mtl(path))
            else:
                log.warning("The material file '%s' of '%s' is missing; plain grey is used.", path, obj)
    return materials


def _read_mtl(path: Path) -> dict[str, Material]:
    """Kd is taken as sRGB, as modelling programs show it; with a map_Kd that is nearly black, Kd is ignored."""
    statements: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in path.read_bytes().decode("utf-8", errors="replace").splitlines():
        key, _, rest = line.strip().partition(" ")
        if key == "newmtl":
            current = statements.setdefault(rest.strip(), {})
        elif key and not key.startswith("#"):
            current[key.lower()] = rest.strip()
    return {name: _material(path, name, values) for name, values in statements.items()}


def _material(path: Path, name: str, values: dict[str, str]) -> Material:
    colour = [float(value) for value in values["kd"].split()[:3]] if "kd" in values else [0.8, 0.8, 0.8]
    if len(colour) == 1:
        colour = colour * 3
    opacity = float(values["d"].split()[-1]) if "d" in values else 1.0
    texture = None
    if "map_kd" in values:
        texture = texture_from_file(_texture_path(path, values["map_kd"]))
        if texture is not None and ("kd" not in values or max(colour) < 0.02):
            colour = [1.0, 1.0, 1.0]
    red, green, blue = (float(np.clip(value, 0, 1)) for value in colour)
    return Material(name=name, base_colour=(red, green, blue, float(np.clip(opacity, 0, 1))), texture=texture)


_OPTION_WORDS = {"-blendu": 1, "-blendv": 1, "-cc": 1, "-clamp": 1, "-texres": 1, "-mm": 2, "-bm": 1, "-imfchan": 1}


def _texture_path(mtl: Path, value: str) -> Path:
    """`map_Kd [-option value ...] file name`: the name may hold spaces, and come from another system."""
    words = value.split()
    while words and words[0].startswith("-") and len(words) > 1:
        option = words.pop(0)
        if option in ("-o", "-s", "-t"):  # one to three numbers
            while len(words) > 1 and _is_number(words[0]):
                words.pop(0)
        else:
            del words[: _OPTION_WORDS.get(option, 1)]
    name = " ".join(words).strip('"').replace("\\", "/")
    beside = mtl.parent / name
    return beside if beside.exists() else mtl.parent / Path(name).name


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
