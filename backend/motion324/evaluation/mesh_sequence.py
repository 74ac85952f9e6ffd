"""Holds a moving triangle mesh as plain data, finds its numbered files, samples points on it, and lays it elsewhere by
a rotation, a scale and a shift.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

SOME_FACES = 1000


@dataclass(frozen=True)
class MeshSequence:
    """T frames of N vertices and F triangles; the triangles are the same in every frame.

    positions (T, N, 3) float32: Y up. faces (F, 3) int32. source: the file or folder that it came from.
    """

    positions: np.ndarray
    faces: np.ndarray
    source: Path


def bad_sequence(code: str, sentence: str, hint: str = "") -> Motion324Error:
    """The error of an animation that cannot be scored; it ends up in its clip's result."""
    return Motion324Error(code, sentence, hint, EXIT_BAD_MESH)


def check_sequence(sequence: MeshSequence) -> MeshSequence:
    """The same sequence. Raises Motion324Error that names the source and, where there is one, the first bad frame.

    Codes: sequence-malformed, sequence-empty, sequence-not-finite, sequence-bad-faces, sequence-zero-area.
    """
    positions, faces, source = sequence.positions, sequence.faces, sequence.source
    if positions.ndim != 3 or positions.shape[2] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise bad_sequence(
            "sequence-malformed",
            f"'{source}' has positions of shape {positions.shape} and faces of shape {faces.shape}, where (T, N, 3) "
            "and (F, 3) are needed.",
        )
    if not (positions.size and faces.size):
        raise bad_sequence(
            "sequence-empty",
            f"'{source}' is empty: {len(positions)} frames, {positions.shape[1]} vertices, {len(faces)} faces.",
        )
    finite = np.isfinite(positions).all(axis=(1, 2))
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise bad_sequence(
            "sequence-not-finite",
            f"'{source}' has {int((~finite).sum())} frames with positions that are not finite numbers "
            f"(the first is frame {first}).",
        )
    outside = faces[(faces < 0) | (faces >= positions.shape[1])]
    if len(outside):
        raise bad_sequence(
            "sequence-bad-faces",
            f"'{source}' has faces that refer to vertex {int(outside[0])}, but only {positions.shape[1]} vertices, "
            "counted from 0.",
        )
    for index, frame in enumerate(positions):
        if not has_area(frame, faces):
            raise bad_sequence("sequence-zero-area", f"Frame {index} of '{source}' has no area.")
    return sequence


def has_area(positions: np.ndarray, faces: np.ndarray) -> bool:
    """positions (N, 3), faces (F, 3): whether any is left of the triangles, by the measure of their own extent."""
    extent = float(np.ptp(positions, axis=0).max())
    if not extent > 0:
        return False
    some = faces[:: max(1, len(faces) // SOME_FACES)]  # almost always enough, and far quicker in a long sequence
    return any(face_areas(positions / extent, chosen).sum() > 1e-10 for chosen in (some, faces))


def face_areas(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """positions (N, 3), faces (F, 3) -> (F,) float64."""
    first, second, third = (positions[faces[:, corner]].astype(np.float64) for corner in range(3))
    u, v = (second - first).T, (third - first).T
    x, y, z = u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]
    return np.asarray(0.5 * np.sqrt(x * x + y * y + z * z))


def normalised_by_first_frame(positions: np.ndarray) -> np.ndarray:
    """(T, N, 3) -> (T, N, 3) float64: the first frame's bounding box is centred, and its longest side is 2."""
    first = positions[0].astype(np.float64)
    low, high = first.min(axis=0), first.max(axis=0)
    return np.asarray((positions.astype(np.float64) - (low + high) / 2) * (2.0 / (high - low).max()))


def numbered_files(folder: Path, pattern: str) -> list[Path]:
    """The files that fit `pattern`, such as "frame_*.npy", by their number: 0, 1, 2, ..., leading zeros or not.

    Raises Motion324Error: sequence-empty, sequence-unreadable (a name without a number, or a number twice),
    sequence-frame-missing.
    """
    prefix = pattern.partition("*")[0]
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(pattern)):
        text = path.stem.removeprefix(prefix)
        if not text.isdecimal():
            raise bad_sequence("sequence-unreadable", f"'{path}' has no number in its name.")
        if (twin := found.setdefault(int(text), path)) != path:
            raise bad_sequence("sequence-unreadable", f"'{twin}' and '{path}' are both frame {int(text)}.")
    if not found:
        raise bad_sequence("sequence-empty", f"The folder '{folder}' holds no {pattern.replace('*', 'XXXX')}.")
    frames = max(found) + 1
    if missing := frames - len(found):
        first = next(number for number in count() if number not in found)
        others = f", nor {missing - 1} more of them." if missing > 1 else "."
        raise bad_sequence("sequence-frame-missing", f"'{folder}' has no frame {first} of its {frames} frames{others}")
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True)
class SurfacePlaces:
    """S places on a mesh: faces (S, 3) int32, the vertices of each place's triangle; weights (S, 3) float64."""

    faces: np.ndarray
    weights: np.ndarray

    def on(self, positions: np.ndarray) -> np.ndarray:
        """positions (..., N, 3) -> points (..., S, 3) float64."""
        points = self.weights[:, 0, None] * positions[..., self.faces[:, 0], :]
        for corner in (1, 2):
            points += self.weights[:, corner, None] * positions[..., self.faces[:, corner], :]
        return np.asarray(points, np.float64)

    def some(self, count: int) -> SurfacePlaces:
        """`count` of them, evenly over their order, or all where there are no more."""
        if count >= len(self.faces):
            return self
        chosen = np.linspace(0, len(self.faces) - 1, count).astype(np.int64)
        return SurfacePlaces(self.faces[chosen], self.weights[chosen])


