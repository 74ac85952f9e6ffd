"""Finds the files that a mesh file names: whoever takes it elsewhere has to take them, too."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

_MOST_BYTES = 1 << 28  # of a text that is read for names


def files_of_mesh(path: Path) -> list[Path]:
    """The mesh file itself, and of those that a .gltf or .obj names beside or below itself all that are there."""
    suffix = path.suffix.lower()
    try:
        if suffix not in (".gltf", ".obj") or path.stat().st_size > _MOST_BYTES:
            return [path]
        names = _of_gltf(path) if suffix == ".gltf" else _of_obj(path)
    except (OSError, ValueError):  # told by who reads the mesh
        return [path]
    found = {path.parent / name for name in names if _is_below(name)}
    return [path, *sorted(file for file in found if file.is_file() and file != path)]


def _of_gltf(path: Path) -> set[str]:
    described = json.loads(path.read_text("utf-8"))
    entries = [*described.get("buffers", ()), *described.get("images", ())]
    names = [entry["uri"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("uri"), str)]
    return {unquote(name) for name in names if not name.startswith("data:")}


def _of_obj(path: Path) -> set[str]:
    """The libraries of materials, and what these name: a picture's name is the end of its line, behind options."""
    names: set[str] = set()
    for library in _rests(path, "mtllib"):
        names.add(library)
        file = path.parent / library
        if not _is_below(library) or not file.is_file():
            continue
        for line in file.read_text("utf-8", "replace").splitlines():
            key, _, rest = line.strip().partition(" ")
            if key.lower().startswith(("map_", "bump", "disp", "decal", "refl", "norm")):
                words = rest.split()
                ends = (" ".join(words[first:]) for first in range(len(words)))
                names.update(str(Path(library).parent / end.replace("\\", "/")) for end in ends)
    return names


def _rests(path: Path, key: str) -> list[str]:
    lines = path.read_text("utf-8", "replace").splitlines()
    return [line.strip()[len(key) :].strip() for line in lines if line.strip().lower().startswith(key + " ")]


def _is_below(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/"))
    return bool(name) and not parts.is_absolute() and ".." not in parts.parts and ":" not in name
