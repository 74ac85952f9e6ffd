"""Reads a Blender object as the reference mesh of a job, and turns the job's positions back to the object's."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.image_pixels import Pixels, read_pixels
from motion324.core.inside_blender.mesh.surface import (
    Surface,
    Triangles,
    corner_vertices_of,
    face_starts_of,
    image_of,
    looks_of,
    positions_of,
    read_surface,
    triangles_of,
)
from motion324.core.reference_mesh import ReferenceMesh

from . import modifier_stack
from .orientation import Orientation

LARGEST_SIDE = 2048  # pixels of a texture; more brings nothing to a video's resolution and costs time on the wire


@dataclass(frozen=True)
class Reading:
    """What a job needs of an object.

    mesh: upright (see Orientation), in Blender's vertex order. topology: the hash that a bake compares.
    place (3,) float64: the object's origin in the world. warnings: what could not be taken over, one sentence each.
    pixels: textures as Blender holds them, one per material or None, that `completed` puts into the mesh.
    """

    mesh: ReferenceMesh
    topology: str
    orientation: Orientation
    place: np.ndarray
    warnings: tuple[str, ...]
    pixels: tuple[Pixels | None, ...] = ()

    def completed(self) -> Reading:
        """With textures. The slow part of reading, which knows no Blender: any thread may do it."""
        return dataclasses.replace(self, mesh=with_textures(self.mesh, self.pixels), pixels=())


def read_reference(obj: bpy.types.Object | None) -> Reading:
    """Reads the object as the current frame shows it, all at once; see `read_in_steps`."""
    *_, reading = read_in_steps(obj)
    return reading.completed()


def read_in_steps(obj: bpy.types.Object | None) -> Iterator[Reading | None]:
    """Reads the object as the current frame shows it; the last step yields the Reading, not yet completed.

    The first step takes all that the pose decides, each of the others a picture, so that a window can live in between.
    Modifiers up to the first that changes topology belong to the pose; later ones still apply on top of the result.
    N-gons are cut into triangles for the job only. Raises Motion324Error, in the first step: what `checked_object` and
    `modifier_checks.check_shown` raise, "modifier-changes-topology", "object-flat" or "mesh-not-finite".
    """
    obj = checked_object(obj)
    with modifier_stack.switched_on([obj]):
        reading, triangles, surface = _read_pose(obj)
    yield from _with_looks(reading, surface, triangles)


def _read_pose(obj: bpy.types.Object) -> tuple[Reading, Triangles, Surface]:
    """The reading without its looks, its triangles, and what the looks are read from."""
    orientation = _orientation(obj)
    count = modifier_stack.leading_count(obj)
    warnings = modifier_stack.check_shown(obj, count) + modifier_stack.motion_of_its_own(obj)
    with (
        modifier_stack.only_leading(obj, count),
        modifier_stack.evaluated_mesh(obj) as mesh,
    ):
        if not modifier_stack.same_topology(mesh, obj.data):
            raise Motion324Error(
                "modifier-changes-topology",
                f"A modifier of '{obj.name}' changes its vertices or faces in a way that cannot be followed.",
                "Switch that modifier off or apply it.",
                EXIT_BAD_MESH,
            )
        surface = read_surface(mesh, obj.evaluated_get(bpy.context.evaluated_depsgraph_get()))
        reading, triangles = _read(mesh, obj, orientation, surface)
        return dataclasses.replace(reading, warnings=warnings), triangles, surface


def with_textures(mesh: ReferenceMesh, pixels: tuple[Pixels | None, ...]) -> ReferenceMesh:
    """The mesh with `pixels`, one per material or None, as its textures. Knows no Blender: any thread may do it."""
    if not pixels:
        return mesh
    pictures: dict[int, np.ndarray] = {id(picture): picture.to_picture(LARGEST_SIDE) for picture in pixels if picture}
    materials = tuple(
        dataclasses.replace(material, texture=pictures[id(picture)]) if picture else material
        for material, picture in zip(mesh.materials, pixels, strict=True)
    )
    return dataclasses.replace(mesh, materials=materials)


def checked_object(obj: bpy.types.Object | None) -> bpy.types.Object:
    """The object, if it is a mesh that can be animated now.

    Raises Motion324Error: "no-mesh", "linked-object", "edit-mode", "not-in-view-layer" or "mesh-empty".
    """
    if obj is None or obj.type != "MESH":
        found = f"'{obj.name}' is no mesh" if obj else "No object is active"
        raise Motion324Error("no-mesh", f"{found}.", "Select a mesh object, then animate.", EXIT_BAD_MESH)
    check_own(obj)
    if obj.mode == "EDIT":
        raise Motion324Error(
            "edit-mode", f"'{obj.name}' is in Edit Mode.", "Leave Edit Mode, then try again.", EXIT_BAD_MESH
        )
    bpy.context.view_layer.update()  # else it may not know yet what a script has just put into a collection
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


def check_own(obj: bpy.types.Object) -> None:
    """Raises Motion324Error("linked-object") where the object belongs to another file, which alone may change it."""
    if obj.override_library is not None:
        sentence = f"'{obj.name}' is a library override, whose mesh and modifiers belong to the file it comes from."
    elif obj.library is not None:
        sentence = f"'{obj.name}' is linked from '{obj.library.filepath}', and only that file can change it."
    else:
        return
    remedy = "Make it local (Object > Relations > Make Local > All), or animate it in the file it comes from."
    raise Motion324Error("linked-object", sentence, remedy, EXIT_BAD_MESH)


def topology_of(mesh: bpy.types.Mesh) -> str:
    """A hash of the number of vertices, the faces and their corners, in order; positions do not matter.

    Not that of the triangles on the wire: how Blender cuts an n-gon depends on where its vertices lie.
    """
    digest = hashlib.sha256(str(len(mesh.vertices)).encode())
    digest.update(face_starts_of(mesh).tobytes())
    digest.update(corner_vertices_of(mesh).tobytes())
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


def _read(
    mesh: bpy.types.Mesh, obj: bpy.types.Object, orientation: Orientation, surface: Surface
) -> tuple[Reading, Triangles]:
    """The reading without its looks, and its triangles."""
    positions = positions_of(mesh)
    if not np.isfinite(positions).all():
        count = int((~np.isfinite(positions).all(axis=1)).sum())
        raise Motion324Error(
            "mesh-not-finite",
            f"{count} vertices of '{obj.name}' lie at no number (NaN or infinite).",
            "Remove or move these vertices.",
            EXIT_BAD_MESH,
        )
    triangles = triangles_of(mesh, orientation.mirrors)
    bare = ReferenceMesh(
        positions=orientation.to_world(positions),
        faces=triangles.faces,
        face_material=surface.face_material[triangles.polygons],
        up="Z",
        name=obj.name,
    )
    place = np.array(obj.matrix_world.translation, np.float64)
    return Reading(bare, topology_of(mesh), orientation, place, warnings=()), triangles


def _with_looks(reading: Reading, surface: Surface, triangles: Triangles) -> Iterator[Reading | None]:
    """Takes the pixels, at most one picture a step; the last step yields the reading, those before it None.

    A picture that has gone meanwhile, or has no pixels, is a warning.
    """
    taken: dict[int, Pixels | None] = {}
    warnings: list[str] = []
    for picture in surface.pictures:
        if picture is None or picture.uid in taken:
            continue
        yield None
        taken[picture.uid] = None
        try:
            for found in read_pixels(image_of(picture, bpy.data.images)):
                taken[picture.uid] = found
                if found is None:
                    yield None
        except ReferenceError:  # it has been removed meanwhile
            pass
        if taken[picture.uid] is None:
            warnings.append(picture.is_missing)
    pixels = tuple(taken[picture.uid] if picture else None for picture in surface.pictures)
    looks = looks_of(surface, [found is not None for found in pixels])
    mesh = dataclasses.replace(
        reading.mesh,
        materials=looks.materials,
        corner_uv=None if looks.corner_uv is None else looks.corner_uv[triangles.corners],
        vertex_colour=looks.vertex_colour,
    )
    yield dataclasses.replace(reading, mesh=mesh, warnings=reading.warnings + tuple(warnings), pixels=pixels)
