"""Own motion of objects, units and times: compared frame by frame, by importing and by independent readers."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.readers import IMPORT, Glb, distance, in_world, read_usd
from addon.shapes import ball, finish, rest, shown
from addon.wobble import wobble

FRAMES, FPS = 5, 24
SUFFIXES = [".fbx", ".glb", ".abc", ".usd"]


def empty(name):
    obj = bpy.data.objects.new(name, None)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def mesh_object(name, positions, faces):
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(positions, [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def slide(obj, first, path="location", to=(2.0, 1.0, 0.5)):
    """Moves and comes to rest, in the midst of a frame."""
    for frame, part in ((first, 0.0), (first + 2.5, 1.0)):
        setattr(obj, path, [part * value for value in to])
        obj.keyframe_insert(path, frame=frame)


def parent(obj, first):
    obj.parent = empty("Parent")
    obj.location = (0.3, 0.2, 0.1)
    slide(obj.parent, first)
    slide(obj.parent, first, "rotation_euler", (0.5, 0.2, 2.0))


def constraint(obj, first):
    target = empty("Target")
    slide(target, first)
    obj.constraints.new("COPY_LOCATION").target = target


def driver(obj, first):
    slide(bpy.context.scene.camera or empty("Driver"), first)
    curve = obj.driver_add("rotation_euler", 2)
    variable = curve.driver.variables.new()
    variable.name = "x"
    variable.targets[0].id = bpy.data.objects["Driver"]
    variable.targets[0].data_path = "location.x"
    curve.driver.expression = "x"


def strip(obj, first):
    slide(obj, first)
    data = obj.animation_data
    action, data.action = data.action, None
    data.nla_tracks.new().strips.new("Strip", first, action)


def shear(obj, first):
    """A turned child of a parent that is scaled unevenly, and that turns on."""
    obj.parent = empty("Parent")
    obj.parent.scale = (3.0, 1.0, 0.5)
    obj.rotation_euler = (0.4, 0.5, 0.7)
    slide(obj, first, "rotation_euler", (1.0, 0.2, 0.4))


def mirrored_shear(obj, first):
    shear(obj, first)
    obj.parent.scale = (-3.0, 1.0, 0.5)


def deltas(obj, first):
    obj.delta_location, obj.delta_rotation_euler, obj.delta_scale = (1, 2, 3), (0.5, 0, 0), (1, 1.5, 1)
    obj.rotation_mode = "AXIS_ANGLE"
    obj.rotation_axis_angle = (1.0, 0.0, 1.0, 0.0)
    slide(obj, first)


def kept_transform(obj, first):
    """Parented as Ctrl P does it: the inverse of the parent's matrix, which is sheared, keeps the object in place."""
    obj.parent = empty("Parent")
    obj.parent.scale, obj.parent.rotation_euler = (3.0, 1.0, 0.5), (0.4, 0.5, 0.7)
    bpy.context.view_layer.update()
    obj.matrix_parent_inverse = obj.parent.matrix_world.inverted()
    slide(obj.parent, first)


def copied_shear(obj, first):
    """Has no sheared parent itself: a constraint takes it over."""
    target = empty("Target")
    shear(target, first)
    obj.constraints.new("COPY_TRANSFORMS").target = target


def vertices(obj, first):
    """Hangs, by an empty between, on three vertices that shape keys move."""
    carrier = mesh_object("Carrier", [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)])
    carrier.shape_key_add(name="Basis")
    key = carrier.shape_key_add(name="Moved")
    key.data[0].co, key.data[1].co = (1, 2, 3), (2, 1, 1)
    for frame, value in ((first, 0.0), (first + 3, 1.0)):
        key.value = value
        key.keyframe_insert("value", frame=frame)
    obj.parent = empty("Between")
    obj.location = (0, 0, 1)
    obj.parent.parent, obj.parent.parent_type, obj.parent.parent_vertices = carrier, "VERTEX_3", (0, 1, 2)


