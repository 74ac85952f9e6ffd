"""Defines the interface of a reconstructor: it knows arrays, and nothing of files, sockets or Blender."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from motion324.core.files.frame_storage import Masks
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View

if TYPE_CHECKING:
    from motion324.mesh.surface import SurfaceSamples  # needs scipy, which whoever only serves jobs need not have


@dataclass(frozen=True)
class Scene:
    """All that a reconstructor may look at. T frames, N vertices.

    mesh: in normalised space (Y up, bounding box centred at the origin, longest side 1).
    surface: area-weighted samples of that mesh.
    frames (T, H, W, 3) uint8 sRGB; masks (T, H, W) in [0, 1], 1 on the object; both are read by frames.
    view: the camera that sees the mesh as frame 0 shows it.
    """

    mesh: ReferenceMesh
    surface: SurfaceSamples
    frames: np.ndarray
    masks: Masks
    view: View
    seed: int = 0


@dataclass(frozen=True)
class FrameBatch:
    """Positions of some frames, as soon as they are known.

    indices (B,) int: into the frames of the Scene, each in 0..T-1.
    positions (B, N, 3) float32: normalised space.
    final: False where the same frames will come again, refined.
    expected_error (B, N) float32: how far each position is expected to lie from where it should, in the same space;
    None where the reconstructor cannot tell.
    """

    indices: np.ndarray
    positions: np.ndarray
    final: bool
    expected_error: np.ndarray | None = None


class Reconstructor(Protocol):
    """Every frame is yielded once with final=True; before that it may come any number of times with final=False."""

    name: str
    trembles: bool  # whether its answers tremble from frame to frame, which is then taken off the result

    def check_job(self, frames: int, vertices: int) -> None:
        """Raises Motion324Error where it can be known, before any work, that such a job cannot be done."""

    def reconstruct(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]: ...

    def details(self) -> dict[str, Any]:
        """What the report should tell of how the last job was done, as plain JSON values."""


@runtime_checkable
class TrackedReconstructor(Reconstructor, Protocol):
    """One that can be asked again, told where the vertices are believed to be meanwhile."""

    def takes_tracks(self, progress: Progress) -> bool:
        """Whether these weights were trained for it. Raises Motion324Error where they cannot be loaded."""

    def reconstruct(self, scene: Scene, progress: Progress, believed: np.ndarray | None = None) -> Iterator[FrameBatch]:
        """believed (T, N, 3): the vertices in normalised space."""


@runtime_checkable
class GlancingReconstructor(Reconstructor, Protocol):
    """One that can tell within a second or two roughly how the mesh moves, before it reconstructs the same scene."""

    def glance(self, scene: Scene, progress: Progress) -> Iterator[FrameBatch]:
        """Every frame once, none of them final; nothing where it would not come sooner than the result."""


@runtime_checkable
class QuickReconstructor(Reconstructor, Protocol):
    """One that can tell of a few frames in well under a second roughly where the mesh is."""

    def look_once(self, scene: Scene, progress: Progress) -> np.ndarray:
        """(T, N, 3) float32, normalised space."""


@runtime_checkable
class LoadingReconstructor(Reconstructor, Protocol):
    """One that can load what it needs while masks and view are found."""

    def load_beforehand(self) -> None:
        """Returns at once, and raises nothing: what goes wrong is told where it is needed."""
