"""Every export is read back into an empty scene and compared frame by frame."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.shapes import ball, finish, ngon_object, rest, shown
from addon.wobble import wobble
from mathutils.kdtree import KDTree

FIRST, FRAMES = 5, 6
IMPORT = {
    # FBX: the importer moves all keys by one frame unless it is told not to.
    ".fbx": lambda path: bpy.ops.import_scene.fbx(filepath=path, anim_offset=0.0),
    ".glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    ".abc": lambda path: bpy.ops.wm.alembic_import(filepath=path, as_background_job=False),
    ".usd": lambda path: bpy.ops.wm.usd_import(filepath=path),
}


def moving_object(addon, tmp_path, kind):
    """An object away from the origin, animated over FRAMES frames from FIRST on; its place in the world over time."""
    obj = ngon_object("Prism")
    obj.location, obj.scale, obj.rotation_euler = (1, 2, 3), (1, 2, 0.5), (0.3, 0.2, 0.1)
    positions = wobble(rest(obj), FRAMES)
    timing = addon("scene.timing").Timing(FIRST, 1, FRAMES)
    if kind == "shape keys":
        finish(addon("scene.shape_keys").bake(obj, positions, timing))
    else:
        addon("scene.point_cache").keep(obj, positions, timing, tmp_path / "cache.pc2")
    bpy.context.view_layer.update()
    return obj, in_world(obj, positions)


def in_world(obj, positions):
    matrix = np.array(obj.matrix_world)
    return positions @ matrix[:3, :3].T + matrix[:3, 3]


def distance(one, other):
    """The largest distance from a point of one to the nearest of the other, both ways: glTF splits vertices."""

    def one_way(points, others):
        tree = KDTree(len(others))
        for index, point in enumerate(others):
            tree.insert(point, index)
        tree.balance()
        return max(tree.find(point)[2] for point in points)

    return max(one_way(one, other), one_way(other, one))


@pytest.mark.parametrize("kind", ["shape keys", "point cache"])
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_an_export_read_back_shows_the_same_at_the_same_frames(addon, tmp_path, suffix, kind):
    obj, expected = moving_object(addon, tmp_path, kind)
    used = np.unique([v for face in obj.data.polygons for v in face.vertices])  # glTF leaves out loose vertices
    path = tmp_path / f"prism{suffix}"
    bpy.context.scene.render.fps = 30
    addon("scene.export").export(obj, path, FIRST, FIRST + FRAMES - 1)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = 30
    IMPORT[suffix](str(path))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    assert back.name == "Prism"
    size = np.ptp(expected[0], axis=0).max()
    for index in range(FRAMES):
        found = in_world(back, shown(back, FIRST + index))
        assert distance(found, expected[index][used] if suffix == ".glb" else expected[index]) < 1e-4 * size
    assert distance(in_world(back, shown(back, FIRST - 3)), in_world(back, shown(back, FIRST))) < 1e-4 * size


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_an_export_leaves_the_scene_as_it_was(addon, tmp_path, suffix):
    other = ball("Other")
    obj, _ = moving_object(addon, tmp_path, "point cache")
    obj.modifiers.new("Subdivision", "SUBSURF")
    for each in (obj, other):
        each.select_set(each is other)
    bpy.context.view_layer.objects.active = other
    bpy.context.scene.frame_set(3)

    def state():
        scene = bpy.context.scene
        return (
            sorted(o.name for o in bpy.data.objects),
            sorted(m.name for m in bpy.data.meshes),
            sorted(a.name for a in bpy.data.actions),
            [o.name for o in bpy.context.selected_objects],
            bpy.context.view_layer.objects.active.name,
            (scene.frame_start, scene.frame_end, scene.frame_current),
            [(m.type, m.show_viewport) for m in obj.modifiers],
            sorted(path.name for path in tmp_path.iterdir() if path.suffix != suffix),
        )

    before = state()
    addon("scene.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + 2)
    assert state() == before


@pytest.mark.parametrize("stored", ["packed", "painted"])
def test_fbx_and_glb_carry_pictures_and_uvs(addon, tmp_path, stored):
    obj = ball()
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new("Picture", 8, 8)
    texture.image.pixels.foreach_set(np.tile([1, 0, 0, 1], 64).astype(np.float32))
    if stored == "packed":
        texture.image.pack()
    principled = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    obj.data.materials.append(material)
    positions = wobble(rest(obj), 3)
    finish(addon("scene.shape_keys").bake(obj, positions, addon("scene.timing").Timing(1, 1, 3)))
    for suffix in (".fbx", ".glb"):
        addon("scene.export").export(obj, tmp_path / f"ball{suffix}", 1, 3)
    assert texture.image.filepath_raw == ""
    for suffix in (".fbx", ".glb"):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        IMPORT[suffix](str(tmp_path / f"ball{suffix}"))
        (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
        look = addon("scene.shader_tracing").trace_material(back.material_slots[0].material)
        assert look.image is not None and tuple(look.image.size) == (8, 8)
        assert tuple(look.image.pixels[:4]) == (1, 0, 0, 1)
        assert len(back.data.uv_layers) == 1


def test_an_export_that_cannot_be_written_says_so_and_leaves_nothing(addon, tmp_path):
    from motion324.errors import Motion324Error

    obj = ball()
    (tmp_path / "wall").write_text("a file is in the way")
    with pytest.raises(Motion324Error, match=r"wall.* could not be (written|write)|could not write"):
        addon("scene.export").export(obj, tmp_path / "wall" / "ball.fbx", 1, 2)
    with pytest.raises(Motion324Error, match=r"'ball.xyz' has no known export format. Use .fbx"):
        addon("scene.export").export(obj, tmp_path / "ball.xyz", 1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["wall"]
    assert [o.name for o in bpy.data.objects] == ["Ball"]


def test_a_stopped_export_leaves_the_scene_and_the_old_file(addon, tmp_path):
    obj, _ = moving_object(addon, tmp_path, "point cache")
    path = tmp_path / "prism.fbx"
    path.write_text("old")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        addon("scene.export").export(obj, path, FIRST, FIRST + 2, stop)
    assert path.read_text() == "old"
    assert [o.name for o in bpy.data.objects] == ["Prism"]
    assert bpy.context.scene.frame_end == 250
