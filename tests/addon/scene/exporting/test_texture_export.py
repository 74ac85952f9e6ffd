"""Vertex animation textures from Blender, decoded from their files alone as a shader does it: every corner of the mesh
is where the object shows it, and looks where it looks."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from addon.readers import in_world
from addon.shapes import ball, finish, ngon_object, rest, shown
from addon.wobble import wobble
from gltf_validator import issues, needs_validator

pytest.importorskip("pygltflib")

FIRST, FRAMES = 3, 5


def export(addon, obj, path, last, report=lambda done, total: None, first=FIRST, **options):
    from motion324.core.options.engine_settings import VertexTextures

    rooms = addon("scene.exporting.vertex_textures")
    return rooms.export_vertex_textures(obj, path, first, last, VertexTextures(**options), report)


def picture(path):
    """(H, W, 3), row 0 on top, as Blender reads it."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    assert image.is_float
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    return pixels.reshape(height, width, -1)[::-1, :, :3].astype(np.float64)


def decoded(description):
    """The JSON; positions and normals (T, M, 3) of the GLB's vertices, Z up; its triangles (F, 3)."""
    import pygltflib

    said = json.loads(description.read_text())
    file = pygltflib.GLTF2().load_binary(str(description.with_name(said["mesh"])))
    (mesh,) = file.meshes
    (node,) = [node for node in file.nodes if node.mesh is not None]
    assert node.matrix is None and not any(node.translation or []) and not node.scale
    (primitive,) = mesh.primitives

    def array(number, width, kind=np.float32):
        accessor, view = file.accessors[number], file.bufferViews[file.accessors[number].bufferView]
        kind = {5123: np.uint16, 5125: np.uint32}.get(accessor.componentType, kind)
        found = np.frombuffer(file.binary_blob(), kind, accessor.count * width, view.byteOffset)
        return found.reshape(-1, width)

    places, uv = array(primitive.attributes.POSITION, 3), array(primitive.attributes.TEXCOORD_1, 2)
    width, height = said["size"]
    frames = {}
    for name in ("position", "normal"):
        entry = said[name]
        pixels = picture(description.with_name(entry["file"]))
        assert pixels.shape == (height, width, 3)
        rows = np.floor(uv[:, 1:] * height).astype(int) + np.arange(said["frames"]) * said["rows_per_frame"]
        samples = pixels[rows.T, np.floor(uv[:, 0] * width).astype(int)]
        frames[name] = samples * entry["scale"] + entry["bias"]
    turned = [
        np.stack([v[..., 0], -v[..., 2], v[..., 1]], axis=-1) for v in (places + frames["position"], frames["normal"])
    ]
    return said, *turned, array(primitive.indices, 1).reshape(-1, 3)


def corners_in_world(obj, frame):
    """(C, 6): places and normals of all corners of faces, as the viewport shows them."""
    bpy.context.scene.frame_set(frame)
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    matrix = np.array(obj.matrix_world)
    normals = np.array([normal.vector for normal in mesh.corner_normals]) @ np.linalg.inv(matrix[:3, :3])
    places = in_world(obj, np.array([mesh.vertices[loop.vertex_index].co for loop in mesh.loops]))
    evaluated.to_mesh_clear()
    return np.concatenate([places, normals / np.linalg.norm(normals, axis=1, keepdims=True)], axis=1)


def moving(addon, obj):
    timing = addon("scene.playing.timing").Timing(FIRST, 1, FRAMES)
    finish(addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), FRAMES), timing))
    bpy.context.view_layer.update()
    return obj


def half_smooth_box():
    """A cube of which two neighbouring faces are smooth."""
    bpy.ops.mesh.primitive_cube_add()
    obj = bpy.context.object
    for face in list(obj.data.polygons)[:2]:
        face.use_smooth = True
    return obj


