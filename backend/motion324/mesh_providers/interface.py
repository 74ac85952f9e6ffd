"""Defines what turns a picture of an object into a mesh of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from motion324.core.errors import EXIT_NO_FOREGROUND, Motion324Error
from motion324.core.progress import Progress
from motion324.core.reference_mesh import ReferenceMesh
from motion324.core.view import View

FEWEST_PIXELS = 16  # of an object


@dataclass(frozen=True)
class ObjectPicture:
    """frame (H, W, 3) uint8 sRGB; mask (H, W) float32 in [0, 1], 1 on the object. name: the video's, for messages."""

    frame: np.ndarray
    mask: np.ndarray
    name: str

    def solid(self) -> np.ndarray:
        """(H, W) bool: the object. Raises Motion324Error("no-foreground") where the mask shows next to nothing."""
        solid: np.ndarray = self.mask > 0.5
        if solid.sum() < FEWEST_PIXELS:
            raise Motion324Error(
                "no-foreground",
                f"The first frame of '{self.name}' shows no object from which a mesh could be made.",
                "Let the range of frames begin where the object is seen, or give your own masks with --mask FOLDER.",
                EXIT_NO_FOREGROUND,
            )
        return solid


@dataclass(frozen=True)
class ProvidedMesh:
    """mesh: with colours, in the pose that the picture shows; up is "Y" and the front +Z, but for given files.

    view: the camera that sees the mesh, in normalised space, as the picture shows it; None where it is known only
    roughly. rough_view: then where to look for it, as AnimateOptions.view says it.
    details: plain JSON values that tell how the mesh came about.
    """

    mesh: ReferenceMesh
    view: View | None = None
    rough_view: str = "front"
    details: dict[str, Any] = field(default_factory=dict)


class MeshProvider(Protocol):
    """name: one of motion324.core.options.mesh_settings.MESH_PROVIDERS.

    licence: what restricts the use of its meshes, in a sentence with the address of the text; empty where nothing does.
    """

    name: str
    licence: str

    def check(self) -> None:
        """Raises Motion324Error where it can be known, before any work, that it cannot provide anything."""

    def provide(self, picture: ObjectPicture, progress: Progress) -> ProvidedMesh:
        """Raises Motion324Error, Cancelled. Reports the stage "mesh"."""
