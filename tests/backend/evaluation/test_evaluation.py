"""Whole evaluations: of baselines with known scores, and of predictions with something wrong."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest
from creature import creature
from small_release import FRAMES, write_frames, write_release

from motion324.cli.main import main
from motion324.core.errors import EXIT_INTERNAL, EXIT_USAGE, Cancelled, Motion324Error
from motion324.evaluation.evaluate import evaluate
from motion324.evaluation.mesh_sequence import MeshSequence
from motion324.evaluation.protocols import get_protocol
from motion324.evaluation.release import read_frame_folder, read_release
from motion324.evaluation.results import read_json, write_json
from motion324.evaluation.scoring import score

DEV = Path(__file__).resolve().parents[4] / "shared" / "bench" / "dev"
FACES = creature().faces


def baseline_clips():
    some = [pytest.param(name) for name in ("fox_gallop", "manta_ray_swim")]
    if not (DEV / "short_videos.txt").is_file():
        return some
    names = [clip.name for clip in read_release(DEV)]
    return some + [
        pytest.param(name, marks=pytest.mark.long) for name in names if name not in {p.values[0] for p in some}
    ]


@pytest.mark.parametrize("name", baseline_clips())
def test_still_mesh_has_the_baselines_scores(name):
    if not DEV.is_dir():
        pytest.skip("the benchmark ../shared/bench/dev is missing")
    known = json.loads((DEV / "static_baseline.json").read_text())["clips"][name]
    truth = read_release(DEV, (name,))[0].read_truth()
    still = MeshSequence(np.repeat(truth.positions[:1], len(truth.positions), axis=0), truth.faces, Path("still"))
    values = score(truth, still, dataclasses.replace(get_protocol("motion80"), samples=20_000)).values
    assert values["chamfer"] == pytest.approx(known["CD"], rel=0.005)
    assert values["f_0.02"] == pytest.approx(known["F"], rel=0.005)
    assert values["vertex_error"] == pytest.approx(known["mean_vertex_error"], rel=1e-3)
    assert values["chamfer_floor"] == pytest.approx(known["CD_frame0"], rel=0.02)
    assert values["vertex_error_ratio"] == values["trajectory_error_ratio"] == 1


def test_predictions_in_every_form_get_the_same_scores(tmp_path):
    truths = write_release(tmp_path / "release", ("a", "b", "c"))
    moved = {name: truth + np.linspace(0, 0.1, FRAMES)[:, None, None] for name, truth in truths.items()}
    predictions = tmp_path / "predictions"
    write_frames(predictions / "a", moved["a"], FACES)
    write_frames(predictions / "b_pointclouds", moved["b"], FACES)
    write_trajectory(predictions / "c" / "trajectory.npz", moved["c"])
    found = evaluate(tmp_path / "release", predictions, samples=2000)
    assert not found.problems
    for clip in found.clips:
        size = 2 / np.ptp(truths[clip.name][0], axis=0).max()
        assert clip.values["vertex_error"] == pytest.approx(0.05 * np.sqrt(3) * size, rel=1e-4)
        assert len(clip.per_frame["chamfer"]) == clip.frames == FRAMES
    assert [clip.split for clip in found.clips] == ["short", "short", "long"]
    mean = found.summaries["all"]["vertex_error"]
    assert mean.low <= mean.mean <= mean.high and mean.clips == 3
    assert found.summaries["short"]["vertex_error"].clips == 2


def write_trajectory(path, positions):
    path.parent.mkdir(parents=True)
    np.savez(
        path, positions=positions.astype(np.float32), faces=FACES, fps=np.float64(12),
        frame_numbers=np.arange(len(positions)), view_rotation=np.eye(3), view_translation=np.zeros(3),
        view_focal=np.float64(1), view_centre=np.full(2, 0.5),
    )  # fmt: skip


def test_what_is_wrong_with_a_clip_is_named_and_the_others_go_on(tmp_path, capsys):
    names = ("good", "missing", "gap", "short", "vertices", "faces", "nan", "empty", "text", "uneven", "cut")
    truths = write_release(tmp_path / "release", names)
    predictions = tmp_path / "predictions"
    for name in ("good", "gap", "nan", "uneven"):
        write_frames(predictions / name, truths[name], FACES)
    (predictions / "gap" / "frame_0003.npy").unlink()
    write_frames(predictions / "short", truths["short"][:4], FACES)
    write_frames(
        predictions / "vertices",
        truths["vertices"][:, :-1],
        FACES[(len(truths["vertices"][0]) - 1 > FACES).all(axis=1)],
    )
    write_frames(predictions / "faces", truths["faces"], np.roll(FACES, 1, axis=0)[:, [0, 2, 1]][1:])
    broken = truths["nan"][2].copy()
    broken[5, 1] = np.nan
    np.save(predictions / "nan" / "frame_0002.npy", broken)
    (predictions / "empty").mkdir()
    (predictions / "text.npz").write_text("no archive")
    np.save(predictions / "uneven" / "frame_0004.npy", truths["uneven"][4][:-7])
    write_frames(predictions / "cut", truths["cut"], FACES)
    (predictions / "cut" / "frame_0001.npy").write_bytes((predictions / "cut" / "frame_0001.npy").read_bytes()[:200])
    found = evaluate(tmp_path / "release", predictions, samples=500, alignment="none")
    codes = {clip.name: [problem.code for problem in clip.problems] for clip in found.clips}
    assert codes == {
        "good": [], "missing": ["prediction-missing"], "gap": ["sequence-frame-missing"],
        "short": ["frame-count-differs"], "vertices": ["topology-differs"], "faces": ["topology-differs"],
        "nan": ["sequence-not-finite"], "empty": ["prediction-empty"], "text": ["trajectory-unreadable"],
        "uneven": ["sequence-topology-changes"], "cut": ["sequence-unreadable"],
    }  # fmt: skip
    by_name = {clip.name: clip for clip in found.clips}
    assert "frame 3" in by_name["gap"].problems[0].sentence
    assert "frame 2" in by_name["nan"].problems[0].sentence
    assert "4 frames where the truth has 6" in by_name["short"].problems[0].sentence
    assert "vertex_error" not in by_name["vertices"].values and "chamfer" in by_name["vertices"].values
    assert by_name["good"].values["vertex_error"] < 1e-6
    command = [
        "evaluate",
        "--release",
        str(tmp_path / "release"),
        "--predictions",
        str(predictions),
        "--samples",
        "500",
    ]
    assert main([*command, "--alignment", "none", "--report", str(tmp_path / "page.html")]) == EXIT_INTERNAL
    said = capsys.readouterr()
    for name in names[1:]:
        assert f"  {name}: {by_name[name].problems[0].sentence}" in said.out
        assert by_name[name].problems[0].sentence in said.err
    assert (tmp_path / "page.html").read_text().count("<section") == len(names)
    only = evaluate(tmp_path / "release", predictions, samples=500, clips=("vertices",), any_topology=True)
    assert not only.problems


def test_frames_are_read_in_the_order_of_their_numbers(tmp_path):
    heights = np.arange(12, dtype=np.float32)
    np.save(tmp_path / "faces.npy", np.array([[0, 1, 2]]))
    for index, height in enumerate(heights):  # frame_10 comes before frame_2 as a text
        np.save(tmp_path / f"frame_{index}.npy", np.array([[0, 0, height], [1, 0, height], [0, 1, height]]))
    np.testing.assert_array_equal(read_frame_folder(tmp_path).positions[:, 0, 2], heights)
    (tmp_path / "frame_11.npy").rename(tmp_path / "frame_13.npy")
    with pytest.raises(Motion324Error, match="no frame 11 of its 14 frames, nor 1 more of them"):
        read_frame_folder(tmp_path)


def test_published_protocol_takes_the_predictions_frames(tmp_path):
    truths = write_release(tmp_path / "release")
    predictions = tmp_path / "predictions"
    write_frames(predictions / "one", truths["one"][:3], FACES)
    write_frames(predictions / "two", np.concatenate([truths["two"], truths["two"][-1:]]), FACES)
    found = evaluate(tmp_path / "release", predictions, "motion80-published", samples=2000)
    assert [clip.frames for clip in found.clips] == [3, FRAMES + 1]
    assert not found.problems
    assert "wrong order" in found.notes[0]
    assert set(found.clips[0].values) == {"chamfer", "f_0.02"}


def test_actionbench_forgives_wandering_in_3d_but_not_in_4d(tmp_path):
    truths = write_release(tmp_path / "release")
    predictions = tmp_path / "predictions"
    wander = np.linspace(0, 0.3, FRAMES)[:, None, None] * np.array([1.0, 0, 0])
    for name, truth in truths.items():
        write_frames(predictions / name, truth + wander, FACES)
    found = evaluate(tmp_path / "release", predictions, "actionbench", samples=3000)
    for clip in found.clips:
        values = clip.values
        assert values["cd_3d_plain"] < 0.3 * values["cd_4d_plain"] < values["cd_m_plain"]
        assert values["cd_m"] > values["cd_4d"] > values["cd_3d"]


def test_results_survive_json(tmp_path):
    truths = write_release(tmp_path / "release")
    write_frames(tmp_path / "predictions" / "one", truths["one"], FACES)
    found = evaluate(tmp_path / "release", tmp_path / "predictions", samples=300)
    write_json(tmp_path / "found.json", found)
    again = read_json(tmp_path / "found.json")
    assert again.problems == found.problems and len(again.problems) == 1
    assert again.clips[0].values == pytest.approx(found.clips[0].values)
    assert again.summaries["all"]["chamfer"].mean == pytest.approx(found.summaries["all"]["chamfer"].mean)
    assert json.loads((tmp_path / "found.json").read_text())["clips"][0]["per_frame"]["jitter"][0] is None
    (tmp_path / "found.json").write_text("{}")
    with pytest.raises(Motion324Error, match="no evaluation"):
        read_json(tmp_path / "found.json")


def test_same_seed_gives_the_same_scores(tmp_path):
    truths = write_release(tmp_path / "release")
    for name, truth in truths.items():
        write_frames(tmp_path / "predictions" / name, truth * [1, 1.1, 1], FACES)
    runs = [
        evaluate(tmp_path / "release", tmp_path / "predictions", samples=1000, seed=s, alignment="none")
        for s in (0, 0, 1)
    ]
    values = [[clip.values for clip in run.clips] for run in runs]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"protocol": "fastest"}, "protocol"), ({"alignment": "guess"}, "alignment"), ({"samples": 0}, "samples"),
     ({"clips": ("three",)}, "three"), ({"device": "tpu"}, "tpu"),
     ({"protocol": "actionbench", "alignment": "none"}, "alignment")],
)  # fmt: skip
def test_wrong_options_are_named(tmp_path, options, word):
    write_release(tmp_path)
    with pytest.raises(Motion324Error, match=word) as caught:
        evaluate(tmp_path, tmp_path, **options)
    assert caught.value.exit_code == EXIT_USAGE


def test_folder_that_is_no_benchmark_is_refused(tmp_path):
    with pytest.raises(Motion324Error, match="no benchmark"):
        evaluate(tmp_path, tmp_path)


def test_evaluation_can_be_cancelled(tmp_path):
    truths = write_release(tmp_path / "release")
    for name, truth in truths.items():
        write_frames(tmp_path / "predictions" / name, truth, FACES)

    def cancel(stage, done, total):
        if done == 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(tmp_path / "release", tmp_path / "predictions", samples=500, progress=cancel)


@pytest.mark.long
def test_hundred_frames_take_less_than_a_minute_of_two_cores():
    if not DEV.is_dir():
        pytest.skip("the benchmark ../shared/bench/dev is missing")
    truth = read_release(DEV, ("mike_long",))[0].read_truth()
    still = MeshSequence(np.repeat(truth.positions[:1], 100, axis=0), truth.faces, Path("still"))
    began = time.process_time()
    score(dataclasses.replace(truth, positions=truth.positions[:100]), still, get_protocol("motion80"))
    assert time.process_time() - began < 120
