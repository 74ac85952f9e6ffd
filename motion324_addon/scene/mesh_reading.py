"""From a Blender object to the reference mesh of a job, and from the job's positions back to the object."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.errors import EXIT_BAD_MESH, Motion324Error
from motion324.mesh.reference_mesh import ReferenceMesh

from . import material_reading, modifier_stack
from .orientation import Orientation


@dataclass(frozen=True)
class Reading:
    """What a job needs of an object.

    mesh: upright (see Orientation), in Blender's vertex order. topology: the hash that a bake compares.
    warnings: what could not be taken over, one sentence each.
    """

    mesh: ReferenceMesh
    topology: str
    orientation: Orientation
    warnings: tuple[str, ...]


def read_reference(obj: bpy.types.Object | None) -> Reading:
    """Reads the object as the current frame shows it.

    Modifiers up to the first that changes topology belong to the pose; later ones still apply on top of the result.
    N-gons are cut into triangles for the job only. Raises Motion324Error, code "no-mesh", "mesh-empty", "edit-mode",
    "not-in-view-layer", "object-flat" or "mesh-not-finite".
    """
    obj = checked_object(obj)
    orientation = _orientation(obj)
    with (
        modifier_stack.only_leading(obj, modifier_stack.leading_count(obj)),
        modifier_stack.evaluated_mesh(obj) as mesh,
    ):
        if not modifier_stack.same_topology(mesh, obj.data):
            raise Motion324Error(
                "modifier-changes-topology",
                f"A modifier of '{obj.name}' changes its vertices or faces in a way that cannot be followed.",
                "Switch that modifier off or apply it.",
                EXIT_BAD_MESH,
            )
        return _read(mesh, obj, orientation)


def checked_object(obj: bpy.types.Object | None) -> bpy.types.Object:
    """The object, if it is a mesh that can be animated now; else raises Motion324Error."""
    if obj is None or obj.type != "MESH":
        found = f"'{obj.name}' is no mesh" if obj else "No object is active"
        raise Motion324Error("no-mesh", f"{found}.", "Select a mesh object, then animate.", EXIT_BAD_MESH)
    if obj.mode == "EDIT":
        raise Motion324Error(
            "edit-mode", f"'{obj.name}' is in Edit Mode.", "Leave Edit Mode, then try again.", EXIT_BAD_MESH
        )
    if obj.name not in bpy.context.view_layer.objects:
        raise Motion324Error(
            "not-in-view-layer",
            f"'{obj.name}' is not part of the view layer '{bpy.context.view_layer.name}'.",
            "Switch on its collection in the Outliner.",
            EXIT_BAD_MESH,
        )
    if not obj.data.polygons:
        raise Motion324Error("mesh-empty", f"The mesh of '{obj.name}' has no faces.", "Choose another.", EXIT_BAD_MESH)
    return obj


def topology_of(mesh: bpy.types.Mesh) -> str:
    """A hash of the number of vertices, the faces and their corners, in order; positions do not matter.

    Not that of the triangles on the wire: how Blender cuts an n-gon depends on where its vertices lie.
    """
    digest = hashlib.sha256(str(len(mesh.vertices)).encode())
    digest.update(modifier_stack.face_starts_of(mesh).tobytes())
    digest.update(modifier_stack.corner_vertices_of(mesh).tobytes())
    return digest.hexdigest()


def check_topology(obj: bpy.types.Object, expected: str) -> None:
    """Raises Motion324Error("topology-changed") where the object's mesh is not the one that was sent."""
    if topology_of(obj.data) != expected:
        raise Motion324Error(
            "topology-changed",
            f"The mesh of '{obj.name}' was changed since the job was started: its vertices or faces are not the same.",
            "Undo that change, or animate it again.",
            EXIT_BAD_MESH,
        )


def _orientation(obj: bpy.types.Object) -> Orientation:
    bpy.context.view_layer.update()
    matrix = np.array(obj.matrix_world, np.float64)[:3, :3]
    stretch = np.linalg.svd(matrix, compute_uv=False)
    if stretch[2] < 1e-6 * max(stretch[0], 1e-30):
        raise Motion324Error(
            "object-flat", f"'{obj.name}' is scaled to zero along an axis.", "Reset its scale.", EXIT_BAD_MESH
        )
    return Orientation(matrix)


def _read(mesh: bpy.types.Mesh, obj: bpy.types.Object, orientation: Orientation) -> Reading:
    positions = modifier_stack.positions_of(mesh)
    if not np.isfinite(positions).all():
        count = int((~np.isfinite(positions).all(axis=1)).sum())
        raise Motion324Error(
            "mesh-not-finite",
            f"{count} vertices of '{obj.name}' lie at no number (NaN or infinite).",
            "Remove or move these vertices.",
            EXIT_BAD_MESH,
        )
    triangles = _triangles(mesh)
    if orientation.mirrors:  # a mirrored mesh shows its faces from behind, unless their corners turn around
        triangles = triangles[:, ::-1]
    corner_vertices = modifier_stack.corner_vertices_of(mesh)
    looks = material_reading.read_looks(mesh, obj)
    return Reading(
        mesh=ReferenceMesh(
            positions=orientation.to_world(positions),
            faces=np.ascontiguousarray(corner_vertices[triangles]),
            face_material=looks.face_material[_faces_of_triangles(mesh)],
            materials=looks.materials,
            corner_uv=None if looks.corner_uv is None else np.ascontiguousarray(looks.corner_uv[triangles]),
            vertex_colour=looks.vertex_colour,
            up="Z",
            name=obj.name,
        ),
        topology=topology_of(mesh),
        orientation=orientation,
        warnings=looks.warnings,
    )


def _triangles(mesh: bpy.types.Mesh) -> np.ndarray:
    """(F, 3) int32: indices of face corners; F triangles in Blender's own triangulation."""
    mesh.calc_loop_triangles()
    triangles = np.empty((len(mesh.loop_triangles), 3), np.int32)
    mesh.loop_triangles.foreach_get("loops", triangles.ravel())
    return triangles


def _faces_of_triangles(mesh: bpy.types.Mesh) -> np.ndarray:
    """(F,) int32: the face that each triangle is part of."""
    faces = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("polygon_index", faces)
    return faces
