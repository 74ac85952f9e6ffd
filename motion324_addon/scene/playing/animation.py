"""Holds a finished animation that waits to be kept, and the object that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.reference_mesh import Normalisation

from .timing import Timing


@dataclass(frozen=True)
class Target:
    """An object by what outlives undo, which makes new Python objects of everything, and renaming."""

    name: str
    uid: int

    @classmethod
    def of(cls, obj: bpy.types.Object) -> Target:
        return cls(obj.name, obj.session_uid)

    def find(self) -> bpy.types.Object | None:
        """The object in the file that is open, or None."""
        named = bpy.data.objects.get(self.name)
        if named is not None and named.session_uid == self.uid:
            return named
        return next((obj for obj in bpy.data.objects if obj.session_uid == self.uid), None)

    def get(self) -> bpy.types.Object:
        """The object. Raises Motion324Error("object-gone")."""
        obj = self.find()
        if obj is None:
            sentence = f"The object '{self.name}' that was animated is no longer there."
            raise Motion324Error("object-gone", sentence, "Undo its removal, or animate another.", EXIT_BAD_MESH)
        return obj


@dataclass(frozen=True)
class Animation:
    """The animation of one object; a job of several objects leaves one for each.

    positions (T, N, 3) float32: object space, Blender's vertex order; may be mapped from a file.
    topology: the hash of the mesh that was sent. report: what the backend tells about the job, plain JSON values.
    frame_numbers (T,): of the video. fps: at which the video shows them. view: the camera that the job found.
    space: between the job's normalised space, in which the view is, and the world. matrix (4, 4): the object's
    matrix_world when it was read, as `space` has it. video: its path. camera_to_first: as AnimationResult has it.
    """

    target: Target
    topology: str
    positions: np.ndarray
    timing: Timing
    frame_numbers: np.ndarray
    fps: float
    view: Any
    report: dict[str, Any]
    space: Normalisation | None = None
    matrix: np.ndarray | None = None
    video: Path | None = None
    camera_to_first: np.ndarray | None = None
