"""`motion324 engine`: files that Blender, or anybody, has written become files for engines, frame by frame the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import bpy
import numpy as np
import pytest
from addon.readers import SkinnedGlb, distance, read_fbx
from addon.rigs import animate, tentacle, vertices_in_world

pygltflib = pytest.importorskip("pygltflib")
pytest.importorskip("ufbx")
FRAMES = 9


@pytest.fixture
def command():
    """command(RIG, OUT, ...) -> exit code, JSON on stdout, stderr."""
    python = os.environ.get("MOTION324_TEST_BACKEND")
    if not python:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test` sets it")

    def run(rig, out, *more):
        told = [
            python,
            "-m",
            "motion324",
            "engine",
            str(rig),
            "-o",
            str(out),
            "--blender",
            sys.executable,
            "--json",
            *more,
        ]
        environment = {key: value for key, value in os.environ.items() if key != "BLENDER_USER_RESOURCES"}
        done = subprocess.run(told, capture_output=True, text=True, env=environment, timeout=120)
        return done.returncode, json.loads(done.stdout), done.stderr

    return run


def rigged(fps):
    obj = tentacle()
    obj.parent.location, obj.parent.rotation_euler = (1, 2, 3), (0.1, 0.2, 0.5)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = fps, 0, FRAMES - 1
    animate(obj.parent, 0, FRAMES)
    return obj, vertices_in_world(obj, range(FRAMES))


@pytest.mark.parametrize("ending", [".blend", ".glb", ".fbx"])
def test_a_file_of_anybodys_is_shown_the_same_in_unreals(addon, command, tmp_path, ending):
    _, truth = rigged(30)
    source = tmp_path / f"source{ending}"
    if ending == ".blend":
        bpy.ops.wm.save_as_mainfile(filepath=str(source))
    elif ending == ".glb":
        bpy.ops.export_scene.gltf(filepath=str(source), export_format="GLB", export_optimize_animation_size=False)
    else:
        bpy.ops.export_scene.fbx(filepath=str(source), bake_anim_simplify_factor=0.0)
    code, told, _ = command(source, tmp_path / "out.fbx", "--engine", "unreal")
    assert code == 0 and told["frames"] == FRAMES and told["largest"] < 1e-5
    read = read_fbx(tmp_path / "out.fbx", FRAMES, 30)
    assert read["rate"] == 30 and read["unit"] == 0.01
    for found, wanted in zip(read["skinned"] * 0.01, truth, strict=True):
        assert distance(found, wanted) < 1e-3


@pytest.mark.parametrize("rate", [12.5, 24000 / 1001])
def test_the_keys_of_a_glb_are_frames_whatever_its_rate(addon, command, tmp_path, rate):
    _, truth = rigged(24)
    source = tmp_path / "source.glb"
    bpy.ops.export_scene.gltf(filepath=str(source), export_format="GLB", export_optimize_animation_size=False)
    slow_down(source, 24 / rate)
    code, told, _ = command(source, tmp_path / "out.glb", "--engine", "godot")
    assert code == 0 and told["frames"] == FRAMES
    glb = SkinnedGlb(tmp_path / "out.glb")
    assert glb.seconds == pytest.approx((FRAMES - 1) / rate)
    for frame, wanted in enumerate(truth):
        assert distance(glb.skinned(frame / rate), wanted) < 1e-3


def slow_down(path, factor):
    """Has what moves in a .glb take so many times as long; it is written by no rule of Blender's about rates."""
    glb = pygltflib.GLTF2().load(str(path))
    data = bytearray(glb.binary_blob())
    for index in {sampler.input for animation in glb.animations for sampler in animation.samplers}:
        accessor = glb.accessors[index]
        start = glb.bufferViews[accessor.bufferView].byteOffset + (accessor.byteOffset or 0)
        times = np.frombuffer(data, np.float32, accessor.count, start)
        times *= factor
        accessor.min, accessor.max = [float(times.min())], [float(times.max())]
    glb.set_binary_blob(bytes(data))
    glb.save(str(path))


def test_edits_and_fewer_keys_are_carried_out_and_told(addon, command, tmp_path):
    rigged(24)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "rig.blend"))
    more = ["--loop", "--loop-at-least", "6", "--root-motion", "root", "--resample", "48", "--key-tolerance", "0.05"]
    code, told, _ = command(tmp_path / "rig.blend", tmp_path / "out.glb", *more)
    assert code == 0 and told["frames"] == 2 * told["report"]["loop"]["frames"] + 1 and told["keys"] < 1
    glb = SkinnedGlb(tmp_path / "out.glb")
    assert "root" in glb.names and glb.seconds == pytest.approx((told["frames"] - 1) / 48)
    assert np.abs(glb.skinned(glb.seconds) - glb.heads(glb.seconds)[0] - glb.skinned(0) + glb.heads(0)[0]).max() < 0.2


def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(addon, command, tmp_path):
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "cube.blend"))
    code, told, _ = command(tmp_path / "cube.blend", tmp_path / "out.glb")
    assert code == 3 and told["code"] == "rig-unusable" and "no mesh in it has an armature" in told["sentence"]
    code, told, _ = command(tmp_path / "cube.blend", tmp_path / "out.glb", "--engine", "unity")
    assert code == 2 and "must end in .fbx" in told["sentence"]
    code, told, _ = command(tmp_path / "none.blend", tmp_path / "out.glb")
    assert code == 3 and told["code"] == "mesh-missing"
    code, told, _ = command(tmp_path / "cube.blend", tmp_path / "cube.blend")
    assert code == 6 and told["code"] == "overwrites-input"
    assert [path.name for path in tmp_path.iterdir()] == ["cube.blend"]
