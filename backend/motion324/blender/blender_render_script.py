"""Runs inside Blender, or a Python that has bpy: draws a moving mesh with Workbench, from several sides.

Not part of the backend's own process: motion324.rendering.result_videos starts it with the argument FOLDER, which
holds sequence.npz and job.json, and gets view_K/frame_XXXX.png with a transparent background. It works with Blender
4.2 to 5.x; motion324.blender.blender_launcher runs it.

sequence.npz: positions (T, N, 3) and faces (F, 3), Y up; colours (F, 3, 3) sRGB of the corners; face_material (F,);
base_colours (M, 4) sRGB; and where there are textures corner_uv (F, 3, 2) and texture_K (H, W, 4) uint8, row 0 on top.
job.json: size, azimuths, elevation (degrees), distance, focal (in units of the picture's height), samples, turns (of
the cameras around the object, over all frames).
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from motion324.core.srgb import srgb_to_linear

SENSOR = 36.0  # millimetres
SHARP = math.radians(45)


def main(path: str) -> None:
    import bpy

    folder = Path(path)
    bpy.ops.wm.read_homefile(use_empty=True)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with np.load(folder / "sequence.npz", allow_pickle=False) as loaded:
        arrays = dict(loaded)
    positions = arrays["positions"]
    z_up = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1).astype(np.float32)
    mesh = make_mesh(bpy, z_up[0], arrays)
    scene = bpy.context.scene
    textured = any(name.startswith("texture_") for name in arrays)
    set_up(scene, job, textured)
    cameras = [make_camera(bpy, job) for _ in job["azimuths"]]
    for index, frame in enumerate(z_up):
        mesh.vertices.foreach_set("co", frame.ravel())
        mesh.update()
        for view, camera in enumerate(cameras):
            place_camera(camera, job, job["azimuths"][view] + 360 * job["turns"] * index / len(z_up))
            scene.camera = camera
            scene.render.filepath = str(folder / f"view_{view}" / f"frame_{index:04d}.png")
            bpy.ops.render.render(write_still=True)


def make_mesh(bpy: Any, positions: np.ndarray, arrays: dict[str, np.ndarray]) -> Any:
    faces = arrays["faces"]
    mesh = bpy.data.meshes.new("mesh")
    mesh.from_pydata(positions.tolist(), [], faces.tolist())
    item = bpy.data.objects.new("mesh", mesh)
    bpy.context.scene.collection.objects.link(item)
    if len(mesh.loops) != 3 * len(faces):
        raise RuntimeError(f"the mesh has {len(faces)} triangles, of which {len(mesh.loops) // 3} can be drawn")
    colours = np.concatenate([arrays["colours"].reshape(-1, 3), np.ones((3 * len(faces), 1))], axis=1)
    attribute = mesh.color_attributes.new("Color", "FLOAT_COLOR", "CORNER")
    attribute.data.foreach_set("color_srgb", colours.astype(np.float32).ravel())
    mesh.color_attributes.active_color = attribute
    if "corner_uv" in arrays:
        mesh.uv_layers.new().data.foreach_set("uv", arrays["corner_uv"].astype(np.float32).ravel())
    for index, base in enumerate(arrays["base_colours"]):
        mesh.materials.append(make_material(bpy, base, arrays.get(f"texture_{index}")))
    mesh.polygons.foreach_set("material_index", arrays["face_material"].astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    mesh.set_sharp_from_angle(angle=SHARP)
    return mesh


def make_material(bpy: Any, base: np.ndarray, texture: np.ndarray | None) -> Any:
    material = bpy.data.materials.new("material")
    material.diffuse_color = (*(float(value) for value in srgb_to_linear(base[:3])), 1.0)
    if texture is not None:
        height, width = texture.shape[:2]
        image = bpy.data.images.new("texture", width, height)
        image.pixels.foreach_set((texture[::-1].astype(np.float32) / 255).ravel())
        if bpy.app.version < (5, 0, 0):  # from then on every material has them, and the switch goes in 6.0
            material.use_nodes = True
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        material.node_tree.nodes.active = node
    return material


def set_up(scene: Any, job: dict[str, Any], textured: bool) -> None:
    render = scene.render
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x = render.resolution_y = job["size"]
    render.resolution_percentage = 100
    render.film_transparent = True
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    scene.display.render_aa = str(job["samples"])
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "TEXTURE" if textured else "VERTEX"
    shading.show_cavity = shading.show_shadows = shading.show_object_outline = False
    scene.view_settings.view_transform = "Standard"


def make_camera(bpy: Any, job: dict[str, Any]) -> Any:
    data = bpy.data.cameras.new("camera")
    data.sensor_width = data.sensor_height = SENSOR
    data.lens = job["focal"] * SENSOR
    data.clip_start, data.clip_end = 0.01, 1000.0
    camera = bpy.data.objects.new("camera", data)
    bpy.context.scene.collection.objects.link(camera)
    return camera


def place_camera(camera: Any, job: dict[str, Any], azimuth: float) -> None:
    """Looks at the origin; azimuth 0 sees the front, which is -Y here."""
    a, e = math.radians(azimuth), math.radians(job["elevation"])
    distance = job["distance"]
    camera.location = (
        distance * math.sin(a) * math.cos(e),
        -distance * math.cos(a) * math.cos(e),
        distance * math.sin(e),
    )
    camera.rotation_euler = (math.pi / 2 - e, 0.0, a)
