"""Reads models and animations in the Inter-Quake Model format (.iqm, version 2), as its authors publish it.

Space there is right-handed with Z up; what is returned has Y up.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.training.game_models.bone_places import matrices
from motion324.training.game_models.game_errors import broken_file

MAGIC = b"INTERQUAKEMODEL\0"
VERSION = 2
FIELDS = (
    *("version", "size", "flags", "text", "text_at", "meshes", "meshes_at", "arrays", "vertices", "arrays_at"),
    *("triangles", "triangles_at", "adjacency_at", "joints", "joints_at", "poses", "poses_at", "anims", "anims_at"),
    *("frames", "channels", "frames_at"),
)
PLACE, UV, NORMAL, JOINTS, WEIGHTS = 0, 1, 2, 4, 5  # kinds of arrays
TYPES = {0: "i1", 1: "u1", 2: "<i2", 3: "<u2", 4: "<i4", 5: "<u4", 6: "<f2", 7: "<f4", 8: "<f8"}
CHANNELS = 10  # of a bone's place: translation, quaternion x y z w, scale
Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True)
class IqmModel:
    """vertices (N, 3), normals (N, 3), uv (N, 2) with v from the picture's top, faces (F, 3), joints, weights (N, 4).
    meshes: names, and the faces of each. parents (B,), -1 for roots. inverse (B, 4, 4): from model space to bones.
    """

    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    meshes: dict[str, slice]
    parents: np.ndarray
    inverse: np.ndarray

    def skinning(self, places: np.ndarray) -> np.ndarray:
        """places (T, B, 4, 4) of bones relative to their parents -> (T, B, 4, 4)."""
        return turned(_whole(places, self.parents) @ self.inverse)


@dataclass(frozen=True)
class IqmAnimation:
    """places (T, B, 4, 4): of bones, relative to their parents, Z up. rate: frames a second."""

    places: np.ndarray
    rate: float


def read_model(data: bytes, name: str) -> IqmModel:
    """Raises Motion324Error("game-file-broken")."""
    try:
        return _read_model(data, _header(data))
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise _broken(name) from error


def read_animation(data: bytes, name: str) -> IqmAnimation:
    """The first animation of a file. Raises Motion324Error("game-file-broken")."""
    try:
        head = _header(data)
        poses = np.frombuffer(
            data,
            np.dtype([("parent", "<i4"), ("mask", "<u4"), ("offset", "<f4", CHANNELS), ("scale", "<f4", CHANNELS)]),
            head["poses"],
            head["poses_at"],
        )
        stored = np.frombuffer(data, "<u2", head["frames"] * head["channels"], head["frames_at"])
        _, first, count, rate = struct.unpack_from("<3If", data, head["anims_at"])
        stored = stored.reshape(head["frames"], head["channels"])[first : first + count].astype(np.float64)
        values = np.tile(poses["offset"].astype(np.float64), (count, 1, 1))
        changing = (poses["mask"][:, None] >> np.arange(CHANNELS)) & 1 == 1
        values[:, changing] += stored * poses["scale"].astype(np.float64)[changing]
    except (struct.error, ValueError) as error:
        raise _broken(name) from error
    return IqmAnimation(matrices(values), float(rate))


def _read_model(data: bytes, head: dict[str, int]) -> IqmModel:
    text = data[head["text_at"] : head["text_at"] + head["text"]]
    arrays: dict[int, np.ndarray] = {}
    for index in range(head["arrays"]):
        kind, _, form, size, at = struct.unpack_from("<5I", data, head["arrays_at"] + 20 * index)
        values = np.frombuffer(data, TYPES[form], size * head["vertices"], at).reshape(-1, size)
        arrays[kind] = values.astype(np.float64)
    faces = np.frombuffer(data, "<u4", head["triangles"] * 3, head["triangles_at"]).reshape(-1, 3).astype(np.int64)
    meshes = {}
    for index in range(head["meshes"]):
        name, _, _, _, first, count = struct.unpack_from("<6I", data, head["meshes_at"] + 24 * index)
        meshes[text[name:].split(b"\0")[0].decode("utf-8", "replace")] = slice(first, first + count)
    bones = np.frombuffer(
        data,
        np.dtype([("name", "<u4"), ("parent", "<i4"), ("place", "<f4", CHANNELS)]),
        head["joints"],
        head["joints_at"],
    )
    parents = bones["parent"].astype(np.int64)
    rest = _whole(matrices(bones["place"].astype(np.float64))[None], parents)[0]
    weights = arrays[WEIGHTS] / np.maximum(arrays[WEIGHTS].sum(axis=1, keepdims=True), 1e-9)
    return IqmModel(
        vertices=arrays[PLACE] @ Y_UP[:3, :3].T,
        normals=arrays[NORMAL] @ Y_UP[:3, :3].T,
        uv=arrays[UV],
        faces=faces,
        joints=np.where(weights > 0, arrays[JOINTS], 0).astype(np.int64),
        weights=weights,
        meshes=meshes,
        parents=parents,
        inverse=np.linalg.inv(rest),
    )


def turned(matrices: np.ndarray) -> np.ndarray:
    """(..., 4, 4) that act where Z is up -> where Y is."""
    result: np.ndarray = Y_UP @ matrices @ Y_UP.T
    return result


def _whole(places: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """places (T, B, 4, 4) relative to parents, which come first -> in the model's space."""
    whole = np.empty_like(places)
    for bone, parent in enumerate(parents):
        whole[:, bone] = places[:, bone] if parent < 0 else whole[:, parent] @ places[:, bone]
    return whole


def _header(data: bytes) -> dict[str, Any]:
    head = dict(zip(FIELDS, struct.unpack_from(f"<{len(FIELDS)}I", data, len(MAGIC)), strict=True))
    if data[: len(MAGIC)] != MAGIC or head["version"] != VERSION:
        raise ValueError("no IQM")
    return head


def _broken(name: str) -> Motion324Error:
    return broken_file(name, "Inter-Quake model or animation")
