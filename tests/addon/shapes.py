"""Small meshes, a camera and a video for the tests, and what Blender shows of them."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

SHIBA = Path(__file__).resolve().parents[2] / "examples/shiba.mp4"


def ngon_object(name: str = "Ngon") -> bpy.types.Object:
    """A prism with five sides: two pentagons, five quads, and one vertex that no face uses, first in order."""
    angles = np.linspace(0, 2 * np.pi, 5, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    vertices = [(3.0, 0.0, 0.0)]
    vertices += [(x, y, z) for z in (-0.5, 0.7) for x, y in ring]
    faces = [(5, 4, 3, 2, 1), (6, 7, 8, 9, 10)]
    faces += [(1 + i, 1 + (i + 1) % 5, 6 + (i + 1) % 5, 6 + i) for i in range(5)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    return add_object(name, mesh)


def ball(name: str = "Ball", segments: int = 16) -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=segments, ring_count=segments // 2)
    obj = bpy.context.object
    obj.name = obj.data.name = name
    return obj


def add_object(name: str, mesh: bpy.types.Mesh) -> bpy.types.Object:
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    return obj


def rest(obj: bpy.types.Object) -> np.ndarray:
    """(N, 3) float32: the mesh without anything that moves it."""
    positions = np.empty((len(obj.data.vertices), 3), np.float32)
    obj.data.vertices.foreach_get("co", positions.ravel())
    return positions


def shown(obj: bpy.types.Object, frame: float | None = None) -> np.ndarray:
    """(N, 3) float32, object space: what the viewport shows, at a frame of the scene."""
    if frame is not None:
        whole = int(np.floor(frame + 1e-6))
        bpy.context.scene.frame_set(whole, subframe=max(0.0, frame - whole))
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    positions = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", positions.ravel())
    evaluated.to_mesh_clear()
    return positions


def finish(steps) -> object:
    """Carries a generator through; what it returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def camera_at(azimuth: float, elevation: float, centre=(0, 0, 0), distance: float = 6.0) -> bpy.types.Object:
    """A camera that looks at `centre` from there; degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    outwards = Vector((math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)))
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    turn = outwards.to_track_quat("Z", "Y").to_matrix().to_4x4()
    camera.matrix_world = Matrix.Translation(Vector(centre) + outwards * distance) @ turn
    bpy.context.scene.camera = camera
    bpy.context.view_layer.update()
    return camera
