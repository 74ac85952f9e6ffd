"""`motion324 rig`: files with keyed bones, read again by Blender and without it, frame by frame."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from backend_rigs import bending, tube
from gltf_skin import SkinnedGlb
from scipy.spatial import cKDTree

from motion324.cli.main import main
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin

FPS = 12.5


def leave(folder, positions, faces):
    folder.mkdir(exist_ok=True)
    numbers = np.arange(len(positions))
    result = AnimationResult(positions, numbers, FPS, look_at_origin(0, 0, 3, 1.5), {})
    save_trajectory(folder / "trajectory.npz", result, faces)
    return folder


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """A folder with a result, Y up: a tube that bends at two joints; its positions (T, N, 3)."""
    positions, faces = tube()
    positions = bending(positions, frames=9)
    return leave(tmp_path_factory.mktemp("result"), positions, faces), positions


def apart(one, other):
    """The mean distance from a point of one to the nearest of the other, both ways, in parts of the longest side."""
    side = np.ptp(other, axis=0).max()
    return max(cKDTree(other).query(one)[0].mean(), cKDTree(one).query(other)[0].mean()) / side


def check_moves(glb, positions):
    """Every frame is near, and nearer to itself than to those beside it."""
    for frame in range(0, len(positions), 2):
        shown = glb.positions(frame / FPS)
        others = [k for k in (frame - 1, frame + 1) if 0 <= k < len(positions)]
        own = apart(shown, positions[frame])
        assert own < 0.02 and all(own < apart(shown, positions[k]) for k in others), frame


def rig(blender, capsys, *arguments):
    code = main(["rig", *map(str, arguments), "--blender", str(blender), "--json"])
    return code, json.loads(capsys.readouterr().out.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def made_glb(moving, blender, tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "made.glb"
    assert main(["rig", str(moving[0]), "-o", str(path), "--bones", "3", "--blender", str(blender)]) == 0
    return path


def test_a_made_rig_is_a_glb_that_moves_as_the_trajectory_does(moving, made_glb):
    _, positions = moving
    glb = SkinnedGlb(made_glb)
    assert len(glb.joints) == 3 and glb.influences() <= 4
    check_moves(glb, positions)
    assert glb.times[-1] == pytest.approx(8 / FPS, abs=1e-3)


def test_bones_of_a_rigged_file_are_keyed_in_every_format(moving, made_glb, blender, capsys, tmp_path):
    """Each file's rig is keyed into the next one, so that all formats are read and written."""
    folder, positions = moving
    source = made_glb
    for ending in (".blend", ".glb", ".fbx"):
        code, told = rig(blender, capsys, folder, "--onto", source, "-o", tmp_path / f"own{ending}")
        assert code == 0 and told["bones"] == told["keyed"] == 3 and max(told["mean"]) < 0.02, told
        source = tmp_path / f"own{ending}"
    check_moves(SkinnedGlb(tmp_path / "own.glb"), positions)


CARRIED = """
import sys
import bpy
source, target, how = sys.argv[1:]
bpy.ops.wm.read_homefile(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source)
armature = next(each for each in bpy.data.objects if each.type == "ARMATURE")
carrier = bpy.data.objects.new("Carrier", None)
bpy.context.scene.collection.objects.link(carrier)
if how == "parent":
    armature.parent = carrier
else:
    armature.constraints.new("COPY_LOCATION").target = carrier
for frame in (0, 9):
    carrier.location.x = frame
    carrier.keyframe_insert("location", frame=frame)
follow = armature.pose.bones[-1].constraints.new("COPY_ROTATION")
follow.target, follow.influence = carrier, 0.0
bpy.ops.wm.save_as_mainfile(filepath=target)
"""


WHERE = """
import sys
import bpy
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
armature = next(each for each in bpy.data.objects if each.type == "ARMATURE")
found = []
for frame in (1, 9):
    bpy.context.scene.frame_set(frame)
    found.append(f"{armature.matrix_world.translation.x:.3f}")
print(*found)
"""


@pytest.mark.parametrize("how", ["parent", "constraint"])
def test_a_rig_that_is_carried_about_stands_where_the_trajectory_lies(moving, made_glb, blender, tmp_path, capsys, how):
    source, target = tmp_path / "carried.blend", tmp_path / "own.blend"
    subprocess.run([blender, "-c", CARRIED, made_glb, source, how], check=True, capture_output=True)
    assert main(["rig", str(moving[0]), "--onto", str(source), "-o", str(target), "--blender", str(blender)]) == 0
    seen = subprocess.run([blender, "-c", WHERE, target], check=True, capture_output=True, text=True).stdout
    assert "0.000 0.000" in seen.splitlines()  # Blender tells beside it what it reads, before or after
    assert "Constraints of" in capsys.readouterr().err


SECOND = """
import sys
import bpy
source, target = sys.argv[1:]
bpy.ops.wm.read_homefile(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source)
armature = next(each for each in bpy.data.objects if each.type == "ARMATURE")
armature.name = "First"
for obj in [armature, *armature.children]:
    copy = obj.copy()
    copy.name = "Second" if obj == armature else "Other"
    bpy.context.scene.collection.objects.link(copy)
other = bpy.data.objects["Other"]
other.parent = bpy.data.objects["Second"]
next(each for each in other.modifiers if each.type == "ARMATURE").object = bpy.data.objects["Second"]
bpy.ops.wm.save_as_mainfile(filepath=target)
"""


