"""The travel and the turn of a body over the ground, apart from how it moves its limbs.

A root is on the ground plane: it goes along the two level axes and turns about the upright one; what goes up and down
stays in the pose. Y up or Z up is asked for once, here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RootMotion:
    """travel (T, 2) float64: where the body's middle has gone since frame 0, and turn (T,) float64: how far it has
    turned, in radians, anticlockwise seen from above, without leaps. middle (2,) float64: where it was in frame 0.

    The two numbers of a place are (z, x) with Y up, and (x, y) with Z up: seen from above, the second axis is a quarter
    turn anticlockwise from the first in both.
    """

    travel: np.ndarray
    turn: np.ndarray
    middle: np.ndarray
    up: str

    def matrices(self) -> np.ndarray:
        """(T, 4, 4) float64: from where the body would be in place to where it is."""
        first, second, upright = _axes(self.up)
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        matrices = np.zeros((len(self.turn), 4, 4))
        matrices[:, upright, upright] = matrices[:, 3, 3] = 1
        matrices[:, first, first], matrices[:, first, second] = cos, -sin
        matrices[:, second, first], matrices[:, second, second] = sin, cos
        turned = np.stack(
            [cos * self.middle[0] - sin * self.middle[1], sin * self.middle[0] + cos * self.middle[1]], axis=1
        )
        matrices[:, [first, second], 3] = self.middle + self.travel - turned
        return matrices

    def rotations(self) -> np.ndarray:
        """(T, 4) float64: the turns as quaternions w, x, y, z, without leaps."""
        quaternions = np.zeros((len(self.turn), 4))
        quaternions[:, 0] = np.cos(self.turn / 2)
        quaternions[:, 1 + _axes(self.up)[2]] = np.sin(self.turn / 2)
        return quaternions


def root_motion_of(positions: np.ndarray, up: str) -> RootMotion:
    """Of positions (T, N, 3) whose up axis is "Y" or "Z": the middle of the vertices, and the turn about it that brings
    frame 0 nearest to a frame (Procrustes, in the ground plane)."""
    first, second, _ = _axes(up)
    middles = np.empty(len(positions), np.complex128)
    turns = np.empty(len(positions))
    still = None
    for index, frame in enumerate(positions):
        places = frame[:, first].astype(np.float64) + 1j * frame[:, second]
        middles[index] = places.mean()
        places -= middles[index]
        still = places if still is None else still
        turns[index] = np.angle(np.vdot(still, places))
    travel = middles - middles[0]
    return RootMotion(
        travel=np.stack([travel.real, travel.imag], axis=1),
        turn=np.unwrap(turns),
        middle=np.array([middles[0].real, middles[0].imag]),
        up=up,
    )


def in_place(positions: np.ndarray, root: RootMotion) -> np.ndarray:
    """(T, N, 3) float32: positions without the root's motion."""
    return _moved(positions, np.linalg.inv(root.matrices()))


def carried(positions: np.ndarray, root: RootMotion) -> np.ndarray:
    """(T, N, 3) float32: positions in place with the root's motion; the inverse of `in_place`."""
    return _moved(positions, root.matrices())


def _moved(positions: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    moved = np.empty(positions.shape, np.float32)
    for frame, matrix, target in zip(positions, matrices, moved, strict=True):
        target[:] = frame.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def _axes(up: str) -> tuple[int, int, int]:
    """The two level axes, the second a quarter turn anticlockwise of the first seen from above, and the upright one."""
    return (2, 0, 1) if up == "Y" else (0, 1, 2)
