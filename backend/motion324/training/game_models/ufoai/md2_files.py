"""Reads models (.md2) in the format of Quake II, whose vertices are stored for each frame in whole steps of a box.

Space there is right-handed with Z up; what is returned has Y up.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.training.game_models.game_errors import broken_file

MAGIC, VERSION = b"IDP2", 8
FIELDS = (
    *("skin_width", "skin_height", "frame_size", "skins", "vertices", "places", "triangles", "commands", "frames"),
    *("skins_at", "places_at", "triangles_at", "frames_at", "commands_at", "end_at"),
)


@dataclass(frozen=True)
class Md2Model:
    """positions (T, N, 3): frames. faces (F, 3), counter-clockwise seen from outside. uv (F, 3, 2), v from the top."""

    positions: np.ndarray
    faces: np.ndarray
    uv: np.ndarray


def read_md2(data: bytes, name: str) -> Md2Model:
    """Raises Motion324Error("game-file-broken")."""
    try:
        magic, version, *values = struct.unpack_from(f"<4si{len(FIELDS)}i", data)
        if magic != MAGIC or version != VERSION:
            raise ValueError("no MD2")
        head = dict(zip(FIELDS, values, strict=True))
        corner = np.dtype([("vertices", "<u2", 3), ("places", "<u2", 3)])
        triangles = np.frombuffer(data, corner, head["triangles"], head["triangles_at"])
        places = np.frombuffer(data, "<i2", 2 * head["places"], head["places_at"]).reshape(-1, 2).astype(np.float64)
        frame = np.dtype(
            [("scale", "<f4", 3), ("shift", "<f4", 3), ("name", "S16"), ("steps", "u1", (head["vertices"], 4))]
        )
        frames = np.frombuffer(data, frame, head["frames"], head["frames_at"])
        uv = (places / (head["skin_width"], head["skin_height"]))[triangles["places"].astype(np.int64)]
    except (struct.error, ValueError, IndexError, ZeroDivisionError) as error:
        raise _broken(name) from error
    positions = frames["steps"][..., :3] * frames["scale"][:, None] + frames["shift"][:, None]
    faces = triangles["vertices"].astype(np.int64)
    if not len(positions) or faces.max(initial=0) >= positions.shape[1] or not np.isfinite(positions).all():
        raise _broken(name)
    x, y, z = np.moveaxis(positions.astype(np.float64), -1, 0)
    return Md2Model(np.stack([x, z, -y], axis=-1), faces[:, [0, 2, 1]], uv[:, [0, 2, 1]])


def _broken(name: str) -> Motion324Error:
    return broken_file(name, "Quake II model")