def sample_places(positions: np.ndarray, faces: np.ndarray, count: int, seed: tuple[int, ...]) -> SurfacePlaces:
    """`count` places, each drawn by area of positions (N, 3), independently; the same seed gives the same ones.

    They come in the order of the faces: in most meshes neighbours follow each other then, and searches are faster.
    """
    generator = np.random.default_rng(seed)
    cumulative = np.cumsum(face_areas(positions, faces))
    # Independent uniform numbers in their order are sums of exponential ones over the sum of all and one more.
    steps = np.cumsum(generator.standard_exponential(count + 1))
    face = np.searchsorted(cumulative, steps[:-1] * (cumulative[-1] / steps[-1]), side="right")
    face = np.minimum(face, int(np.flatnonzero(np.diff(cumulative, prepend=0.0))[-1]))
    root, across = np.sqrt(generator.random(count)), generator.random(count)
    return SurfacePlaces(faces[face], np.stack([1 - root, root * (1 - across), root * across], axis=1))


@dataclass(frozen=True)
class Similarity:
    """x -> scale * rotation @ x + shift. rotation (3, 3) proper; shift (3,)."""

    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    shift: np.ndarray = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0

    def apply(self, points: np.ndarray) -> np.ndarray:
        """points (..., 3) -> (..., 3)."""
        return np.asarray(self.scale * (points @ self.rotation.T) + self.shift)

    def after(self, earlier: Similarity) -> Similarity:
        """First `earlier`, then this one: rotations multiply from the left."""
        return Similarity(
            self.rotation @ earlier.rotation,
            self.scale * self.rotation @ earlier.shift + self.shift,
            self.scale * earlier.scale,
        )

    @property
    def angle(self) -> float:
        """Degrees of the rotation."""
        return float(np.degrees(Rotation.from_matrix(self.rotation).magnitude()))


def best_rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that turns centred source (P, 3) onto centred target (P, 3) with the least squares.

    W. Kabsch, A solution for the best rotation to relate two sets of vectors (1976).
    """
    u, _, vt = np.linalg.svd(source.T @ target)
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    return np.asarray(vt.T @ mirror @ u.T)


def about_x(degrees: float) -> np.ndarray:
    """The rotation (3, 3) about X; by -90 degrees it turns Z to Y."""
    return np.asarray(Rotation.from_euler("x", degrees, degrees=True).as_matrix())


def cube_rotations() -> np.ndarray:
    """(24, 3, 3): the turns that map a cube onto itself; the first is the identity."""
    turns = []
    for axes in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1), (1, 0, 2), (2, 1, 0)):
        for signs in np.ndindex(2, 2, 2):
            matrix = np.zeros((3, 3))
            matrix[range(3), axes] = 1.0 - 2.0 * np.array(signs)
            if np.linalg.det(matrix) > 0:
                turns.append(matrix)
    return np.array(turns)
