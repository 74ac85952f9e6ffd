"""What a batch is to animate, and when its earlier result still counts."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from backend_rigs import bending, tube
from gltf_skin import SkinnedGlb

from motion324.batches.executor import Workplace
from motion324.batches.folder_task import FolderTask
from motion324.batches.items import DONE, MADE, OWN, RIGGED, BatchItem, is_done, listed_items, mark_done
from motion324.core.errors import Motion324Error
from motion324.core.files.trajectory_file import save_trajectory
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.core.options.rig_settings import RigSettings
from motion324.core.progress import silent
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin
from motion324.trajectories.result_files import TRAJECTORY


@pytest.fixture
def item(tmp_path):
    """With masks and weights of its own, and the result of it in tmp_path."""
    for name in ("fox.glb", "fox.mp4", "own.onnx", TRAJECTORY):
        (tmp_path / name).write_bytes(b"as it was")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "0.png").write_bytes(b"as it was")
    options = AnimateOptions(mask=str(tmp_path / "masks"), weights=str(tmp_path / "own.onnx"))
    made = BatchItem("fox", tmp_path / "fox.glb", tmp_path / "fox.mp4", options)
    mark_done(tmp_path, made)
    return made


@pytest.mark.parametrize("changed", ["fox.glb", "fox.mp4", "own.onnx", "masks/0.png"])
def test_result_is_old_once_a_file_that_it_depends_on_has_changed(tmp_path, item, changed):
    assert is_done(tmp_path, item)
    (tmp_path / changed).write_bytes(b"other")
    assert not is_done(tmp_path, item)


def test_a_trajectory_that_a_full_disk_left_empty_is_no_result(tmp_path, item):
    (tmp_path / TRAJECTORY).write_bytes(b"")
    assert not is_done(tmp_path, item)


def test_file_of_the_same_size_is_known_by_its_time(tmp_path, item):
    os.utime(tmp_path / "own.onnx", (1, 1))
    assert not is_done(tmp_path, item)


def test_result_without_the_overlay_that_is_wanted_is_made_again(tmp_path, item):
    assert not is_done(tmp_path, item, overlay=True)
    mark_done(tmp_path, item, overlay=True)
    assert is_done(tmp_path, item, overlay=True)
    assert is_done(tmp_path, item)  # more than is wanted is fine


def test_a_rig_that_is_wanted_is_left_beside_the_result_and_counts_as_part_of_it(tmp_path, blender, monkeypatch):
    positions, faces = tube()
    positions = bending(positions, frames=6)
    lines = [f"v {x} {y} {z}" for x, y, z in positions[0]] + [f"f {a} {b} {c}" for a, b, c in faces + 1]
    (tmp_path / "tube.obj").write_text("\n".join(lines))
    (tmp_path / "tube.mp4").write_bytes(b"read by nobody here")

    def moved(mesh, video, options, *, progress, keep):
        report = {"reconstructor": "none", "silhouette_overlap": 1.0, "warnings": []}
        result = AnimationResult(positions, np.arange(6), 12.0, look_at_origin(0, 0, 3, 1.5), report)
        save_trajectory(keep.folder / TRAJECTORY, result, mesh.faces)
        return result

    monkeypatch.setattr("motion324.pipeline.animate.animate", moved)
    wanted = BatchItem("tube", tmp_path / "tube.obj", tmp_path / "tube.mp4", AnimateOptions(), MADE)
    folder = tmp_path / "result"
    outcome = FolderTask(wanted, folder, blender, overlay=False).run(Workplace(), silent)
    assert outcome.status == DONE, outcome.sentence
    glb = SkinnedGlb(folder / RIGGED)
    shown = glb.positions(4 / 12)
    assert (
        np.linalg.norm(shown[:, None] - positions[4], axis=2).min(axis=1).max()
        < 0.1
        < np.abs(np.ptp(shown, axis=0)).max()
    )
    assert is_done(folder, wanted) and not is_done(folder, dataclasses.replace(wanted, rig=OWN))
    (folder / RIGGED).unlink()
    assert not is_done(folder, wanted)


def test_a_list_says_which_rigs_it_wants(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"mesh": "a.glb", "video": "a.mp4"}\n{"mesh": "b.glb", "video": "b.mp4", "rig": "own"}\n')
    assert [item.rig for item in listed_items(path, AnimateOptions())] == ["", OWN]
    assert [item.rig for item in listed_items(path, AnimateOptions(), rig=MADE)] == [MADE, OWN]
    lines = ['{"mesh": "a.glb", "video": "a.mp4", "rig": "made"}']
    lines.append('{"mesh": "b.glb", "video": "b.mp4", "rig": "own", "rig_settings": {"scale": true}}')
    path.write_text("\n".join(lines))
    items = listed_items(path, AnimateOptions(), rig_settings=RigSettings(locations="root"))
    assert [item.rig_settings for item in items] == [
        RigSettings(locations="root"),
        RigSettings(locations="root", scale=True),
    ]
    assert items[1].fingerprint()["rig_settings"]["scale"]
    path.write_text('{"mesh": "a.glb", "video": "a.mp4", "rig": "own", "rig_settings": {"scale": "much"}}\n')
    with pytest.raises(Motion324Error, match=r"scale .*true or false.*line 1"):
        listed_items(path, AnimateOptions())
    path.write_text('{"mesh": "a.glb", "video": "a.mp4", "rig": "skeleton"}\n')
    with pytest.raises(Motion324Error, match=r"line 1 .*skeleton.*own or made"):
        listed_items(path, AnimateOptions())


def test_an_item_whose_result_would_replace_its_own_input_fails_before_any_work(tmp_path, item):
    video = tmp_path / "overlay.mp4"
    video.write_bytes(b"as it was")
    task = FolderTask(dataclasses.replace(item, video=video), tmp_path, None, overlay=True)
    outcome = task.run(Workplace(), silent)
    assert (outcome.code, video.read_bytes()) == ("overwrites-input", b"as it was")


def test_ways_of_finding_masks_are_no_files(tmp_path, item):
    for mask in ("auto", "rembg:u2net", "sam2:box=0,0,1,1"):
        inputs = dataclasses.replace(item, options=AnimateOptions(mask=mask)).fingerprint()["inputs"]
        assert set(inputs) == {"mesh", "video"}


def test_paths_in_a_list_are_relative_to_it(tmp_path):
    (tmp_path / "pairs").mkdir()
    path = tmp_path / "pairs" / "list.jsonl"
    path.write_text(
        '{"video": "a.mp4", "options": {"mask": "masks", "weights": "own.onnx"}}\n'
        '{"video": "b.mp4", "options": {"mask": "/elsewhere/masks", "weights": "~/own.onnx"}}\n'
        '{"video": "c.mp4", "options": {"mask": "plain", "weights": ""}}\n'
        '{"video": "d.mp4"}\n'
    )
    given = AnimateOptions(mask="of the command line", weights="theirs.onnx")
    found = [(i.options.mask, i.options.weights) for i in listed_items(path, given, made=MeshSettings())]
    assert found == [
        (str(path.parent / "masks"), str(path.parent / "own.onnx")),
        ("/elsewhere/masks", str(Path("~/own.onnx").expanduser())),
        ("plain", ""),
        ("of the command line", "theirs.onnx"),
    ]


@pytest.mark.parametrize("options", ['{"smooth": 1e999}', '{"mask": ""}', '{"smoth": 1}'])
def test_a_wrong_option_is_told_with_its_line(tmp_path, options):
    path = tmp_path / "list.jsonl"
    good, wrong = '{"mesh": "a.glb", "video": "a.mp4"}', '{"mesh": "b.glb", "video": "b.mp4", "options": OPTIONS}'
    path.write_text(f"{good}\n{wrong.replace('OPTIONS', options)}")
    with pytest.raises(Motion324Error, match="The option") as refused:
        listed_items(path, AnimateOptions())
    assert refused.value.code == "bad-option"
    assert refused.value.hint == f"Correct line 2 of the list '{path}'."
