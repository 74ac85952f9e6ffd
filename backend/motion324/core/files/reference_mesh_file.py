"""Reads and writes a reference mesh as an .npz file, for one process of ours that has it and another that needs it."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.files.json_text import read_json
from motion324.core.files.npz_file import opened_npz
from motion324.core.reference_mesh import Material, ReferenceMesh

SUFFIX = ".npz"


def save_reference_mesh(path: Path, mesh: ReferenceMesh) -> None:
    """All of the mesh but its warnings, without pickles. Raises OSError."""
    header = {
        "name": mesh.name,
        "up": mesh.up,
        "metadata": mesh.metadata,
        "materials": [[material.name, [float(part) for part in material.base_colour]] for material in mesh.materials],
    }
    arrays: dict[str, Any] = {
        f"texture_{k}": each.texture for k, each in enumerate(mesh.materials) if each.texture is not None
    }
    arrays |= {
        name: value
        for name in ("positions", "faces", "face_material", "corner_uv", "vertex_colour")
        if (value := getattr(mesh, name)) is not None
    }
    with path.open("wb") as file:
        np.savez(file, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)


def load_reference_mesh(path: Path) -> ReferenceMesh:
    """Raises Motion324Error("mesh-unreadable")."""
    try:
        with opened_npz(path) as arrays:
            header = read_json(arrays["header"].tobytes())
            return ReferenceMesh(
                positions=arrays["positions"],
                faces=arrays["faces"],
                face_material=arrays["face_material"],
                materials=tuple(
                    Material(name, tuple(colour), arrays.get(f"texture_{index}"))
                    for index, (name, colour) in enumerate(header["materials"])
                ),
                corner_uv=arrays.get("corner_uv"),
                vertex_colour=arrays.get("vertex_colour"),
                up=header["up"],
                name=header["name"],
                metadata=header["metadata"],
            )
    except (OSError, KeyError, ValueError, TypeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        sentence = f"'{path}' holds no reference mesh of ours: it is missing, damaged, or something else."
        raise Motion324Error("mesh-unreadable", sentence, "Give the mesh file instead.", EXIT_BAD_MESH) from error
