"""Reads skinned models (.spm, version 1) of SuperTuxKart, as its exporter for Blender writes them.

Space there is left-handed with Y up; what is returned is mirrored (z to -z), so that it is right-handed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.training.game_models.bone_places import matrices
from motion324.training.game_models.game_errors import broken_file

ANIMATED, STILL = 1, 2  # kinds of files: with armatures and without them
VERSION = 1
NORMALS, COLOURS, TANGENTS = 1, 2, 4  # bits of what is stored of a vertex
WHITE = 128  # instead of a colour
NO_JOINT = -1
MIRROR = np.diag([1.0, 1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Surface:
    """vertices (N, 3), colours (N, 3) uint8, uv (N, 2) with v from the picture's top, None without a texture, faces
    (F, 3), joints (N, 4), NO_JOINT for none, and weights (N, 4). texture: name of a picture, "" for none.
    """

    vertices: np.ndarray
    colours: np.ndarray
    uv: np.ndarray | None
    faces: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    texture: str


@dataclass(frozen=True)
class SpmArmature:
    """inverse (B, 4, 4): from the armature's space to the bones of the bind pose. parents (B,), -1 for roots. used: how
    many bones, the first ones, move vertices. times (K,): frames of the keys. places (K, B, 10): translation,
    quaternion x y z w, scale, relative to parents.
    """

    inverse: np.ndarray
    parents: np.ndarray
    used: int
    times: np.ndarray
    places: np.ndarray

    def skinning(self, frames: np.ndarray) -> np.ndarray:
        """frames (T,), between keys as well -> (T, used, 4, 4)."""
        last = np.searchsorted(self.times, frames, side="right").clip(1, max(len(self.times) - 1, 1)) - 1
        following = np.minimum(last + 1, len(self.times) - 1)
        span = np.maximum(self.times[following] - self.times[last], 1e-9)
        share = ((frames - self.times[last]) / span).clip(0, 1)[:, None, None]
        one, two = self.places[last], self.places[following].copy()
        two[..., 3:7] *= np.where((one[..., 3:7] * two[..., 3:7]).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
        local = matrices(one * (1 - share) + two * share)
        whole = np.empty_like(local)
        for bone in self._parents_first():
            parent = self.parents[bone]
            whole[:, bone] = local[:, bone] if parent < 0 else whole[:, parent] @ local[:, bone]
        return (whole @ self.inverse)[:, : self.used]

    def _parents_first(self) -> list[int]:
        order: list[int] = []
        while len(order) < len(self.parents):
            ready = [b for b, p in enumerate(self.parents) if b not in order and (p < 0 or p in order)]
            if not ready:
                raise ValueError("bones in a ring")
            order += ready
        return order


@dataclass(frozen=True)
class SpmModel:
    """surfaces: posed as in the frame `still`. armatures: joints of all of them are numbered through."""

    surfaces: tuple[Surface, ...]
    armatures: tuple[SpmArmature, ...]
    still: float

    def skinning(self, frames: np.ndarray) -> np.ndarray:
        """(T, J + 1, 4, 4), mirrored; the last one stands still, for what has no joints."""
        poses = [armature.skinning(frames) for armature in self.armatures]
        return MIRROR @ np.concatenate([*poses, np.tile(np.eye(4), (len(frames), 1, 1, 1))], axis=1) @ MIRROR


def read_spm(data: bytes, name: str) -> SpmModel:
    """Raises Motion324Error("game-file-broken")."""
    if data[:2] != b"SP" or len(data) < 30 or data[2] >> 3 != VERSION or data[2] & 7 not in (ANIMATED, STILL):
        raise _broken(name)
    try:
        return _read(_Reader(data, 28), data[3], data[2] & 7 == ANIMATED)
    except (struct.error, ValueError, IndexError) as error:
        raise _broken(name) from error


@dataclass
class _Reader:
    data: bytes
    at: int

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def text(self) -> str:
        length = self.take("B")
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8", "replace")

    def array(self, kind: Any, count: int) -> np.ndarray:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values


def _read(reader: _Reader, stored: int, animated: bool) -> SpmModel:
    materials = [(reader.text(), reader.text()) for _ in range(reader.take("H"))]
    surfaces = []
    for _ in range(reader.take("H")):
        for _ in range(reader.take("H")):
            surfaces.append(_read_surface(reader, stored, animated, materials))
    if not animated:
        return SpmModel(tuple(surfaces), (), 0.0)
    count, still = reader.take("B"), reader.take("H")
    return SpmModel(tuple(surfaces), tuple(_read_armature(reader) for _ in range(count)), float(still))


def _read_surface(reader: _Reader, stored: int, animated: bool, materials: list[tuple[str, str]]) -> Surface:
    count, corners, material = reader.take("I"), reader.take("I"), reader.take("H")
    textures = materials[material]
    fields: list[tuple[Any, ...]] = [("place", "<f4", 3)]
    if stored & NORMALS:
        fields.append(("normal", "<u4"))
    after: list[tuple[Any, ...]] = []
    if textures[0]:
        after.append(("uv", "<f2", 2))
        if textures[1]:
            after.append(("uv2", "<f2", 2))
        if stored & TANGENTS:
            after.append(("tangent", "<u4"))
    if animated:
        after += [("joints", "<i2", 4), ("weights", "<f2", 4)]
    places, colours, rest = _rows(reader, count, np.dtype(fields), np.dtype(after), bool(stored & COLOURS))
    faces = reader.array("u1" if count <= 255 else "<u2", corners).reshape(-1, 3).astype(np.int64)
    joints = rest["joints"].astype(np.int64) if animated else np.full((count, 4), NO_JOINT)
    weights = (
        np.where(joints == NO_JOINT, 0.0, rest["weights"].astype(np.float64)) if animated else np.zeros((count, 4))
    )
    return Surface(
        vertices=places["place"] * np.array([1.0, 1.0, -1.0]),
        colours=colours,
        uv=rest["uv"].astype(np.float64) if textures[0] else None,
        faces=faces[:, [0, 2, 1]],
        joints=np.where(weights > 0, joints, NO_JOINT),
        weights=weights,
        texture=textures[0],
    )


def _rows(
    reader: _Reader, count: int, first: np.dtype[Any], second: np.dtype[Any], coloured: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is stored before a vertex's colour, the colour, one byte for white and four for others, and what follows."""
    colours = np.full((count, 3), 255, np.uint8)
    if not coloured:
        whole = reader.array(np.dtype([("first", first), ("second", second)]), count)
        return whole["first"], colours, whole["second"]
    before, after = np.empty(count, first), np.empty(count, second)
    for row in range(count):
        before[row] = reader.array(first, 1)[0]
        if reader.take("B") != WHITE:
            colours[row] = reader.array("u1", 3)
        after[row] = reader.array(second, 1)[0]
    return before, colours, after


def _read_armature(reader: _Reader) -> SpmArmature:
    used, bones = reader.take("H"), reader.take("H")
    for _ in range(bones):
        reader.text()
    inverse = matrices(reader.array("<f4", bones * 10).reshape(bones, 10).astype(np.float64))
    parents = reader.array("<i2", bones).astype(np.int64)
    times, places = [], []
    for _ in range(reader.take("H")):
        times.append(reader.take("H"))
        places.append(reader.array("<f4", bones * 10).reshape(bones, 10).astype(np.float64))
    return SpmArmature(inverse, parents, used, np.array(times, np.float64), np.array(places))


def _broken(name: str) -> Motion324Error:
    return broken_file(name, "model of SuperTuxKart", "supertuxkart-data")