def test_of_several_armatures_of_a_file_the_one_that_is_named_is_keyed(moving, made_glb, blender, tmp_path, capsys):
    source, target = tmp_path / "two.blend", tmp_path / "own.glb"
    subprocess.run([blender, "-c", SECOND, made_glb, source], check=True, capture_output=True)
    onto = (blender, capsys, moving[0], "--onto", source, "-o", target)
    code, told = rig(*onto)
    assert code == 3 and "2 armatures" in str(told) and "--armature" in str(told)
    code, told = rig(*onto, "--armature", "Third")
    assert code == 3 and "Third" in str(told) and "First, Second" in str(told) and not target.exists()
    code, told = rig(*onto, "--armature", "Second")
    assert code == 0 and told["keyed"] == 3, told
    check_moves(SkinnedGlb(target), moving[1])


@pytest.mark.parametrize("ending", [".glb", ".fbx", ".blend"])
def test_bones_scale_where_that_is_asked_for_and_files_keep_it(moving, made_glb, blender, tmp_path, capsys, ending):
    """The far third of the tube swells about the joint that it turns about."""
    positions = moving[1].astype(np.float64)
    grown = np.exp(0.3 * np.sin(0.5 * np.arange(len(positions))))[:, None, None]
    along = tube()[0][:, :1]
    joint = positions[:, np.abs(along[:, 0] - 2) < 0.1].mean(axis=1, keepdims=True)
    share = np.clip((along - 2) / 0.3 + 0.5, 0, 1)
    swollen = positions + share * (grown - 1) * (positions - joint)
    folder = leave(tmp_path / "swollen", swollen.astype(np.float32), tube()[1])
    still = rig(blender, capsys, folder, "--onto", made_glb, "-o", tmp_path / f"still{ending}")[1]
    target = tmp_path / f"own{ending}"
    code, told = rig(blender, capsys, folder, "--onto", made_glb, "-o", target, "--scale")
    assert code == 0 and told["report"]["bones_with_scale"] >= 1 and still["report"]["bones_with_scale"] == 0
    assert np.mean(told["mean"]) < 0.6 * np.mean(still["mean"])
    code, again = rig(blender, capsys, folder, "--onto", target, "-o", tmp_path / "again.glb", "--scale")
    assert code == 0 and np.mean(again["mean"]) < 1.2 * np.mean(told["mean"])
    glb = SkinnedGlb(tmp_path / "again.glb")
    off = {name: [apart(glb.positions(k / FPS), at[k]) for k in range(0, 9, 2)] for name, at in
           (("swollen", swollen), ("plain", positions))}  # fmt: skip
    assert np.mean(off["swollen"]) < 0.6 * np.mean(off["plain"])


def test_looks_and_vertex_order_of_the_animated_mesh_are_taken(blender, capsys, tmp_path, box):
    from motion324.mesh.files.gltf_writing import write_glb

    write_glb(tmp_path / "box.glb", box)
    turned = [box.positions + np.float32([0, 0.1 * t, 0]) * (box.positions[:, :1] > 5.5) for t in range(5)]
    folder = leave(tmp_path / "out", np.array(turned, np.float32), box.faces)
    code, told = rig(blender, capsys, folder, "--mesh", tmp_path / "box.glb", "-o", tmp_path / "rig.glb", "--bones", 2)
    assert code == 0 and told["bones"] == 2
    glb = SkinnedGlb(tmp_path / "rig.glb")
    assert apart(glb.positions(4 / FPS), turned[4]) < 0.02 and glb.header["materials"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["-o", "out.obj"], 2, ".glb or .fbx or .blend"),
        (["-o", "out.glb", "--bones", "many"], 2, "bones"),
        (["-o", "out.glb", "--influences", "0"], 2, "influences"),
        (["-o", "out.glb", "--scale"], 2, "scale counts for given rigs only"),
        (["-o", "out.glb", "--onto", "box.glb", "--bones", "3"], 2, "bones counts for rigs that are made only"),
        (["-o", "out.glb", "--onto", "gone.fbx"], 3, "does not exist"),
        (["-o", "out.glb", "--onto", "box.obj"], 2, "must end in"),
        (["-o", "trajectory.npz"], 6, "would overwrite"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    moving, files, blender, monkeypatch, capsys, arguments, code, told
):
    monkeypatch.chdir(files)
    (files / "trajectory.npz").write_bytes((moving[0] / "trajectory.npz").read_bytes())
    before = sorted(files.iterdir())
    assert main(["rig", "trajectory.npz", *arguments, "--blender", str(blender)]) == code
    assert told in capsys.readouterr().err
    assert sorted(files.iterdir()) == before


def test_another_mesh_than_the_animated_one_is_refused(made_glb, blender, capsys, tmp_path, box):
    still = np.repeat(box.positions[None], 3, axis=0)
    folder = leave(tmp_path / "out", still, box.faces)
    code, told = rig(blender, capsys, folder, "--onto", made_glb, "-o", tmp_path / "rig.glb")
    assert code == 3 and told["code"] == "mesh-differs"
    code, told = rig(blender, capsys, folder, "-o", tmp_path / "rig.glb")
    assert code == 3 and told["code"] == "trajectory-still" and not (tmp_path / "rig.glb").exists()