def bone_by_constraint(obj, first):
    """Hangs on a bone of an armature that has no keys: the bone follows something else."""
    target = empty("Target")
    slide(target, first)
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.new("Bone").tail = (0.3, 0.2, 1.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.pose.bones["Bone"].constraints.new("COPY_LOCATION").target = target
    obj.parent, obj.parent_type, obj.parent_bone = armature, "BONE", "Bone"


def repeated_strip(obj, first):
    """Twice as fast, backwards, and again."""
    strip(obj, first)
    played = obj.animation_data.nla_tracks[0].strips[0]
    played.scale, played.repeat, played.use_reverse = 0.5, 2.0, True


def stretched_time(obj, first):
    slide(obj, first)
    bpy.context.scene.render.frame_map_old, bpy.context.scene.render.frame_map_new = 100, 150


def flat(obj, first):
    """Turned, and of no thickness."""
    obj.scale, obj.rotation_euler = (1.0, 2.0, 0.0), (0.4, 0.5, 0.7)
    slide(obj, first)


def straight_flat(obj, first):
    obj.scale = (1.0, 1.0, 0.0)
    slide(obj, first)


def growing(obj, first):
    """Out of a point, while it turns."""
    slide(obj, first, "scale", (1.0, 0.5, 2.0))
    slide(obj, first, "rotation_euler", (0.5, 0.2, 1.0))


def flat_parent(obj, first):
    obj.parent = empty("Parent")
    obj.parent.rotation_euler = (0.1, 0.8, 0.3)
    slide(obj.parent, first, "scale", (1.0, 2.0, 0.0))
    obj.rotation_euler = (0.4, 0.5, 0.7)


def mirrored_on_the_way(obj, first):
    """By a size that goes through 0."""
    for frame, size in ((first, 1.0), (first + 2, 0.0), (first + 4, -1.0)):
        obj.scale.x = size
        obj.keyframe_insert("scale", index=0, frame=frame)
    obj.rotation_euler = (0.4, 0.5, 0.7)


MOVED_BY = {
    each.__name__: each
    for each in (
        *(parent, constraint, driver, strip, shear, mirrored_shear, deltas, kept_transform, copied_shear, vertices),
        *(bone_by_constraint, repeated_strip, stretched_time),
        *(flat, straight_flat, growing, flat_parent, mirrored_on_the_way),
    )
}


def _counts(obj):
    """What an export may neither add nor take away."""
    kinds = (bpy.data.objects, bpy.data.meshes, bpy.data.shape_keys, bpy.data.actions, obj.constraints)
    return [*map(len, kinds), bpy.context.scene.render.frame_map_new]


@pytest.fixture
def exported(addon, tmp_path):
    """exported(suffix, how, first, unit) -> the file, and where its points have to be (T, N, 3) in metres."""

    def make(suffix, how, first=1, unit=1.0):
        scene = bpy.context.scene
        scene.render.fps, scene.unit_settings.scale_length = FPS, unit
        obj = ball("Ball", segments=8)
        timing = addon("scene.playing.timing").Timing(first, 1, FRAMES)
        finish(addon("scene.playing.shape_keys").bake(obj, wobble(rest(obj), FRAMES), timing))
        if how is not None:
            MOVED_BY[how](obj, first)
        expected = []
        for frame in range(first, first + FRAMES):
            positions = shown(obj, frame)
            expected.append(in_world(obj, positions) * unit)
        moving = [np.array(m) for m in expected]
        assert np.abs(moving[-1] - moving[0]).max() > 0.01 * unit
        scene.frame_set(7)
        before = _counts(obj)
        path = tmp_path / f"ball{suffix}"
        addon("scene.exporting.export").export(obj, path, first, first + FRAMES - 1)
        assert (scene.frame_current, scene.unit_settings.scale_length) == (7, pytest.approx(unit))
        assert _counts(obj) == before
        return path, np.array(expected)

    return make


def start_of(suffix, first):
    return {".glb": 0, ".abc": first}.get(suffix, max(first, 0))


def check_read_back(path, expected, first):
    """By Blender, in a fresh scene, whose unit is a metre."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = FPS
    IMPORT[path.suffix](str(path))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    size = np.ptp(expected[-1], axis=0).max()
    for index, wanted in enumerate(expected):
        positions = shown(back, start_of(path.suffix, first) + index)
        assert distance(in_world(back, positions), wanted) < 2e-4 * size, index


def check_independently(path, expected, first):
    size = np.ptp(expected[-1], axis=0).max()
    if path.suffix == ".glb":
        pytest.importorskip("pygltflib")
        glb = Glb(path)
        np.testing.assert_allclose(glb.times, np.arange(FRAMES) / FPS, atol=1e-4)
        found = [glb.at(index / FPS) for index in range(FRAMES)]
    else:
        pytest.importorskip("pxr.Usd", reason="usd-core")
        start = max(first, 0)
        found, span = read_usd(path, start, FRAMES)
        assert span == [start, start + FRAMES - 1]
    for index, wanted in enumerate(expected):
        assert distance(found[index], wanted) < 2e-4 * size, index


@pytest.mark.parametrize("how", MOVED_BY)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_whatever_moves_an_object_comes_along(exported, suffix, how):
    path, expected = exported(suffix, how)
    if suffix in (".glb", ".usd"):
        check_independently(path, expected, 1)
    check_read_back(path, expected, 1)


@pytest.mark.parametrize("first", [-7, -2, 0, 1001])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_animation_may_begin_at_any_frame(exported, suffix, first):
    path, expected = exported(suffix, "parent", first)
    if suffix in (".glb", ".usd"):
        check_independently(path, expected, first)
    check_read_back(path, expected, first)


@pytest.mark.parametrize("unit", [0.01, 2.5])
@pytest.mark.parametrize("how", [None, "parent", "shear"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_metre_is_a_metre_in_each_format(exported, suffix, how, unit):
    path, expected = exported(suffix, how, unit=unit)
    if suffix in (".glb", ".usd"):
        check_independently(path, expected, 1)
    check_read_back(path, expected, 1)


def test_lengths_without_a_unit_count_as_metres(addon):
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    assert addon("scene.exporting.placing").metres_per_unit(scene) == pytest.approx(0.01)
    scene.unit_settings.system = "NONE"
    assert addon("scene.exporting.placing").metres_per_unit(scene) == 1.0


def test_a_usd_with_all_modifiers_begins_before_frame_0_unless_its_topology_changes(addon, tmp_path):
    from motion324.core.errors import Motion324Error

    obj = ball(segments=8)
    obj.modifiers.new("Wave", "WAVE").height = 0.4
    obj.modifiers.new("Fine", "SUBSURF").levels = 1
    expected = [shown(obj, frame) for frame in range(-3, 2)]
    addon("scene.exporting.export").export(obj, tmp_path / "ball.usd", -3, 1)
    build = obj.modifiers.new("Build", "BUILD")
    build.frame_start, build.frame_duration = -3, 10
    with pytest.raises(Motion324Error, match=r"faces of 'Ball' change at frame -?\d.*Use Alembic instead"):
        addon("scene.exporting.export").export(obj, tmp_path / "other.usd", -3, 1)
    assert len(bpy.data.meshes) == len(bpy.data.objects) == 1 and not (tmp_path / "other.usd").exists()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    IMPORT[".usd"](str(tmp_path / "ball.usd"))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    for index, wanted in enumerate(expected):
        assert distance(in_world(back, shown(back, index)), wanted) < 1e-4


@pytest.fixture
def on_linked(addon, tmp_path):
    """A ball that hangs on an empty, which moves and is linked from another file."""
    slide(empty("Carrier"), 1)
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps = FPS
    with bpy.data.libraries.load(library, link=True) as (there, here):
        here.objects = there.objects
    (carrier,) = here.objects
    bpy.context.scene.collection.objects.link(carrier)
    obj = ball("Ball", segments=8)
    obj.parent, obj.location = carrier, (0.3, 0.2, 0.1)
    finish(
        addon("scene.playing.shape_keys").bake(
            obj, wobble(rest(obj), FRAMES), addon("scene.playing.timing").Timing(1, 1, FRAMES)
        )
    )
    return obj


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_hangs_on_a_linked_parent_moves_with_it(addon, on_linked, tmp_path, suffix):
    expected = np.array([in_world(on_linked, shown(on_linked, frame)) for frame in range(1, 1 + FRAMES)])
    assert np.abs(expected[-1] - expected[0]).max() > 1
    path = tmp_path / f"ball{suffix}"
    addon("scene.exporting.export").export(on_linked, path, 1, FRAMES)
    if suffix in (".glb", ".usd"):
        check_independently(path, expected, 1)
    check_read_back(path, expected, 1)


@pytest.mark.parametrize("suffix", [".abc", ".usd"])
def test_changing_topology_on_a_linked_parent_is_refused_with_what_helps(addon, on_linked, tmp_path, suffix):
    from motion324.core.errors import Motion324Error

    build = on_linked.modifiers.new("Build", "BUILD")
    build.frame_start, build.frame_duration = 1, 10
    with pytest.raises(Motion324Error, match=r"hangs on 'Carrier', which is linked.* Make 'Carrier' local"):
        addon("scene.exporting.export").export(on_linked, tmp_path / f"ball{suffix}", 1, FRAMES)
    assert not (tmp_path / f"ball{suffix}").exists()


def test_alembic_carries_the_colours_of_corners_and_tells_which_it_does_not(addon, tmp_path):
    obj = ball(segments=8)
    losses = addon("scene.exporting.export_formats").losses
    carries_all = bpy.app.version >= (5, 3, 0)
    corners = obj.data.color_attributes.new("Corners", "BYTE_COLOR", "CORNER")
    colours = np.random.default_rng(0).random((len(corners.data), 4)).astype(np.float32)
    corners.data.foreach_set("color", colours.ravel())
    corners.data.foreach_get("color", colours.ravel())  # as bytes have them
    stored = np.array([each.color for each in corners.data])
    assert losses(obj, ".abc") == ()
    for name, kind, domain in (("Fine", "FLOAT_COLOR", "CORNER"), ("Vertices", "BYTE_COLOR", "POINT")):
        obj.data.color_attributes.new(name, kind, domain)
        assert carries_all or f"'{name}'" in losses(obj, ".abc")[0]
    assert len(losses(obj, ".abc")) == (0 if carries_all else 1)
    addon("scene.exporting.export").export(obj, tmp_path / "ball.abc", 1, 3)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    IMPORT[".abc"](str(tmp_path / "ball.abc"))
    (back,) = [o for o in bpy.data.objects if o.type == "MESH"]
    names = {each.name for each in back.data.color_attributes}
    assert names == ({"Corners", "Fine", "Vertices"} if carries_all else {"Corners"})
    found = np.array([each.color for each in back.data.color_attributes["Corners"].data])
    np.testing.assert_allclose(found, stored, atol=1 / 255)


@pytest.mark.parametrize("how", MOVED_BY)
def test_what_becomes_of_its_motion_is_told(addon, how):
    losses = addon("scene.exporting.export_formats").losses
    obj = ball()
    MOVED_BY[how](obj, 1)
    bpy.context.scene.frame_set(3)
    assert "Without the object's own motion." in losses(obj, ".pc2")
    sheared = "It is sheared by its parent, which becomes part of the shape keys."
    assert (sheared in losses(obj, ".glb")) == (sheared in losses(obj, ".fbx")) == ("shear" in how)
    becomes_flat = "A size of 0 makes it flat, which becomes part of the shape keys."
    assert (becomes_flat in losses(obj, ".glb")) == (becomes_flat in losses(obj, ".fbx"))
    assert (becomes_flat in losses(obj, ".glb")) == (
        how in ("flat", "straight_flat", "flat_parent", "mirrored_on_the_way")
    )
    assert losses(obj, ".usd") == losses(obj, ".abc") == ()


def test_what_becomes_of_times_and_units_is_told(addon):
    losses = addon("scene.exporting.export_formats").losses
    obj = ball()
    assert losses(obj, ".glb", 1001) == ("It begins at 0 seconds with the scene's frame 1001.",)
    assert losses(obj, ".fbx", -5) == ("Without frames before 0: it begins at frame 0 with the scene's frame -5.",)
    assert losses(obj, ".usd", -5) == losses(obj, ".fbx", -5)
    assert losses(obj, ".usd", 1) == losses(obj, ".fbx", 0) == losses(obj, ".abc", -5) == ()
    bpy.context.scene.unit_settings.scale_length = 0.01
    assert losses(obj, ".mdd")[-1] == "In Blender's units, of which each is 0.01 m, not in metres."
    assert losses(obj, ".usd") == ()
