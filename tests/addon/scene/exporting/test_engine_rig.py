"""Rigs for engines, read back by Blender and by readers of other people's: ufbx and pygltflib. Bone by bone and frame
by frame they are where the scene shows them, and the files are laid out as each engine takes them."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.engines import needs_godot, needs_three, played_by_godot, played_by_three
from addon.readers import IMPORT, SkinnedGlb, distance, read_fbx
from addon.rigs import animate, heads_in_world, tentacle, vertices_in_world
from addon.shapes import ball
from gltf_validator import issues, needs_validator

pytest.importorskip("pygltflib")
pytest.importorskip("ufbx")

FIRST, FRAMES = 3, 9
SHOWN = range(FIRST, FIRST + FRAMES)
ENGINES = {"unreal": ".fbx", "unity": ".fbx", "godot": ".glb"}


def export(addon, obj, path, last=FIRST + FRAMES - 1, report=lambda *_: None, edits=None, others=(), **settings):
    from motion324.core.options.engine_settings import EngineSettings, MotionEdits

    room = addon("scene.exporting.engine_rig")
    return room.export_for_engine(
        obj, path, FIRST, last, EngineSettings(**settings), MotionEdits.of(edits or {}), report, others
    )


class Read:
    """What an independent reader finds in the file, in metres with Z up. vertices (T, N, 3), heads (T, 3) by name."""

    def __init__(self, path: Path, engine: str, frames: int = FRAMES, fps: float = 24.0) -> None:
        if engine == "godot":
            glb = SkinnedGlb(path)
            times = np.arange(frames) / fps
            self.parents = dict(zip(glb.names, glb.parents, strict=True))
            self.vertices = np.array([glb.skinned(time) for time in times])
            heads = np.array([glb.heads(time) for time in times])
            self.heads = {name: heads[:, k] for k, name in enumerate(glb.names)}
            self.seconds, self.keys = glb.seconds, glb.keys
            return
        self.file = read_fbx(path, frames, fps)
        names = self.file["names"].tolist()
        nodes = [name for name in names if self.file["parents"][names.index(name)]]
        self.parents = {name: str(self.file["parents"][names.index(name)]) for name in nodes}
        self.vertices = self._metres(self.file["skinned"], engine)
        self.heads = {name: self._metres(self.file["nodes"][:, names.index(name), :3, 3], engine) for name in nodes}

    def _metres(self, places: np.ndarray, engine: str) -> np.ndarray:
        places = places * self.file["unit"]
        return np.stack([places[..., 0], -places[..., 2], places[..., 1]], axis=-1) if engine == "unity" else places


def placed(obj):
    """An armature that is not at the origin, turned, and half as large again."""
    armature = obj.parent
    armature.location, armature.rotation_euler, armature.scale = (1, 2, 3), (0.1, 0.2, 0.5), (1.5, 1.5, 1.5)
    return armature


def same(found, truth, engine, limit=1e-4):
    size = np.ptp(truth[0], axis=0).max()
    for one, other in zip(found, truth, strict=True):
        off = distance(one, other) if engine == "godot" else np.abs(one - other).max()  # glTF splits vertices
        assert off < limit * size


def read_by_blender(path):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    IMPORT[path.suffix](str(path))
    (mesh,) = [o for o in bpy.data.objects if o.type == "MESH" and o.find_armature()]
    return mesh, mesh.find_armature()


def swell(armature, inheriting):
    """The second bone grows evenly, which the third takes over or not."""
    armature.data.bones["bone.2"].inherit_scale = inheriting
    for frame, size in ((FIRST, 1.0), (FIRST + 3, 1.5), (FIRST + 6, 0.8)):
        pose = armature.pose.bones["bone.1"]
        pose.scale = (size,) * 3
        pose.keyframe_insert("scale", frame=frame)


@pytest.mark.parametrize("inheriting", ["", "FULL", "NONE"])
@pytest.mark.parametrize("engine", ENGINES)
def test_bones_and_vertices_are_where_the_scene_shows_them(addon, tmp_path, engine, inheriting):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, FRAMES)
    if inheriting:
        swell(armature, inheriting)
    truth, heads = vertices_in_world(obj, SHOWN), heads_in_world(armature, SHOWN)
    path = tmp_path / f"rig{ENGINES[engine]}"
    told = export(addon, obj, path, engine=engine)
    assert (told.bones, told.frames, told.warnings) == (4, FRAMES, ()) and told.largest < 1e-5
    read = Read(path, engine)
    same(read.vertices, truth, engine)
    assert set(read.heads) == set(heads)
    for name, places in heads.items():
        assert np.abs(read.heads[name] - places).max() < 1e-4
    back, bones = read_by_blender(path)
    start = 0
    same(vertices_in_world(back, range(start, start + FRAMES)), truth, "godot")
    again = heads_in_world(bones, range(start, start + FRAMES))
    for name, places in heads.items():
        assert np.abs(again[name] - places).max() < 1e-4


@pytest.mark.parametrize("engine", ["unreal", "godot"])
def test_a_rate_with_a_base_is_that_of_the_file(addon, tmp_path, engine):
    obj = tentacle()
    animate(placed(obj), FIRST, FRAMES)
    truth = vertices_in_world(obj, SHOWN)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 2.0
    path = tmp_path / f"rig{ENGINES[engine]}"
    bpy_fps = addon("scene.playing.timing").scene_fps(bpy.context.scene)
    assert bpy_fps == 12.5
    export(addon, obj, path, engine=engine)
    same(Read(path, engine, fps=12.5).vertices, truth, engine)


def test_unreal_gets_centimetres_with_z_up_and_nodes_that_are_neither_turned_nor_scaled(addon, tmp_path):
    obj = tentacle()
    animate(placed(obj), FIRST, FRAMES)
    export(addon, obj, tmp_path / "rig.fbx", engine="unreal")
    read = Read(tmp_path / "rig.fbx", "unreal")
    assert read.file["unit"] == 0.01 and read.file["up"] == 4 and read.file["rate"] == 24
    names = read.file["names"].tolist()
    for name in ("Armature", "Tentacle"):
        np.testing.assert_allclose(read.file["local"][names.index(name)], [0, 0, 0, 0, 0, 0, 1, 1, 1], atol=1e-6)
    assert [name for name, parent in read.parents.items() if parent == "Armature"] == ["bone.0"]  # one root
    assert np.ptp(read.file["skinned"][0], axis=0).max() > 400


def test_unity_gets_metres_with_y_up_and_baked_axes(addon, tmp_path):
    obj = tentacle()
    animate(placed(obj), FIRST, FRAMES)
    export(addon, obj, tmp_path / "rig.fbx", engine="unity")
    read = Read(tmp_path / "rig.fbx", "unity")
    assert read.file["unit"] == 1.0 and read.file["up"] == 2
    names = read.file["names"].tolist()
    for name in ("Tentacle Rig", "Tentacle"):
        np.testing.assert_allclose(read.file["local"][names.index(name)], [0, 0, 0, 0, 0, 0, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("engine", ["unreal", "godot"])
def test_the_objects_own_motion_is_on_the_bones(addon, tmp_path, engine):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, FRAMES)
    for frame, place, turn in ((FIRST, 0.0, 0.0), (FIRST + FRAMES - 1, 3.0, 1.0)):
        armature.location.x, armature.rotation_euler.z = place, turn
        armature.keyframe_insert("location", frame=frame)
        armature.keyframe_insert("rotation_euler", frame=frame)
    truth = vertices_in_world(obj, SHOWN)
    path = tmp_path / f"rig{ENGINES[engine]}"
    assert export(addon, obj, path, engine=engine).largest < 1e-5
    same(Read(path, engine).vertices, truth, engine)


def test_control_bones_stay_behind_and_what_they_do_comes_along(addon, tmp_path):
    obj = tentacle()
    armature = obj.parent
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    control = armature.data.edit_bones.new("control")
    control.head, control.tail, control.use_deform = (0, 2, 0), (0, 3, 0), False
    above = armature.data.edit_bones.new("mover")
    above.head, above.tail, above.use_deform = (0, 0, 0), (0, 1, 0), False
    armature.data.edit_bones["bone.0"].parent = above
    bpy.ops.object.mode_set(mode="OBJECT")
    animate(armature, FIRST, FRAMES)
    follow = armature.pose.bones["bone.2"].constraints.new("COPY_ROTATION")
    follow.target, follow.subtarget = armature, "control"
    truth = vertices_in_world(obj, SHOWN)
    told = export(addon, obj, tmp_path / "rig.glb", engine="godot")
    assert told.bones == 4 and told.largest < 1e-5
    read = Read(tmp_path / "rig.glb", "godot")
    assert sorted(read.heads) == [f"bone.{k}" for k in range(4)]
    same(read.vertices, truth, "godot")


@pytest.mark.parametrize("engine", ENGINES)
def test_several_bones_above_all_others_and_loose_vertices_hang_on_one_root(addon, tmp_path, engine):
    obj = tentacle()
    armature = placed(obj)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones["bone.2"].parent = None
    bpy.ops.object.mode_set(mode="OBJECT")
    for group in obj.vertex_groups:
        group.remove(range(8, 16))
    animate(armature, FIRST, FRAMES)
    truth = vertices_in_world(obj, SHOWN)
    path = tmp_path / f"rig{ENGINES[engine]}"
    told = export(addon, obj, path, engine=engine)
    assert told.bones == 5 and told.largest < 1e-5
    read = Read(path, engine)
    assert read.parents["bone.0"] == read.parents["bone.2"] == "root"
    same(read.vertices, truth, engine)


def test_fewer_influences_are_told_with_what_they_cost(addon, tmp_path):
    obj = tentacle(bones=8)
    animate(obj.parent, FIRST, FRAMES)
    told = export(addon, obj, tmp_path / "rig.fbx", engine="unity", influences=1)
    (warning,) = told.warnings
    assert warning["code"] == "rig-differs" and told.largest > 1e-3
    assert Read(tmp_path / "rig.fbx", "unity").file["most"] == 1
    obj.modifiers["Armature"].use_deform_preserve_volume = True
    assert export(addon, obj, tmp_path / "rig.fbx", engine="unity").warnings


@pytest.mark.parametrize("engine", ENGINES)
def test_keys_that_the_mesh_does_not_need_are_left_out(addon, tmp_path, engine):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, 61)
    last = FIRST + 60
    truth = vertices_in_world(obj, range(FIRST, last + 1))
    paths = [tmp_path / f"{name}{ENGINES[engine]}" for name in ("whole", "rig")]
    whole = export(addon, obj, paths[0], last=last, engine=engine)
    told = export(addon, obj, paths[1], last=last, engine=engine, key_tolerance=0.06)
    assert whole.keys == 1 and told.keys < 0.6
    read = Read(paths[1], engine, 61)
    if engine == "godot":
        assert sum(read.keys.values()) < 0.6 * sum(Read(paths[0], engine, 61).keys.values())
        off = [distance(one, other) for one, other in zip(read.vertices, truth, strict=True)]
    else:
        off = [np.linalg.norm(one - other, axis=1).max() for one, other in zip(read.vertices, truth, strict=True)]
    assert 0.015 < max(off) < 0.061
    assert paths[1].stat().st_size < paths[0].stat().st_size


@pytest.mark.parametrize("engine", ENGINES)
def test_a_walk_becomes_a_loop_in_place_with_its_way_on_the_root(addon, tmp_path, engine):
    obj = tentacle()
    armature = obj.parent
    animate(armature, FIRST, 31, travel=0.05)
    path = tmp_path / f"rig{ENGINES[engine]}"
    edits = {"loop": True, "root_motion": "root", "resample": 48.0, "loop_at_least": 25}
    told = export(addon, obj, path, last=FIRST + 30, engine=engine, edits=edits)
    count = told.report["loop"]["frames"]
    assert count >= 25 and told.frames == 2 * count + 1
    read = Read(path, engine, told.frames, 48.0)
    root = read.heads["root"]
    gone = read.heads["bone.0"] - root
    same([read.vertices[-1] - root[-1]], [read.vertices[0] - root[0]], engine, 0.02)  # it closes
    assert np.ptp(read.vertices.mean(axis=1) - root, axis=0)[:2].max() < 0.08
    assert np.abs(gone[-1] - gone[0]).max() < 0.05


def test_several_meshes_on_one_armature_come_along(addon, tmp_path):
    obj = tentacle()
    armature = placed(obj)
    other = obj.copy()
    other.data, other.name = obj.data.copy(), "Coat"
    bpy.context.scene.collection.objects.link(other)
    other.vertex_groups.remove(other.vertex_groups["bone.3"])
    other.location.x = 2
    animate(armature, FIRST, FRAMES)
    truth = [vertices_in_world(each, SHOWN) for each in (obj, other)]
    told = export(addon, obj, tmp_path / "rig.glb", engine="godot", others=[other])
    assert told.bones == 5 and told.largest < 1e-5  # with a root for what the coat now has no bone for
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    IMPORT[".glb"](str(tmp_path / "rig.glb"))
    for name, places in zip(("Tentacle", "Coat"), truth, strict=True):
        same(vertices_in_world(bpy.data.objects[name], range(FRAMES)), places, "godot")
    assert len(bpy.data.armatures) == 1


def test_an_armature_of_a_collection_that_is_switched_off_comes_along(addon, tmp_path):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, FRAMES)
    truth = vertices_in_world(obj, SHOWN)
    off = bpy.data.collections.new("Off")
    bpy.context.scene.collection.children.link(off)
    off.objects.link(armature)
    bpy.context.scene.collection.objects.unlink(armature)
    bpy.context.view_layer.layer_collection.children["Off"].exclude = True
    export(addon, obj, tmp_path / "rig.glb", engine="godot")
    same(Read(tmp_path / "rig.glb", "godot").vertices, truth, "godot")


def test_an_armature_that_is_scaled_unevenly_is_told_with_the_remedy(addon, tmp_path):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, FRAMES)
    armature.scale = (1.5, 0.7, 1.5)
    (told,) = export(addon, obj, tmp_path / "rig.fbx", engine="unity").warnings
    assert "scaled unevenly" in told["sentence"] and "Ctrl+A" in told["sentence"]


@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_a_unit_of_the_scene_is_as_long_as_it_says(addon, tmp_path, scale):
    obj = tentacle()
    animate(obj.parent, FIRST, FRAMES)
    bpy.context.scene.unit_settings.scale_length = scale
    truth = scale * vertices_in_world(obj, SHOWN)
    for engine, ending in ENGINES.items():
        export(addon, obj, tmp_path / f"rig{ending}", engine=engine)
        same(Read(tmp_path / f"rig{ending}", engine).vertices, truth, engine)


def test_the_scene_is_as_it_was_also_where_it_is_stopped(addon, tmp_path):
    obj = tentacle()
    armature = obj.parent
    armature.name = "Armature"  # which Unreal's file needs
    animate(armature, FIRST, FRAMES)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="POSE")
    scene = bpy.context.scene
    scene.frame_set(5)

    def state():
        blocks = [
            sorted(each.name for each in kind)
            for kind in (bpy.data.objects, bpy.data.meshes, bpy.data.actions, bpy.data.armatures)
        ]
        selected = [each.name for each in bpy.context.view_layer.objects if each.select_get()]
        units = scene.unit_settings.system, scene.unit_settings.scale_length
        return *blocks, selected, bpy.context.mode, scene.frame_current, scene.render.fps, scene.frame_end, units

    before = state()
    export(addon, obj, tmp_path / "rig.fbx", engine="unreal")
    assert state() == before

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(addon, obj, tmp_path / "other.fbx", report=stop, engine="unreal")
    assert state() == before and not (tmp_path / "other.fbx").exists()


def test_what_has_no_rig_to_export_is_told(addon, tmp_path):
    from motion324.core.errors import Motion324Error

    plain = ball()
    with pytest.raises(Motion324Error, match="'Ball' has no armature") as raised:
        export(addon, plain, tmp_path / "rig.glb", engine="godot")
    assert raised.value.code == "no-armature"
    obj = tentacle()
    with pytest.raises(Motion324Error, match=r"must end in \.fbx"):
        export(addon, obj, tmp_path / "rig.glb", engine="unity")
    obj.modifiers.new("Second", "ARMATURE").object = obj.parent
    with pytest.raises(Motion324Error, match="'Tentacle' hang on 2 armatures"):
        export(addon, obj, tmp_path / "rig.glb", engine="godot")
    obj.modifiers.remove(obj.modifiers["Second"])
    obj.vertex_groups.clear()
    with pytest.raises(Motion324Error, match="No bone of 'Bones' moves 'Tentacle'"):
        export(addon, obj, tmp_path / "rig.glb", engine="godot")
    assert not list(tmp_path.iterdir())


def test_the_operator_names_the_file_by_the_engine_and_says_why_it_is_grey(addon, tmp_path):
    ball()
    assert not bpy.ops.motion324.export_rig.poll()
    obj = tentacle()
    animate(obj.parent, 1, 61)
    bpy.context.scene.frame_end = 61
    bpy.context.view_layer.objects.active = obj
    done = bpy.ops.motion324.export_rig(
        filepath=str(tmp_path / "rig.glb"), engine="unity", loop=True, root_motion="in-place", resample=30.0
    )
    assert done == {"FINISHED"}
    found = Read(tmp_path / "rig.fbx", "unity", 2)
    assert found.file["rate"] == 30


@pytest.mark.long
@needs_validator
@pytest.mark.parametrize("tolerance", [0.0, 0.04])
def test_khronos_validator_finds_no_fault_in_a_rig(addon, tmp_path, tolerance):
    obj = tentacle(bones=6)
    animate(placed(obj), FIRST, FRAMES)
    export(addon, obj, tmp_path / "rig.glb", engine="godot", key_tolerance=tolerance)
    assert issues(tmp_path / "rig.glb") == []


@pytest.mark.long
@needs_three
@pytest.mark.parametrize("tolerance", [0.0, 0.02])
def test_three_js_plays_what_the_scene_shows(addon, tmp_path, tolerance):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, FRAMES)
    truth, heads = vertices_in_world(obj, SHOWN), heads_in_world(armature, SHOWN)
    export(addon, obj, tmp_path / "rig.glb", engine="godot", key_tolerance=tolerance)
    played, vertices = played_by_three(tmp_path / "rig.glb", FRAMES, 24)
    for name, places in heads.items():
        assert np.abs(played[name.replace(".", "")] - places).max() < 1e-4 + tolerance
    same(vertices, truth, "godot", 1e-4 + tolerance / np.ptp(truth[0], axis=0).max())


@pytest.mark.long
@needs_godot
def test_godot_plays_what_the_scene_shows(addon, tmp_path):
    obj = tentacle()
    armature = placed(obj)
    animate(armature, FIRST, FRAMES)
    heads = heads_in_world(armature, SHOWN)
    export(addon, obj, tmp_path / "rig.glb", engine="godot")
    played = played_by_godot(tmp_path / "rig.glb", FRAMES, 24, tmp_path)
    assert len(played) == len(heads)
    for name, places in heads.items():
        assert np.abs(played[name.replace(".", "_")] - places).max() < 1e-3
