"""Every export is read back into an empty scene and compared frame by frame."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.readers import IMPORT, distance, in_world
from addon.shapes import ball, finish, ngon_object, rest, shown
from addon.wobble import wobble

FIRST, FRAMES = 5, 6


def moving_object(addon, tmp_path, kind):
    """An object away from the origin, animated over FRAMES frames from FIRST on; its place in the world over time."""
    obj = ngon_object("Prism")
    obj.location, obj.scale, obj.rotation_euler = (1, 2, 3), (1, 2, 0.5), (0.3, 0.2, 0.1)
    positions = wobble(rest(obj), FRAMES)
    timing = addon("scene.playing.timing").Timing(FIRST, 1, FRAMES)
    if kind == "shape keys":
        finish(addon("scene.playing.shape_keys").bake(obj, positions, timing))
    else:
        addon("scene.playing.point_cache").keep(obj, positions, timing, tmp_path / "cache.pc2")
    bpy.context.view_layer.update()
    return obj, in_world(obj, positions)


@pytest.mark.parametrize("kind", ["shape keys", "point cache"])
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_an_export_read_back_shows_the_same_at_the_same_frames(addon, tmp_path, suffix, kind):
    obj, expected = moving_object(addon, tmp_path, kind)
    used = np.unique([v for face in obj.data.polygons for v in face.vertices])  # glTF leaves out loose vertices
    path = tmp_path / f"prism{suffix}"
    bpy.context.scene.render.fps = 30
    addon("scene.exporting.export").export(obj, path, FIRST, FIRST + FRAMES - 1)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = 30
    IMPORT[suffix](str(path))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    assert back.name == "Prism"
    size = np.ptp(expected[0], axis=0).max()
    start = 0 if suffix == ".glb" else FIRST  # a GLB begins with its animation
    for index in range(FRAMES):
        found = in_world(back, shown(back, start + index))
        assert distance(found, expected[index][used] if suffix == ".glb" else expected[index]) < 1e-4 * size
    assert distance(in_world(back, shown(back, start - 3)), in_world(back, shown(back, start))) < 1e-4 * size


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_properties_of_bytes_do_not_end_blender_and_stay(addon, tmp_path, suffix):
    obj, _ = moving_object(addon, tmp_path, "shape keys")
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.scene.collection.objects.link(parent)
    obj.parent = parent
    for owner in (obj, obj.data, parent):
        owner["take"], owner["note"] = b"a\0b", "kept"
    addon("scene.exporting.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + FRAMES - 1)
    assert (tmp_path / f"prism{suffix}").stat().st_size > 100
    for owner in (obj, obj.data, parent):
        assert (owner["take"], owner["note"]) == (b"a\0b", "kept")


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_the_motion_of_the_object_itself_comes_along(addon, tmp_path, suffix):
    obj, _ = moving_object(addon, tmp_path, "shape keys")
    for frame, height in ((FIRST, 3.0), (FIRST + FRAMES - 1, 8.0)):
        obj.location.z = height
        obj.keyframe_insert("location", frame=frame)
    expected = [in_world(obj, shown(obj, FIRST + index)) for index in range(FRAMES)]
    assert expected[-1][:, 2].mean() - expected[0][:, 2].mean() > 4
    addon("scene.exporting.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + FRAMES - 1)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    IMPORT[suffix](str(tmp_path / f"prism{suffix}"))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    used = slice(1, None) if suffix == ".glb" else slice(None)
    for index in range(FRAMES):
        positions = shown(back, (0 if suffix == ".glb" else FIRST) + index)
        assert distance(in_world(back, positions), expected[index][used]) < 3e-4


@pytest.mark.parametrize("suffix", [".pc2", ".mdd"])
def test_an_exported_point_cache_plays_on_the_same_mesh_in_a_fresh_scene(addon, tmp_path, suffix):
    obj, _ = moving_object(addon, tmp_path, "shape keys")
    expected = wobble(rest(obj), FRAMES)
    path = tmp_path / f"prism{suffix}"
    bpy.context.scene.render.fps = 30
    addon("scene.exporting.export").export(obj, path, FIRST, FIRST + FRAMES - 1)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = 30
    back = ngon_object("Back")
    modifier = back.modifiers.new("Cache", "MESH_CACHE")
    modifier.cache_format, modifier.filepath = suffix[1:].upper(), str(path)
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    modifier.frame_start = FIRST
    for index in range(FRAMES):
        np.testing.assert_allclose(shown(back, FIRST + index), expected[index], atol=2e-6)
    if suffix == ".mdd":
        times = np.fromfile(path, ">f4", FRAMES, offset=8)
        np.testing.assert_allclose(times, np.arange(FRAMES) / 30, rtol=1e-6)


@pytest.mark.parametrize("base", [1.0, 2.0])
def test_frames_per_second_come_along(addon, tmp_path, base):
    """Formats that count in seconds play at the same speed in a scene of another rate."""
    obj, expected = moving_object(addon, tmp_path, "shape keys")
    render = bpy.context.scene.render
    render.fps, render.fps_base = 30, base
    for suffix in (".fbx", ".glb", ".abc"):
        addon("scene.exporting.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + FRAMES - 1)
    used = np.unique([v for face in obj.data.polygons for v in face.vertices])
    for suffix in (".fbx", ".glb", ".abc"):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        bpy.context.scene.render.fps = 60
        IMPORT[suffix](str(tmp_path / f"prism{suffix}"))
        (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
        for index in (1, 4):
            render = bpy.context.scene.render
            rate = render.fps / render.fps_base / (30 / base)  # the FBX importer sets the file's in the scene
            start = 0 if suffix == ".glb" else FIRST
            found = in_world(back, shown(back, round(rate * (start + index))))
            wanted = expected[index][used] if suffix == ".glb" else expected[index]
            assert distance(found, wanted) < 1e-4 * np.ptp(expected[0], axis=0).max(), suffix


def test_usd_tells_its_frames_and_their_rate(addon, tmp_path):
    obj, _ = moving_object(addon, tmp_path, "shape keys")
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 30, FIRST, FIRST + FRAMES - 1
    path = tmp_path / "prism.usda"  # the same as text
    addon("scene.exporting.export")._export_usd([obj], path, FIRST, FIRST + FRAMES - 1, lambda done, total: None)
    head = path.read_text()[:1000]
    for line in ("timeCodesPerSecond = 30", f"startTimeCode = {FIRST}", f"endTimeCode = {FIRST + FRAMES - 1}"):
        assert line in head


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_several_objects_go_into_one_file_as_themselves(addon, tmp_path, suffix):
    obj, expected = moving_object(addon, tmp_path, "shape keys")
    other = ball("Other")
    other.location.x = 5
    still = in_world(other, rest(other)) + np.array([5, 0, 0])
    addon("scene.exporting.export").export(obj, tmp_path / f"two{suffix}", FIRST, FIRST + FRAMES - 1, others=[other])
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = 24
    IMPORT[suffix](str(tmp_path / f"two{suffix}"))
    back = {o.name: o for o in bpy.data.objects if o.type == "MESH"}
    assert sorted(back) == ["Other", "Prism"]
    used = slice(1, None) if suffix == ".glb" else slice(None)
    found = in_world(back["Prism"], shown(back["Prism"], (0 if suffix == ".glb" else FIRST) + 3))
    assert distance(found, expected[3][used]) < 1e-3
    assert distance(in_world(back["Other"], shown(back["Other"])), still) < 1e-3


def test_a_deformed_and_subdivided_object_is_exported_as_it_shows(addon, tmp_path):
    """FBX takes what deforms into its shape keys, Alembic and USD have the subdivision as well."""
    obj = ball()
    obj.modifiers.new("Wave", "WAVE").height = 0.3
    obj.modifiers.new("Subdivision", "SUBSURF").levels = 1
    fine = [shown(obj, frame) for frame in (1, 4, 8)]
    obj.modifiers["Subdivision"].show_viewport = False
    coarse = [shown(obj, frame) for frame in (1, 4, 8)]
    obj.modifiers["Subdivision"].show_viewport = True
    assert addon("scene.exporting.export_formats").losses(obj, ".fbx")[0].startswith("Without what 'Subdivision' make")
    assert addon("scene.exporting.export_formats").losses(obj, ".usd") == ()
    for suffix in (".fbx", ".abc", ".usd"):
        addon("scene.exporting.export").export(obj, tmp_path / f"ball{suffix}", 1, 8)
    for suffix, expected in ((".fbx", coarse), (".abc", fine), (".usd", fine)):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        IMPORT[suffix](str(tmp_path / f"ball{suffix}"))
        (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
        for frame, wanted in zip((1, 4, 8), expected, strict=True):
            assert distance(in_world(back, shown(back, frame)), wanted) < 1e-4


@pytest.mark.parametrize("smooth", [False, True], ids=["flat", "smooth"])
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd", ".pc2", ".mdd"])
def test_the_size_is_known_before_within_30_percent(addon, tmp_path, suffix, smooth):
    obj = ball(segments=64)
    obj.data.polygons.foreach_set("use_smooth", [smooth] * len(obj.data.polygons))
    positions = wobble(rest(obj), 40)
    addon("scene.playing.point_cache").keep(
        obj, positions, addon("scene.playing.timing").Timing(1, 1, 40), tmp_path / "cache.pc2"
    )
    bpy.context.scene.frame_set(7)
    expected = addon("scene.exporting.export_size").estimate([obj], suffix, 1, 40)
    assert bpy.context.scene.frame_current == 7
    path = tmp_path / f"ball{suffix}"
    addon("scene.exporting.export").export(obj, path, 1, 40)
    assert expected == pytest.approx(path.stat().st_size, rel=0.3)


def test_the_size_of_a_textured_animation_that_moves_in_part_only(addon, tmp_path):
    obj = ball(segments=48)
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    texture = material.node_tree.nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new("Picture", 256, 256)
    noise = np.random.default_rng(0).random(256 * 256 * 4).astype(np.float32)
    texture.image.pixels.foreach_set(noise)
    texture.image.pack()
    principled = material.node_tree.nodes["Principled BSDF"]
    material.node_tree.links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    obj.data.materials.append(material)
    positions = np.where(rest(obj)[:, :1] > 0.5, wobble(rest(obj), 30), rest(obj)).astype(np.float32)
    finish(addon("scene.playing.shape_keys").bake(obj, positions, addon("scene.playing.timing").Timing(1, 1, 30)))
    for suffix in (".fbx", ".glb"):
        expected = addon("scene.exporting.export_size").estimate([obj], suffix, 1, 30)
        path = tmp_path / f"ball{suffix}"
        addon("scene.exporting.export").export(obj, path, 1, 30)
        assert expected == pytest.approx(path.stat().st_size, rel=0.3), suffix


def test_what_formats_cannot_carry_is_told(addon):
    losses = addon("scene.exporting.export_formats").losses
    obj = ngon_object()
    assert losses(obj, ".glb") == ("Vertices that no face uses are left out.",)
    obj.shape_key_add(name="Basis")
    obj.shape_key_add(name="smile")
    obj.data.materials.append(bpy.data.materials.new("Skin"))
    assert losses(obj, ".fbx") == ("Other shape keys become part of the animation.",)
    assert losses(obj, ".abc") == ("Without materials: only their names and faces.",)
    assert "the same mesh" in losses(obj, ".pc2")[0]


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
    addon("scene.exporting.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + 2)
    assert state() == before


@pytest.mark.parametrize("stored", ["packed", "painted"])
def test_fbx_and_glb_carry_pictures_and_uvs(addon, tmp_path, stored):
    from motion324.core.inside_blender.mesh.shader_tracing import trace_material

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
    finish(addon("scene.playing.shape_keys").bake(obj, positions, addon("scene.playing.timing").Timing(1, 1, 3)))
    for suffix in (".fbx", ".glb"):
        addon("scene.exporting.export").export(obj, tmp_path / f"ball{suffix}", 1, 3)
    assert texture.image.filepath_raw == ""
    for suffix in (".fbx", ".glb"):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        IMPORT[suffix](str(tmp_path / f"ball{suffix}"))
        (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
        look = trace_material(back.material_slots[0].material)
        assert look.image is not None and tuple(look.image.size) == (8, 8)
        assert tuple(look.image.pixels[:4]) == (1, 0, 0, 1)
        assert len(back.data.uv_layers) == 1


def test_an_export_that_cannot_be_written_says_so_and_leaves_nothing(addon, tmp_path):
    from motion324.core.errors import Motion324Error

    obj = ball()
    (tmp_path / "wall").write_text("a file is in the way")
    with pytest.raises(Motion324Error, match=r"wall.* could not be (written|write)|could not write"):
        addon("scene.exporting.export").export(obj, tmp_path / "wall" / "ball.fbx", 1, 2)
    with pytest.raises(Motion324Error, match=r"'ball.xyz' has no known export format. Use .fbx"):
        addon("scene.exporting.export").export(obj, tmp_path / "ball.xyz", 1, 2)
    with pytest.raises(Motion324Error, match=r"A PC2 Point Cache holds one object, not 2\. Export them one by one"):
        addon("scene.exporting.export").export(obj, tmp_path / "ball.pc2", 1, 2, others=[obj])
    assert [path.name for path in tmp_path.iterdir()] == ["wall"]
    assert [o.name for o in bpy.data.objects] == ["Ball"]


def test_a_stopped_export_leaves_the_scene_and_the_old_file(addon, tmp_path):
    obj, _ = moving_object(addon, tmp_path, "point cache")
    path = tmp_path / "prism.fbx"
    path.write_text("old")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        addon("scene.exporting.export").export(obj, path, FIRST, FIRST + 2, stop)
    assert path.read_text() == "old"
    assert [o.name for o in bpy.data.objects] == ["Prism"]
    assert bpy.context.scene.frame_end == 250


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd", ".pc2", ".mdd"])
def test_kept_shape_keys_can_be_saved_after_an_export(addon, tmp_path, suffix):
    obj, _ = moving_object(addon, tmp_path, "shape keys")
    addon("scene.exporting.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + FRAMES - 1)
    assert [keys.user.name for keys in bpy.data.shape_keys] == ["Prism"]
    assert bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend")) == {"FINISHED"}


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd", ".pc2", ".mdd"])
@pytest.mark.parametrize("namesake", [False, True])
def test_an_object_whose_mesh_is_linked_is_exported(addon, tmp_path, suffix, namesake):
    bpy.data.libraries.write(str(tmp_path / "library.blend"), {ball().data})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (there, here):
        here.meshes = there.meshes
    obj = bpy.data.objects.new("Local", here.meshes[0])
    bpy.context.scene.collection.objects.link(obj)
    if namesake:
        bpy.data.meshes.new("Ball")
    obj.location.x = 2
    expected = in_world(obj, rest(obj)) + np.array([2, 0, 0])
    addon("scene.exporting.export").export(obj, tmp_path / f"local{suffix}", 1, 3)
    assert obj.name == "Local" and obj.data.library is not None and obj.data.name == "Ball"
    assert len(bpy.data.meshes) == 1 + namesake and not bpy.data.shape_keys
    if suffix in IMPORT:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        IMPORT[suffix](str(tmp_path / f"local{suffix}"))
        (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
        assert back.name == "Local" or suffix == ".usd"  # whose importer takes the mesh's name
        assert distance(in_world(back, shown(back, 2)), expected) < 1e-4


@pytest.mark.parametrize("switch", ["object", "collection", "eye", "not selectable"])
@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".abc", ".usd"])
def test_an_object_that_the_viewport_does_not_show_is_exported(addon, tmp_path, suffix, switch):
    obj, expected = moving_object(addon, tmp_path, "point cache")
    collection = bpy.data.collections.new("Inner")
    bpy.context.scene.collection.children.link(collection)
    bpy.context.scene.collection.objects.unlink(obj)
    collection.objects.link(obj)
    if switch == "object":
        obj.hide_viewport = True
    elif switch == "collection":
        collection.hide_viewport = True
    elif switch == "eye":
        obj.hide_set(True)
    else:
        obj.hide_select = True
    before = obj.hide_viewport, collection.hide_viewport, obj.hide_get(), obj.hide_select
    addon("scene.exporting.export").export(obj, tmp_path / f"prism{suffix}", FIRST, FIRST + 2)
    assert (obj.hide_viewport, collection.hide_viewport, obj.hide_get(), obj.hide_select) == before
    assert obj.users_collection == (collection,)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    IMPORT[suffix](str(tmp_path / f"prism{suffix}"))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    used = slice(1, None) if suffix == ".glb" else slice(None)
    found = in_world(back, shown(back, 2 if suffix == ".glb" else FIRST + 2))
    assert distance(found, expected[2][used]) < 1e-3
