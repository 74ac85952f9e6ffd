"""Describes the view: a pinhole camera relative to the mesh in normalised space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class View:
    """A camera that does not move while the object does.

    rotation (3, 3), translation (3,): normalised space -> camera space in OpenCV's axes (x right, y down, z ahead).
    focal: focal length in units of the image's height; centre: principal point in units of width and height.
    """

    rotation: np.ndarray
    translation: np.ndarray
    focal: float
    centre: tuple[float, float] = (0.5, 0.5)

    @property
    def azimuth(self) -> float:
        """Degrees around the up axis; 0 looks at the mesh's front (+Z), 90 from +X."""
        eye = self.position
        return math.degrees(math.atan2(eye[0], eye[2]))

    @property
    def elevation(self) -> float:
        """Degrees above the mesh's horizon, of the camera's position."""
        eye = self.position
        return math.degrees(math.asin(float(np.clip(eye[1] / (np.linalg.norm(eye) + 1e-12), -1, 1))))

    @property
    def position(self) -> np.ndarray:
        """(3,) the camera's centre in normalised space."""
        return -self.rotation.T @ self.translation

    def matrix(self, height: int, width: int) -> np.ndarray:
        """(3, 3) intrinsic matrix in pixels; pixel (0, 0) covers 0..1, so its centre lies at 0.5."""
        f = self.focal * height
        return np.array([[f, 0, self.centre[0] * width], [0, f, self.centre[1] * height], [0, 0, 1]])

    def project(self, points: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """points (..., 3) normalised -> pixels (..., 2) and depth (...) along the viewing axis."""
        camera = points @ self.rotation.T + self.translation
        depth = camera[..., 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        f = self.focal * height
        u = f * camera[..., 0] / safe + self.centre[0] * width
        v = f * camera[..., 1] / safe + self.centre[1] * height
        return np.stack([u, v], axis=-1), depth

    def of_part(self, box: tuple[float, float, float, float], size: tuple[int, int]) -> View:
        """The same camera for a part of its picture of size (height, width), which may reach beyond it.

        box: the part's top, bottom, left and right in pixels of the whole picture.
        """
        top, bottom, left, right = box
        height, width = size
        centre = (
            (self.centre[0] * width - left) / (right - left),
            (self.centre[1] * height - top) / (bottom - top),
        )
        return replace(self, focal=self.focal * height / (bottom - top), centre=centre)


def look_at_origin(azimuth: float, elevation: float, distance: float, focal: float) -> View:
    """The camera at `distance` from the origin, looking at it, its up towards +Y. Angles in degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    eye = distance * np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    ahead = -eye / distance
    right = np.array([math.cos(a), 0.0, -math.sin(a)])
    down = np.cross(ahead, right)
    rotation = np.stack([right, down, ahead])
    return View(rotation=rotation, translation=-rotation @ eye, focal=focal)
