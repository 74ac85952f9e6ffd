"""ActionBench's own layout: truth that is tracked points, predictions of one mesh a frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh
from creature import creature, waving
from small_release import write_frames, write_release

from motion324.cli.main import main
from motion324.core.errors import EXIT_INTERNAL, Motion324Error
from motion324.evaluation import neighbours
from motion324.evaluation.evaluate import evaluate
from motion324.evaluation.mesh_sequence import sample_places
from motion324.evaluation.predictions import find_prediction, read_prediction

FRAMES, POINTS = 4, 6000


def write_sample(root, name):
    """data/NAME/surfaces.npy of a waving creature -> its vertices (T, N, 3)."""
    mesh = creature()
    truth = waving(mesh, FRAMES, reach=0.6)
    places = sample_places(truth[0], mesh.faces, POINTS, (0,))
    corners = truth[:, places.faces]
    normals = np.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    (root / "data" / name).mkdir(parents=True)
    surfaces = np.concatenate([places.on(truth), normals], axis=2)
    np.save(root / "data" / name / "surfaces.npy", surfaces.astype(np.float32))
    return truth


def write_stills(folder, positions):
    folder.mkdir(parents=True)
    for index, frame in enumerate(positions):
        trimesh.Trimesh(frame, creature().faces, process=False).export(folder / f"mesh_{index:02d}.glb")


@pytest.fixture
def bench(tmp_path):
    """Three samples: "still" is predicted to hold still, "turned" as it is, but larger, elsewhere and turned by a
    right angle (which leaves the bounding box as large as it was: the alignment is rigid); "none" is not."""
    truths = {name: write_sample(tmp_path, name) for name in ("none", "still", "turned")}
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    write_stills(tmp_path / "predictions" / "still", np.repeat(truths["still"][:1], FRAMES, axis=0))
    write_stills(tmp_path / "predictions" / "turned", 3 * truths["turned"] @ turn.T + np.array([4.0, 1.0, -2.0]))
    return tmp_path


@pytest.mark.long
def test_turned_copy_scores_what_sampling_makes_and_a_still_one_its_motion(bench, capsys):
    command = ["evaluate", "--release", str(bench), "--predictions", str(bench / "predictions")]
    command += ["--protocol", "actionbench", "--samples", "6000", "--json", str(bench / "a.json")]
    assert main([*command, "--report", str(bench / "a.html")]) == EXIT_INTERNAL
    assert "no prediction of the clip 'none'" in capsys.readouterr().out
    clips = {clip["name"]: clip for clip in json.loads((bench / "a.json").read_text())["clips"]}
    still, turned = (clips[name]["values"] for name in ("still", "turned"))
    for name in ("cd_3d", "cd_4d"):
        assert turned[name] < 0.2 * still[name] and turned[f"{name}_plain"] < 0.6 * still[f"{name}_plain"]
    assert turned["cd_m"] < 0.1 * still["cd_m"] and turned["cd_m_plain"] < 0.5 * still["cd_m_plain"]
    assert still["cd_m"] > still["cd_4d"] >= still["cd_3d"]
    assert "CD-4D" in (bench / "a.html").read_text()


@pytest.mark.long
def test_neighbours_are_searched_on_the_device_that_was_asked_for(bench, monkeypatch):
    """For truth that is points and for truth that is meshes, with a stand-in for the GPU."""
    asked = []

    def on_gpu(points, among, device):
        asked.append(device)
        return neighbours.nearest(points, among)

    monkeypatch.setattr(neighbours, "_on_gpu", on_gpu)
    monkeypatch.setattr("motion324.evaluation.evaluate.check_neighbour_device", lambda device: None)
    truths = write_release(bench / "meshes", ("moves", "other"))
    write_frames(bench / "predictions" / "moves", truths["moves"][::-1], creature().faces)
    for root, name in ((bench, "still"), (bench / "meshes", "moves")):
        sides = [
            evaluate(root, bench / "predictions", "actionbench", samples=300, clips=(name,), device=device)
            for device in ("cpu", "cuda:0")
        ]
        assert sides[0].clips[0].values == sides[1].clips[0].values
        frames = sides[0].clips[0].frames
        assert asked == ["cuda:0"] * (2 * frames + 2 * frames + 2)  # CD-3D and CD-4D by frame, CD-M once
        asked.clear()


def test_other_protocols_say_that_points_are_not_enough(bench):
    found = evaluate(bench, bench / "predictions", samples=100, clips=("still",))
    assert [problem.code for problem in found.clips[0].problems] == ["truth-is-points"]
    assert "actionbench" in found.clips[0].problems[0].sentence


def test_bad_points_and_meshes_are_named(bench):
    bad = {"shape": np.zeros((2, 3, 4)), "nan": np.full((2, 3, 6), np.nan), "one": np.zeros((2, 3, 6))}
    for name, array in bad.items():
        (bench / "data" / name).mkdir()
        np.save(bench / "data" / name / "surfaces.npy", array)
    uneven = creature().faces[:-5]
    trimesh.Trimesh(waving(creature(), 1)[0][:-3], uneven[(uneven < 800).all(axis=1)], process=False).export(
        bench / "predictions" / "turned" / "mesh_03.glb"
    )
    found = evaluate(bench, bench / "predictions", "actionbench", samples=100)
    assert {clip.name: [problem.code for problem in clip.problems] for clip in found.clips} == {
        "nan": ["sequence-not-finite"],
        "none": ["prediction-missing"],
        "one": ["sequence-zero-area"],
        "shape": ["sequence-malformed"],
        "still": [],
        "turned": ["sequence-topology-changes"],
    }
    assert "mesh_03.glb" in next(clip for clip in found.clips if clip.name == "turned").problems[0].sentence


def test_one_mesh_a_frame_is_read_whole(bench):
    sequence = read_prediction(find_prediction(bench / "predictions", "turned"))
    assert sequence.positions.shape == (FRAMES, len(creature().positions), 3)
    assert np.ptp(sequence.positions, axis=0).max() > 0.1


def write_triangle(folder, name, height=0.0, faces=((0, 1, 2),)):
    folder.mkdir(exist_ok=True)
    corners = np.array([[0, 0, height], [1, 0, height], [0, 1, height], [1, 1, height]])
    trimesh.Trimesh(corners, faces, process=False).export(folder / f"{name}.glb")


def test_one_mesh_a_frame_is_read_in_the_order_of_numbers(tmp_path):
    """More than a hundred, of which the last ones have longer names, and others without leading zeros."""
    for form in ("{:02d}", "{}"):
        folder = tmp_path / form
        for index in range(103):
            write_triangle(folder, f"mesh_{form.format(index)}", index)
        heights = read_prediction(find_prediction(tmp_path, form)).positions[:, 0, 2]
        np.testing.assert_array_equal(heights, np.arange(103))


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda folder: write_triangle(folder, "mesh_02", faces=[(0, 1, 3)]), "topology-changes", "mesh_02.glb"),
        (lambda folder: (folder / "mesh_01.glb").unlink(), "frame-missing", "no frame 1 of its 4 frames."),
        (lambda folder: write_triangle(folder, "mesh_1"), "unreadable", "both frame 1"),
        (lambda folder: write_triangle(folder, "mesh_last"), "unreadable", "no number"),
    ],
    ids=["faces", "gap", "twice", "no number"],
)
def test_stills_that_are_no_animation_are_refused(tmp_path, change, code, word):
    for index in range(4):
        write_triangle(tmp_path / "one", f"mesh_{index:02d}", faces=[(0, 1, 2), (1, 3, 2)])
    assert len(read_prediction(find_prediction(tmp_path, "one")).positions) == 4
    change(tmp_path / "one")
    with pytest.raises(Motion324Error, match=word) as caught:
        read_prediction(find_prediction(tmp_path, "one"))
    assert caught.value.code == f"sequence-{code}"