@pytest.mark.parametrize("pictures", ["exr", "png"])
@pytest.mark.parametrize("what", ["flat", "smooth", "partly smooth", "mirrored"])
def test_every_corner_is_where_the_object_shows_it_in_every_frame(addon, tmp_path, what, pictures):
    obj = (
        half_smooth_box()
        if what == "partly smooth"
        else ngon_object("Prism")
        if what == "mirrored"
        else ball(segments=8)
    )
    if what == "smooth":
        bpy.ops.object.shade_smooth()
    obj.location, obj.rotation_euler, obj.scale = (
        (1, 2, 3),
        (0.3, 0.2, 0.1),
        (1, 2, -0.5 if what == "mirrored" else 0.5),
    )
    moving(addon, obj)
    for frame, height in ((FIRST, 3.0), (FIRST + FRAMES - 1, 3.5)):
        obj.location.z = height
        obj.keyframe_insert("location", frame=frame)
    truth = np.array([corners_in_world(obj, FIRST + index) for index in range(FRAMES)])
    path = tmp_path / "object.json"
    written = export(addon, obj, path, FIRST + FRAMES - 1, pictures=pictures)
    assert sorted(file.name for file in written.files) == sorted(file.name for file in tmp_path.iterdir())
    said, positions, normals, faces = decoded(path)
    assert (said["frames"], said["first_frame"], said["rate"]) == (FRAMES, FIRST, 24.0)
    size = np.ptp(truth[0, :, :3], axis=0).max()
    found = np.concatenate([positions / size, normals * 0.01], axis=2)
    wanted = np.concatenate([truth[..., :3] / size, truth[..., 3:] * 0.01], axis=2)
    for one, other in ((found, wanted), (wanted, found)):  # whole paths are compared, since glTF splits vertices
        apart = np.linalg.norm(one[:, :, None] - other[:, None], axis=3).max(axis=0)
        assert apart.min(axis=1).max() < 1e-4
    first = positions[0][faces]
    sides = np.cross(first[:, 1] - first[:, 0], first[:, 2] - first[:, 0])
    assert ((sides * normals[0][faces[:, 0]]).sum(axis=1) > 0).mean() > 0.95  # faces look where their normals do
    count = {"smooth": len(obj.data.vertices), "flat": len(obj.data.loops), "partly smooth": 22}.get(what)
    assert count is None or said["vertices"] == count


def test_the_objects_own_texture_coordinates_stay_the_first_ones(addon, tmp_path):
    obj = moving(addon, ball(segments=8))
    obj.data.uv_layers.new(name="Second")
    obj.data.uv_layers.new(name="Third")
    own = np.array([layer.name for layer in obj.data.uv_layers])
    path = tmp_path / "ball.json"
    export(addon, obj, path, FIRST + 2)
    assert [layer.name for layer in obj.data.uv_layers] == list(own)
    assert obj.name == "Ball" and len(bpy.data.objects) == 1 and len(bpy.data.meshes) == 1
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.import_scene.gltf(filepath=str(tmp_path / "ball.glb"))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    assert back.name == "Ball" and len(back.data.uv_layers) == 2
    uv = np.array([corner.vector for corner in back.data.uv_layers[0].uv])
    assert len(np.unique(uv.round(5), axis=0)) > 30  # those of a ball, not of columns


def test_centimetres_become_metres_and_modifiers_that_change_topology_are_left_out(addon, tmp_path):
    obj = moving(addon, ngon_object("Prism"))
    obj.modifiers.new("Subdivision", "SUBSURF")
    bpy.context.scene.unit_settings.scale_length = 0.01
    path = tmp_path / "prism.json"
    export(addon, obj, path, FIRST + 2)
    said, positions, _, _ = decoded(path)
    obj.modifiers.clear()
    np.testing.assert_allclose(positions[2].max(axis=0), 0.01 * shown(obj, FIRST + 2)[1:].max(axis=0), atol=1e-5)
    assert max(said["bounds"]["max"]) < 0.1


def test_nothing_is_left_where_it_fails_or_is_stopped(addon, tmp_path):
    obj = moving(addon, ball(segments=8))
    (tmp_path / "ball.json").write_text("before")
    from motion324.core.errors import Motion324Error

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(addon, obj, tmp_path / "ball.json", FIRST + 2, stop)
    with pytest.raises(Motion324Error, match="Use at most 64 frames") as raised:
        export(addon, obj, tmp_path / "ball.json", 100, first=1, longest_side=64)
    assert raised.value.code == "too-large-for-textures"
    assert [path.name for path in tmp_path.iterdir()] == ["ball.json"]
    assert (tmp_path / "ball.json").read_text() == "before" and len(bpy.data.objects) == 1


def test_the_operator_writes_them_and_refuses_what_the_scene_lives_on(addon, tmp_path):
    obj = moving(addon, ball(segments=8))
    mesh = obj.data
    done = bpy.ops.motion324.export_vertex_textures(
        filepath=str(tmp_path / "ball.json"), pictures="png", power_of_two=True
    )
    assert done == {"FINISHED"}
    assert json.loads((tmp_path / "ball.json").read_text())["size"] == [128, 256]  # of the scene's 250 frames
    assert mesh.users == 1
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    (tmp_path / "other.glb").symlink_to(tmp_path / "scene.blend")
    with pytest.raises(RuntimeError, match="would overwrite"):
        bpy.ops.motion324.export_vertex_textures(filepath=str(tmp_path / "other.json"))


@pytest.mark.long
@needs_validator
def test_khronos_validator_finds_no_fault_in_the_mesh(addon, tmp_path):
    export(addon, moving(addon, half_smooth_box()), tmp_path / "box.json", FIRST + 2)
    export(addon, moving(addon, ngon_object("Prism")), tmp_path / "prism.json", FIRST + 2)
    assert issues(tmp_path / "box.glb") == issues(tmp_path / "prism.glb") == []
