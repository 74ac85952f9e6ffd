"""The trajectory as arrays, for programs outside of Blender."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from motion324.core.result import AnimationResult
from motion324.core.trajectory_file import save_trajectory

from .animation import Animation


def write_trajectory(path: Path, obj: bpy.types.Object, animation: Animation) -> None:
    """Writes `trajectory.npz`, see `motion324.core.trajectory_file`: object space, Blender's vertex order.

    Raises Motion324Error("cannot-write" or "disk-full").
    """
    mesh = obj.data
    mesh.calc_loop_triangles()
    faces = np.empty((len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces.ravel())
    result = AnimationResult(
        animation.positions, animation.frame_numbers, animation.fps, animation.view, animation.report
    )
    save_trajectory(path, result, faces)
