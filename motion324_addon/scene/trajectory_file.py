"""The trajectory as arrays, for programs outside of Blender."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from motion324.write_aside import written_aside

from .animation import Animation


def write_trajectory(path: Path, obj: bpy.types.Object, animation: Animation) -> None:
    """Writes an .npz: positions (T, N, 3) float32 in object space, faces (F, 3) int32, frame_numbers (T,), fps.

    Raises Motion324Error("cannot-write" or "disk-full").
    """
    mesh = obj.data
    mesh.calc_loop_triangles()
    faces = np.empty((len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("vertices", faces.ravel())
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez(
            file,
            positions=animation.positions,
            faces=faces,
            frame_numbers=animation.frame_numbers,
            fps=np.float64(animation.fps),
        )
