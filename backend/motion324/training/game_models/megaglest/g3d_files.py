"""Reads models (.g3d, version 4) of Glest and MegaGlest, as the games' documentation of the format describes them.

Space there is right-handed with Y up. A model is some meshes whose vertices are stored anew for each key pose.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.training.game_models.game_errors import broken_file

PLAYERS_COLOUR = 1  # bit of a mesh's properties: the player's colour shows where its texture is transparent
NAME = 64  # bytes of a name
_SIZES = struct.Struct("<III3f3fffII")


@dataclass(frozen=True, eq=False)
class G3DMesh:
    """positions (T, N, 3): key poses. normals (N, 3): of the first. uv (N, 2) with v from the picture's lower edge;
    None where there is no texture. faces (F, 3). texture: name of a picture beside the file. colour (3,): without one.
    """

    positions: np.ndarray
    normals: np.ndarray
    uv: np.ndarray | None
    faces: np.ndarray
    texture: str | None
    colour: np.ndarray
    of_player: bool


def read_g3d(data: bytes, name: str) -> list[G3DMesh]:
    """Meshes that have faces. Raises Motion324Error("game-file-broken")."""
    if data[:4] != b"G3D\x04":
        raise _broken(name)
    try:
        (count,) = struct.unpack_from("<H", data, 4)
        at, meshes = 7, []
        for _ in range(count):
            mesh, at = _read_mesh(data, at)
            meshes.append(mesh)
    except (struct.error, ValueError) as error:
        raise _broken(name) from error
    if not all(np.isfinite(mesh.positions).all() for mesh in meshes):
        raise _broken(name)
    return [mesh for mesh in meshes if len(mesh.faces)]


def _read_mesh(data: bytes, at: int) -> tuple[G3DMesh, int]:
    frames, count, corners, *colours, properties, textures = _SIZES.unpack_from(data, at + NAME)
    at += NAME + _SIZES.size
    names = []
    for _ in range(textures.bit_count()):
        names.append(data[at : at + NAME].split(b"\0")[0].decode("latin-1"))
        at += NAME
    moving = []
    for _ in ("positions", "normals"):
        moving.append(np.frombuffer(data, "<f4", frames * count * 3, at).reshape(frames, count, 3).astype(np.float64))
        at += frames * count * 12
    uv = None
    if names:
        uv = np.frombuffer(data, "<f4", count * 2, at).reshape(count, 2).astype(np.float64)
        at += count * 8
    faces = np.frombuffer(data, "<u4", corners, at).reshape(-1, 3).astype(np.int64)
    if len(faces) and faces.max() >= count:
        raise ValueError("a face of vertices that are not there")
    mesh = G3DMesh(
        positions=moving[0],
        normals=moving[1][0] if frames else np.zeros((count, 3)),
        uv=uv,
        faces=faces,
        texture=names[0] if names else None,
        colour=np.array(colours[:3]),
        of_player=bool(properties & PLAYERS_COLOUR),
    )
    return mesh, at + corners * 4


def _broken(name: str) -> Motion324Error:
    return broken_file(name, "model of MegaGlest", "megaglest-data")
