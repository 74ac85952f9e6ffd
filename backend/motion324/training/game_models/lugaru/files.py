"""Reads models (.solid), skeletons and animations of Lugaru, as its public source tells their layout: all big-endian.

Space there is right-handed with Y up; models are stored upside down, at 25 times the skeletons' size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from motion324.core.errors import Motion324Error
from motion324.training.game_models.game_errors import broken_file

SIZE = 0.04  # of a model, in the skeletons' units
_JOINT = struct.Struct(">5f2bi2b2ibi")
_MUSCLE = struct.Struct(">5f2i")
_ENDS = struct.Struct(">bii")


@dataclass(frozen=True)
class Solid:
    """vertices (N, 3) in the skeletons' space, faces (F, 3), uv (F, 3, 2) with v from the picture's top."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray


@dataclass(frozen=True)
class LugaruSkeleton:
    """places (J, 3) of joints in the bind pose, labels (J,): what they are. ends (M, 2): the joints of each muscle, and
    vertices: whose vertices those are, of each. forward (2, 3): joints in whose plane the chest and the hips lie.
    """

    places: np.ndarray
    labels: np.ndarray
    ends: np.ndarray
    vertices: list[np.ndarray]
    forward: np.ndarray


@dataclass(frozen=True)
class LugaruAnimation:
    """places (T, J, 3) of joints. speeds (T,): key poses a second."""

    places: np.ndarray
    speeds: np.ndarray


def read_solid(data: bytes, name: str) -> Solid:
    """Raises Motion324Error("game-file-broken")."""
    try:
        vertices, faces = struct.unpack_from(">hh", data)
        places = np.frombuffer(data, ">f4", vertices * 3, 4).reshape(-1, 3).astype(np.float64)
        rows = np.frombuffer(
            data, np.dtype([("corners", ">i2", 6), ("u", ">f4", 3), ("v", ">f4", 3)]), faces, 4 + 12 * vertices
        )
        corners = rows["corners"][:, ::2]  # between them lies what nobody reads
        if corners.min() < 0 or corners.max() >= vertices:
            raise ValueError("a face of vertices that are not there")
    except (struct.error, ValueError) as error:
        raise _broken(name) from error
    return Solid(
        vertices=places * (SIZE, -SIZE, -SIZE),
        faces=corners.astype(np.int64),
        uv=np.stack([rows["u"], rows["v"]], axis=2).astype(np.float64),
    )


def read_skeleton(data: bytes, name: str) -> LugaruSkeleton:
    """Raises Motion324Error("game-file-broken")."""
    try:
        (count,) = struct.unpack_from(">i", data)
        joints = [_JOINT.unpack_from(data, 4 + _JOINT.size * index) for index in range(count)]
        at = 4 + _JOINT.size * count
        (muscles,) = struct.unpack_from(">i", data, at)
        at += 4
        ends, vertices = [], []
        for _ in range(muscles):
            held = _MUSCLE.unpack_from(data, at)[-1]
            vertices.append(np.frombuffer(data, ">i4", held, at + _MUSCLE.size).astype(np.int64))
            at += _MUSCLE.size + 4 * held
            ends.append(_ENDS.unpack_from(data, at)[1:])
            at += _ENDS.size
        forward = np.array(struct.unpack_from(">6i", data, at)).reshape(2, 3)
        if max(np.max(ends), forward.max()) >= count or min(np.min(ends), forward.min()) < 0:
            raise ValueError("joints that are not there")
    except (struct.error, ValueError) as error:
        raise _broken(name) from error
    return LugaruSkeleton(
        places=np.array([joint[:3] for joint in joints]),
        labels=np.array([joint[10] for joint in joints]),
        ends=np.array(ends),
        vertices=vertices,
        forward=forward,
    )


def read_animation(data: bytes, name: str) -> LugaruAnimation:
    """Raises Motion324Error("game-file-broken")."""
    try:
        frames, joints = struct.unpack_from(">ii", data)
        pose = np.dtype(
            [("places", ">f4", (joints, 3)), ("twist", ">f4", joints), ("low", "u1", joints), ("speed", ">f4")]
        )
        poses = np.frombuffer(data, pose, frames, 8)
    except (struct.error, ValueError) as error:
        raise _broken(name) from error
    return LugaruAnimation(poses["places"].astype(np.float64), poses["speed"].astype(np.float64))


def _broken(name: str) -> Motion324Error:
    return broken_file(name, "model, skeleton or animation of Lugaru", "lugaru-data")
