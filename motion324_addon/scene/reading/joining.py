"""Joins several objects to the one mesh of a job, and gives each object its share of what comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.inside_blender.mesh.image_pixels import Pixels
from motion324.core.reference_mesh import Normalisation, ReferenceMesh

from ..playing.animation import Target
from ..playing.timing import split_frame
from .mesh_reading import Reading, checked_object, read_in_steps, with_textures
from .orientation import Share


@dataclass(frozen=True)
class Member:
    """One of the objects. topology: the hash that a bake compares. matrix (4, 4) float64: its matrix_world, as read."""

    target: Target
    topology: str
    share: Share
    matrix: np.ndarray


@dataclass(frozen=True)
class JointReading:
    """What a job needs of its objects. mesh: all of them, upright, one after another in the order of `members`.

    space: between the job's normalised space and the world, as the objects lie when they are read.
    pixels: textures as Blender holds them, one per material or None, that `completed` puts into the mesh.
    """

    mesh: ReferenceMesh
    members: tuple[Member, ...]
    space: Normalisation
    warnings: tuple[str, ...]
    pixels: tuple[Pixels | None, ...] = ()

    @property
    def shares(self) -> tuple[Share, ...]:
        return tuple(member.share for member in self.members)

    def completed(self) -> JointReading:
        """With textures. The slow part of reading, which knows no Blender: any thread may do it."""
        return dataclasses.replace(self, mesh=with_textures(self.mesh, self.pixels), pixels=())


def read_objects(objects: Sequence[bpy.types.Object | None], frame: float | None = None) -> JointReading:
    """Reads the objects as the scene shows them at `frame` (None: now), all at once; see `read_objects_in_steps`."""
    *_, reading = read_objects_in_steps(objects, frame)
    assert reading is not None  # the last step has it
    return reading.completed()


def read_objects_in_steps(
    objects: Sequence[bpy.types.Object | None], frame: float | None = None
) -> Iterator[JointReading | None]:
    """Reads the objects as the scene shows them at `frame` (None: now); the last step yields the reading.

    The first step takes all that the pose decides, with the scene's frame put back at its end; each of the others a
    picture. Raises Motion324Error in the first step: what `mesh_reading.read_in_steps` raises for one of the objects,
    or "no-mesh" for none; in the last one "mesh-zero-extent".
    """
    if not objects:
        raise Motion324Error("no-mesh", "No object is active.", "Select a mesh object, then animate.", EXIT_BAD_MESH)
    checked = [checked_object(obj) for obj in objects]
    targets = [Target.of(obj) for obj in checked]
    steps = [read_in_steps(obj) for obj in checked]
    with scene_at(frame):
        readings = [next(each) for each in steps]
    for index, each in enumerate(steps):
        while readings[index] is None:
            yield None
            readings[index] = next(each)
    yield _as_one(targets, [reading for reading in readings if reading is not None])


def _as_one(targets: Sequence[Target], readings: list[Reading]) -> JointReading:
    place = np.mean([reading.place for reading in readings], axis=0)
    matrices = [_matrix(reading) for reading in readings]
    if len(readings) > 1:
        readings = [_placed(reading, place) for reading in readings]
    mesh = readings[0].mesh if len(readings) == 1 else _joined([reading.mesh for reading in readings])
    if not np.ptp(mesh.positions, axis=0).max() > 0:
        sentence = f"All vertices of '{mesh.name}' lie at one place."
        raise Motion324Error("mesh-zero-extent", sentence, "Choose another mesh.", EXIT_BAD_MESH)
    counts = [len(reading.mesh.positions) for reading in readings]
    firsts = np.cumsum([0, *counts[:-1]]).tolist()
    own = Normalisation.of(mesh)
    return JointReading(
        mesh=mesh,
        members=tuple(
            Member(target, reading.topology, Share(first, count, reading.orientation), matrix)
            for target, reading, first, count, matrix in zip(targets, readings, firsts, counts, matrices, strict=True)
        ),
        space=dataclasses.replace(own, centre=own.centre + place),
        warnings=tuple(warning for reading in readings for warning in reading.warnings),
        pixels=tuple(picture for reading in readings for picture in reading.pixels),
    )


def _matrix(reading: Reading) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = reading.orientation.matrix, reading.place
    return matrix


def _placed(reading: Reading, place: np.ndarray) -> Reading:
    """The reading with the object where it lies, relative to `place`."""
    x, y, z = (float(value) for value in reading.place - place)
    offset = np.array([x, y, z])
    return dataclasses.replace(
        reading,
        mesh=dataclasses.replace(
            reading.mesh, positions=(reading.mesh.positions.astype(np.float64) + offset).astype(np.float32)
        ),
        orientation=dataclasses.replace(reading.orientation, offset=(x, y, z)),
    )


def _joined(meshes: Sequence[ReferenceMesh]) -> ReferenceMesh:
    """One mesh with all vertices, faces and materials, in order; what only some have is neutral for the others."""
    vertices = np.cumsum([0, *(len(mesh.positions) for mesh in meshes)])
    materials = np.cumsum([0, *(len(mesh.materials) for mesh in meshes)])
    corner_uv = vertex_colour = None
    if any(mesh.corner_uv is not None for mesh in meshes):
        corner_uv = np.concatenate([_or_filled(m.corner_uv, (len(m.faces), 3, 2), 0.0) for m in meshes])
    if any(mesh.vertex_colour is not None for mesh in meshes):
        vertex_colour = np.concatenate([_or_filled(m.vertex_colour, (len(m.positions), 3), 1.0) for m in meshes])
    return ReferenceMesh(
        positions=np.concatenate([mesh.positions for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, vertices[:-1], strict=True)]).astype(
            np.int32
        ),
        face_material=np.concatenate(
            [mesh.face_material + start for mesh, start in zip(meshes, materials[:-1], strict=True)]
        ).astype(np.int32),
        materials=tuple(material for mesh in meshes for material in mesh.materials),
        corner_uv=corner_uv,
        vertex_colour=vertex_colour,
        up="Z",
        name=" + ".join(mesh.name for mesh in meshes),
    )


def _or_filled(values: np.ndarray | None, shape: tuple[int, ...], value: float) -> np.ndarray:
    return values if values is not None else np.full(shape, value, np.float32)


@contextmanager
def scene_at(frame: float | None) -> Iterator[None]:
    """Shows another frame of the scene for a while; does nothing where it is shown already."""
    scene = bpy.context.scene
    before = split_frame(scene.frame_current_final)
    if frame is None or split_frame(frame) == before:
        yield
        return
    whole, part = split_frame(frame)
    scene.frame_set(whole, subframe=part)
    try:
        yield
    finally:
        scene.frame_set(before[0], subframe=before[1])
