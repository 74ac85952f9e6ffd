"""Animated GLB, FBX and Alembic files are read as predictions, through a Blender process."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from creature import creature
from small_release import FRAMES, write_frames, write_release

from motion324.evaluation.evaluate import evaluate
from motion324.evaluation.predictions import read_animated_file, read_prediction

EXPORT = """
import os
import sys
import bpy
import numpy as np

bpy.ops.wm.read_homefile(use_empty=True)
arrays = np.load(sys.argv[1])
positions, faces = arrays["positions"], arrays["faces"]  # Y up
z_up = np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)
scene = bpy.context.scene
scene.render.fps, scene.frame_start, scene.frame_end = 12, 0, len(z_up) - 1
mesh = bpy.data.meshes.new("mesh")
mesh.from_pydata(z_up[0].tolist(), [], faces.tolist())
item = bpy.data.objects.new("item", mesh)
scene.collection.objects.link(item)
item.select_set(True)
bpy.context.view_layer.objects.active = item
item.shape_key_add(name="Basis")
for index, frame in enumerate(z_up):
    key = item.shape_key_add(name=f"frame {index}")
    key.data.foreach_set("co", frame.astype(np.float32).ravel())
    for time in (index - 1, index, index + 1):
        if 0 <= time < len(z_up):
            key.value = float(time == index)
            key.keyframe_insert("value", frame=time)
folder = sys.argv[2]
bpy.ops.wm.alembic_export(filepath=folder + "/abc.abc", start=0, end=len(z_up) - 1, as_background_job=False)
bpy.ops.export_scene.fbx(filepath=folder + "/fbx.fbx", bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False)
bpy.ops.export_scene.gltf(filepath=folder + "/glb.glb", export_animations=True, export_morph_animation=True)
print("written", flush=True)
os._exit(0)  # 4.2 crashes on its way out after a glTF export
"""


@pytest.fixture(scope="module")
def exported(blender, tmp_path_factory):
    """A release of three clips, and a prediction of each in another format: the truth itself."""
    root = tmp_path_factory.mktemp("exported")
    truths = write_release(root / "release", ("abc", "fbx", "glb"))
    (root / "predictions").mkdir()
    np.savez(root / "arrays.npz", positions=truths["abc"], faces=creature().faces)
    made = [blender, "-I", "-c", EXPORT, root / "arrays.npz", root / "predictions"]
    said = subprocess.run(made, capture_output=True, text=True, timeout=120)
    assert "written" in said.stdout, said.stderr[-800:]
    for name in ("fbx", "glb"):  # all three are predictions of the same motion
        for path in (root / "release" / "pcds" / f"{name}_pointclouds").iterdir():
            path.unlink()
        (root / "release" / "pcds" / f"{name}_pointclouds").rmdir()
        write_frames(root / "release" / "pcds" / f"{name}_pointclouds", truths["abc"], creature().faces)
    return root, truths["abc"]


def test_exported_truth_scores_nothing(exported, blender):
    root, _ = exported
    found = evaluate(root / "release", root / "predictions", samples=2000, any_topology=True, blender=blender)
    assert not found.problems
    for clip in found.clips:
        assert clip.frames == FRAMES, clip.name
        assert clip.values["surface_distance"] < 1e-4, clip.name


def test_alembic_keeps_vertices_and_axes(exported, blender):
    root, truth = exported
    path = root / "predictions" / "abc.abc"
    sequence = read_prediction(path, 12, FRAMES, blender)
    np.testing.assert_allclose(sequence.positions, truth, atol=1e-5)
    np.testing.assert_array_equal(np.sort(sequence.faces), np.sort(creature().faces))


def test_frames_are_those_with_keys_where_no_number_is_expected(exported, blender):
    root, truth = exported
    sequence = read_animated_file(root / "predictions" / "glb.glb", fps=12, blender=blender)
    assert len(sequence.positions) == FRAMES
    extent = [np.ptp(positions.reshape(-1, 3), axis=0) for positions in (sequence.positions, truth)]
    np.testing.assert_allclose(extent[0], extent[1], atol=1e-4)


def test_file_that_blender_cannot_read_is_named(blender, tmp_path):
    truths = write_release(tmp_path / "release", ("one", "two", "good"))
    write_frames(tmp_path / "predictions" / "good", truths["good"], creature().faces)
    (tmp_path / "predictions" / "two").mkdir(parents=True)
    (tmp_path / "predictions" / "one.glb").write_text("no mesh")
    (tmp_path / "predictions" / "two" / "animation.abc").write_text("no mesh")
    found = evaluate(tmp_path / "release", tmp_path / "predictions", samples=100, blender=blender)
    *bad, good = found.clips
    for clip, name in zip(bad, ("one.glb", "animation.abc"), strict=True):
        assert [problem.code for problem in clip.problems] == ["mesh-unreadable"]
        assert name in clip.problems[0].sentence
    assert not good.problems and good.values["vertex_error"] < 1e-6
