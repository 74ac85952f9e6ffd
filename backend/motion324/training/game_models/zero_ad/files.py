"""Reads models (.pmd) and animations (.psa) of Pyrogenesis, the engine of 0 A.D., as its documentation describes them.

Space there is left-handed with Y up; what is returned is mirrored (z to -z), so that it is right-handed. Bones' states
are where bones stand in the model's space, not relative to their parents.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.training.game_models.game_errors import broken_file

NO_BONE = 255
POSES_A_SECOND = 30.0  # that animations are stored with


@dataclass(frozen=True)
class Mesh:
    """vertices (N, 3), normals (N, 3), uv (N, 2) with v from the picture's lower edge, faces (F, 3).

    joints (N, 4) and weights (N, 4); joint len(bones) stands still. bones (B, 4, 4): where they stand in the bind pose.
    points: by name, the bone (-1: none) and the place (4, 4) that something can hang on.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    bones: np.ndarray
    points: dict[str, tuple[int, np.ndarray]]


def read_mesh(data: bytes, name: str) -> Mesh:
    """Raises Motion324Error("game-file-broken")."""
    version = _version(data, b"PSMD", name)
    try:
        return _read_mesh(data, version)
    except (struct.error, ValueError, IndexError) as error:
        raise _broken(name) from error


def read_animation(data: bytes, name: str) -> np.ndarray:
    """(T, B, 4, 4): where the bones stand, POSES_A_SECOND. Raises Motion324Error("game-file-broken")."""
    _version(data, b"PSSA", name)
    try:
        (length,) = struct.unpack_from("<I", data, 12)
        at = 16 + length + 4
        bones, frames = struct.unpack_from("<II", data, at)
        states = np.frombuffer(data, "<f4", bones * frames * 7, at + 8).reshape(frames, bones, 7)
    except (struct.error, ValueError) as error:
        raise _broken(name) from error
    return places(states)


def places(states: np.ndarray) -> np.ndarray:
    """Bones' states (..., 7): translation, quaternion x y z w -> (..., 4, 4), mirrored."""
    states = states.astype(np.float64)
    x, y, z, w = np.moveaxis(states[..., 3:] / np.linalg.norm(states[..., 3:], axis=-1, keepdims=True), -1, 0)
    result = np.zeros((*states.shape[:-1], 4, 4))
    result[..., 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], axis=-1)
    result[..., 1, :3] = np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], axis=-1)
    result[..., 2, :3] = np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], axis=-1)
    result[..., :3, 3] = states[..., :3]
    result[..., 3, 3] = 1
    result[..., 2, :] *= -1
    result[..., :, 2] *= -1
    return result


def _read_mesh(data: bytes, version: int) -> Mesh:
    (count,) = struct.unpack_from("<I", data, 12)
    at, sets = 16, 1
    if version >= 4:
        (sets,) = struct.unpack_from("<I", data, at)
        at += 4
    kind = np.dtype(
        [("place", "<f4", 3), ("normal", "<f4", 3), ("uv", "<f4", (sets, 2)), ("bones", "u1", 4), ("weights", "<f4", 4)]
    )
    rows = np.frombuffer(data, kind, count, at)
    at += count * kind.itemsize
    (face_count,) = struct.unpack_from("<I", data, at)
    faces = np.frombuffer(data, "<u2", face_count * 3, at + 4).reshape(-1, 3).astype(np.int64)
    at += 4 + face_count * 6
    (bone_count,) = struct.unpack_from("<I", data, at)
    bones = places(np.frombuffer(data, "<f4", bone_count * 7, at + 4).reshape(-1, 7))
    at += 4 + bone_count * 28
    weights = np.where(rows["bones"] == NO_BONE, 0, rows["weights"]).astype(np.float64)
    joints = np.minimum(rows["bones"].astype(np.int64), bone_count)
    still = weights.sum(axis=1) <= 1e-6
    joints[still, 0], weights[still, 0] = bone_count, 1
    mirror = np.array([1.0, 1.0, -1.0])
    return Mesh(
        vertices=rows["place"] * mirror,
        normals=rows["normal"] * mirror,
        uv=rows["uv"][:, 0].astype(np.float64),
        faces=_outwards(rows["place"] * mirror, rows["normal"] * mirror, faces),
        joints=joints,
        weights=weights / weights.sum(axis=1, keepdims=True),
        bones=bones,
        points=_read_points(data, at),
    )


def _read_points(data: bytes, at: int) -> dict[str, tuple[int, np.ndarray]]:
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    points = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data, at)
        name = data[at + 4 : at + 4 + length].decode("ascii", "replace")
        at += 4 + length
        place = places(np.frombuffer(data, "<f4", 7, at))
        bone = data[at + 28]
        at += 29
        points[name] = (-1 if bone == NO_BONE else bone, place)
    return points


def _outwards(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Turned so that the faces' order agrees with the normals, all together: some exporters wrote it the other way."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    agree = float((across * normals[faces].sum(axis=1)).sum())
    return faces if agree >= 0 else faces[:, [0, 2, 1]]


def _version(data: bytes, magic: bytes, name: str) -> int:
    if data[:4] != magic or len(data) < 16:
        raise _broken(name)
    return int.from_bytes(data[4:8], "little")


def _broken(name: str) -> Motion324Error:
    return broken_file(name, "model or animation of 0 A.D.", "0ad-data")
