"""Rotations in batches: matrices, quaternions (w, x, y, z), axis times angle, and Euler angles as Blender orders them.

Euler order "XYZ" turns about X first: the matrix is Rz Ry Rx (Blender's manual, "Rotation Modes").
"""

from __future__ import annotations

import numpy as np

from motion324.core.motion.quaternions import to_quaternion

_AXES = {"X": 0, "Y": 1, "Z": 2}


def from_vector(vectors: np.ndarray) -> np.ndarray:
    """vectors (..., 3): axis times angle in radians -> (..., 3, 3), by Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    skew = cross_matrix(vectors)
    safe = np.maximum(angle, 1e-12)
    return np.eye(3) + np.sinc(angle / np.pi) * skew + (1 - np.cos(angle)) / safe**2 * (skew @ skew)


def to_vector(matrices: np.ndarray) -> np.ndarray:
    """The inverse of `from_vector`, with angles of at most pi."""
    quaternions = to_quaternion(matrices)
    quaternions = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternions[..., :1])
    return np.where(sine > 1e-12, angle / np.maximum(sine, 1e-300), 2.0) * quaternions[..., 1:]


def cross_matrix(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 3, 3): the matrix that takes a vector's cross product from the left."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = [np.stack(row, axis=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    return np.stack(rows, axis=-2)


def euler_axes(angles: np.ndarray, order: str) -> np.ndarray:
    """angles (..., 3) about X, Y, Z -> (..., 3, 3): row k is the axis, in the space before the rotation's own, about
    which a growing angle k turns."""
    first, second, third = (_AXES[letter] for letter in order)
    outer = _about(angles[..., third], third)
    middle = outer @ _about(angles[..., second], second)
    axes = np.empty((*angles.shape[:-1], 3, 3))
    axes[..., third, :] = np.eye(3)[third]
    axes[..., second, :] = outer[..., :, second]
    axes[..., first, :] = middle[..., :, first]
    return axes


def from_euler(angles: np.ndarray, order: str) -> np.ndarray:
    """angles (..., 3) in radians about X, Y, Z -> (..., 3, 3)."""
    first, second, third = (_AXES[letter] for letter in order)
    return (
        _about(angles[..., third], third)
        @ _about(angles[..., second], second)
        @ _about(angles[..., first], first)
    )  # fmt: skip


def to_euler(matrices: np.ndarray, order: str) -> np.ndarray:
    """(..., 3, 3) -> (..., 3) radians about X, Y, Z, the middle angle within a quarter turn."""
    first, second, third = (_AXES[letter] for letter in order)
    sign = 1.0 if order in ("XYZ", "YZX", "ZXY") else -1.0
    m = matrices
    cosine = np.hypot(m[..., first, first], m[..., second, first])
    straight = cosine > 1e-9  # else the first and third axis are one: all of the turn is given to the first
    angles = np.empty((*m.shape[:-2], 3))
    angles[..., second] = np.arctan2(-sign * m[..., third, first], cosine)
    angles[..., first] = np.where(
        straight,
        np.arctan2(sign * m[..., third, second], m[..., third, third]),
        np.arctan2(-sign * m[..., second, third], m[..., second, second]),
    )
    angles[..., third] = np.where(straight, np.arctan2(sign * m[..., second, first], m[..., first, first]), 0.0)
    return angles


def without_leaps(angles: np.ndarray, order: str) -> np.ndarray:
    """angles (T, ..., 3): the same rotations, each by the angles that are nearest to those of the frame before."""
    first, second, third = (_AXES[letter] for letter in order)
    smooth = np.array(angles, np.float64)
    for t in range(1, len(smooth)):
        before, now = smooth[t - 1], angles[t]
        other = now.copy()
        other[..., first] += np.pi
        other[..., second] = np.pi - now[..., second]
        other[..., third] += np.pi
        both = [each + 2 * np.pi * np.round((before - each) / (2 * np.pi)) for each in (now, other)]
        far = [np.abs(each - before).sum(axis=-1) for each in both]
        smooth[t] = np.where((far[1] < far[0] - 1e-9)[..., None], both[1], both[0])
    return smooth


def nearest_rotation(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> the rotations nearest to them (Kabsch's rule, with mirrors refused)."""
    u, _, v = np.linalg.svd(matrices)
    sign = np.where(np.linalg.det(u @ v) < 0, -1.0, 1.0)
    u = u.copy()
    u[..., :, 2] *= sign[..., None]
    return u @ v


def _about(angles: np.ndarray, axis: int) -> np.ndarray:
    """(...) radians -> (..., 3, 3): about one of the three axes."""
    vectors = np.zeros((*np.shape(angles), 3))
    vectors[..., axis] = angles
    return from_vector(vectors)
