"""Exports an animated object as vertex animation textures, for what no rig carries.

Their layout is told in motion324.core.files.vertex_textures.

The mesh stands in the world as it does in the first frame, in metres; all that moves it afterwards, also as a whole, is
in the pictures. Where faces meet at a sharp edge a vertex has several normals, and so several columns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.owned_folder import UNFINISHED, OwnedFolder
from motion324.core.files.vertex_textures import Layout, Written, files_of, write_vertex_textures
from motion324.core.files.write_aside import explained_write_errors, told_full
from motion324.core.inside_blender.mesh.surface import corner_vertices_of, positions_of
from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.options.engine_settings import VertexTextures
from motion324.core.reference_mesh import turned_y_up

from ..playing.timing import scene_fps
from ..reading import modifier_stack
from ..reading.mesh_reading import checked_object
from . import proof, sampling
from .placing import metres_per_unit
from .stand_in import Report, only_selected, still_copy

UV_LAYER = "VertexAnimation"


@dataclass(frozen=True)
class _Columns:
    """positions (T, N, 3) and normals (T, K, 3) float32: Z up, metres. vertices (K,) int: whose column it is.
    of_corner (C,) int: the columns of the mesh's corners.
    """

    positions: np.ndarray
    normals: np.ndarray
    vertices: np.ndarray
    of_corner: np.ndarray


def export_vertex_textures(
    obj: bpy.types.Object,
    description: Path,
    first: int,
    last: int,
    options: VertexTextures,
    report: Report = lambda done, total: None,
) -> Written:
    """Writes `description`, a JSON file, and beside it two pictures and a GLB, all of them or none.

    first, last: frames of the scene. report(done, total) counts them and may raise to stop.
    Raises Motion324Error: "too-large-for-textures", "export-failed", "cannot-write", "disk-full", or what
    `mesh_reading.checked_object` raises.
    """
    obj = checked_object(obj)
    frames, fps = last - first + 1, scene_fps(bpy.context.scene)
    Layout.of(frames, len(obj.data.vertices), options)  # told before the frames are shown
    columns = _columns_of(obj, first, last, report)
    layout = Layout.of(frames, len(columns.vertices), options)
    with explained_write_errors(description):
        description.parent.mkdir(parents=True, exist_ok=True)
        folder = OwnedFolder(UNFINISHED, description.parent)
    try:
        size = 12 * layout.width * layout.height + 100 * len(columns.of_corner)
        proof.reserve(description, folder.path / "reserved", size)
        staged = folder.path / description.name
        mesh_file = files_of(staged, options)[-1]
        _write_mesh(obj, mesh_file, columns, layout)
        written = write_vertex_textures(
            staged,
            turned_y_up(columns.positions[:, columns.vertices], "Z"),
            turned_y_up(columns.normals, "Z"),
            fps,
            options,
            {"loops": False, "first_frame": first},
        )
        files = (*written.files, mesh_file)
        with explained_write_errors(description):
            for file in reversed(files):  # the JSON, which names the others, at last
                _to_disk(file)
                file.replace(description.parent / file.name)
    finally:
        folder.remove()
    return dataclasses.replace(written, files=tuple(description.parent / file.name for file in files))


def estimate(obj: bpy.types.Object, first: int, last: int, options: VertexTextures) -> int:
    """Bytes of the pictures at most, where no edge is sharp."""
    layout = Layout.of(last - first + 1, len(obj.data.vertices), options)
    return 12 * layout.width * layout.height


def _columns_of(obj: bpy.types.Object, first: int, last: int, report: Report) -> _Columns:
    """Of the object as it is before the first modifier that changes topology."""
    positions, normals = [], []
    corners = corner_vertices_of(obj.data)
    unit = metres_per_unit(bpy.context.scene)
    smooth = True
    with (
        modifier_stack.switched_on([obj]),
        modifier_stack.only_leading(obj, modifier_stack.leading_count(obj)),
        contextlib.closing(sampling.shown_meshes(obj, range(first, last + 1))) as meshes,
    ):
        for frame, mesh in meshes:
            matrix = np.array(obj.matrix_world, np.float64)
            linear = matrix[:3, :3]
            smooth = mesh.normals_domain == "POINT" if not positions else smooth
            found = _vectors(mesh.vertex_normals if smooth else mesh.corner_normals, len(corners), smooth, mesh)
            positions.append(((positions_of(mesh) @ linear.T + matrix[:3, 3]) * unit).astype(np.float32))
            turned = found @ _of_normals(linear).T
            lengths = np.linalg.norm(turned, axis=1, keepdims=True)
            normals.append(np.divide(turned, lengths, out=turned, where=lengths > 0).astype(np.float32))
            report(frame - first + 1, last - first + 1)
    moving = np.stack(normals)
    if smooth:
        return _Columns(np.stack(positions), moving, np.arange(len(obj.data.vertices)), corners)
    leaders, of_corner = _alike(corners, moving)
    return _Columns(np.stack(positions), moving[:, leaders], corners[leaders], of_corner)


def _vectors(normals: bpy.types.bpy_prop_collection, corners: int, smooth: bool, mesh: bpy.types.Mesh) -> np.ndarray:
    found = np.empty((len(mesh.vertices) if smooth else corners, 3), np.float32)
    normals.foreach_get("vector", found.ravel())
    return found.astype(np.float64)


def _of_normals(linear: np.ndarray) -> np.ndarray:
    """(3, 3): how normals turn, up to their length, also where the object is squeezed flat in no direction but one."""
    return np.cross(linear[:, [1, 2, 0]].T, linear[:, [2, 0, 1]].T).T * np.sign(np.linalg.det(linear) or 1.0)


def _alike(vertices: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """vertices (C,), normals (T, C, 3) of corners -> one corner (K,) of each kind, and (C,) which of these each is
    like: of the same vertex, with the very same normals in all frames."""
    digests = vertices.astype(np.uint64)
    for frame in normals:
        for axis in range(3):
            bits = (frame[:, axis] + np.float32(0)).view(np.uint32).astype(np.uint64)
            digests = digests * np.uint64(0x9E3779B97F4A7C15) + bits + (digests >> np.uint64(29))
    _, leaders, of_corner = np.unique(digests, return_index=True, return_inverse=True)
    return leaders, of_corner.reshape(-1)


def _write_mesh(obj: bpy.types.Object, path: Path, columns: _Columns, layout: Layout) -> None:
    with still_copy(obj, columns.positions[0]) as copy:
        mesh = copy.data
        layers = mesh.uv_layers
        shown = next((layer.name for layer in layers if layer.active_render), None)
        for name in [layer.name for layer in layers if layer.name != shown]:
            layers.remove(layers[name])
        if shown is None:
            layers.new(name="UVMap", do_init=False)
        layer = layers.new(name=UV_LAYER, do_init=False)
        if layer is None:
            raise _failed(path, "the mesh takes no second UV map")
        uv = layout.uv()[columns.of_corner]
        uv[:, 1] = 1 - uv[:, 1]
        layer.uv.foreach_set("vector", uv.astype(np.float32).ravel())
        if np.linalg.det(np.array(obj.matrix_world)[:3, :3]) < 0:
            mesh.flip_normals()
        with only_selected([copy]):
            try:
                bpy.ops.export_scene.gltf(
                    filepath=str(path),
                    export_format="GLB",
                    use_selection=True,
                    export_animations=False,
                    export_morph=False,
                    export_skins=False,
                )
            except RuntimeError as error:  # how operators report their errors
                raise _failed(path, said_by_operator(error)) from error
    try:
        proof.check_whole(path)
    except (proof.Broken, FileNotFoundError) as error:
        raise _failed(path, f"what was written {error}") from error


def _to_disk(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())  # some disks tell only now that they are full


def _failed(path: Path, why: str) -> Motion324Error:
    return told_full(path, why) or Motion324Error(
        "export-failed",
        f"The mesh '{path.name}' could not be written: {why}.",
        "See Blender's console.",
        EXIT_CANNOT_WRITE,
    )
