"""Writes a motion as vertex animation textures with their mesh, for engines (core.files.vertex_textures)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.files.vertex_textures import Layout, Written, files_of, write_vertex_textures
from motion324.core.motion.edited_motion import EditedMotion
from motion324.core.options.engine_settings import VertexTextures
from motion324.core.reference_mesh import ReferenceMesh, turned_y_up
from motion324.mesh.files.gltf_writing import Placing, write_glb
from motion324.mesh.surface import moving_normals


def write_texture_files(
    description: Path, mesh: ReferenceMesh, motion: EditedMotion, options: VertexTextures
) -> Written:
    """Writes the JSON `description`, two pictures and the mesh beside it, which carries the way of the root, if any.

    mesh: with the topology of motion.positions (T, N, 3). Raises Motion324Error as `write_vertex_textures` does.
    """
    still = dataclasses.replace(mesh, positions=motion.positions[0])
    layout = Layout.of(len(motion.positions), len(mesh.positions), options)
    mesh_file = files_of(description, options)[-1]
    write_glb(mesh_file, still, fps=motion.fps, second_uv=layout.uv(), placing=_placing(motion))
    more: dict[str, Any] = {"loops": motion.closed, **motion.report}
    written = write_vertex_textures(
        description,
        turned_y_up(motion.positions, mesh.up),
        turned_y_up(moving_normals(motion.positions, mesh.faces), mesh.up),
        motion.fps,
        options,
        more,
    )
    return dataclasses.replace(written, files=(*written.files, mesh_file))


def _placing(motion: EditedMotion) -> Placing | None:
    if motion.root is None:
        return None
    places = motion.root.matrices()[:, :3, 3]
    turns = motion.root.rotations()
    axes = turned_y_up(turns[:, 1:], motion.root.up)
    return Placing(turned_y_up(places, motion.root.up), np.concatenate([turns[:, :1], axes], axis=1))
