"""`motion324 evaluate`, `batch` and `compare` from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from creature import creature
from small_release import write_frames, write_release

from motion324.batches.items import listed_items
from motion324.cli.main import main
from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings

FACES = creature().faces
# What is tested here is the batch: this reconstructor loads no network, and needs a third of the time.
QUICK = ["--quality", "draft", "--reconstructor", "deformation-fit", "--view", "0,5", "--mask", "plain"]


def write_predictions(folder, truths, share, noise=0.0):
    """Animations that go `share` of the true way."""
    rng = np.random.default_rng(0)
    for name, truth in truths.items():
        own = share + noise * rng.normal()
        write_frames(folder / name, truth[:1] + own * (truth - truth[:1]), FACES)


def test_evaluate_prints_a_table_and_writes_json(tmp_path, capsys):
    truths = write_release(tmp_path / "release")
    write_predictions(tmp_path / "predictions", truths, 0.5)
    command = ["evaluate", "--release", str(tmp_path / "release"), "--predictions", str(tmp_path / "predictions")]
    assert main([*command, "--samples", "500", "--json", str(tmp_path / "a.json")]) == EXIT_OK
    table = capsys.readouterr().out
    assert "error/still" in table and "95% intervals" in table
    lines = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert lines["one"][5] == lines["two"][5] == "0.5000"
    assert json.loads((tmp_path / "a.json").read_text())["clips"][1]["values"]["vertex_error_ratio"] == pytest.approx(
        0.5
    )
    (tmp_path / "file").write_text("")
    options = ["--samples", "500", "--clips", "one", "--json"]
    assert main([*command, *options, str(tmp_path / "new" / "a.json")]) == EXIT_OK
    assert (tmp_path / "new" / "a.json").is_file()
    capsys.readouterr()
    assert main([*command, *options, str(tmp_path / "file" / "a.json")]) == EXIT_CANNOT_WRITE
    assert "error/still" in capsys.readouterr().out  # the scores are not lost
    (tmp_path / "predictions" / "two" / "faces.npy").unlink()
    assert main([*command, "--samples", "500", "--clips", "two"]) == EXIT_INTERNAL
    assert "faces.npy" in capsys.readouterr().out


def test_compare_tells_the_better_one_and_whether_that_is_sure(tmp_path, capsys):
    truths = write_release(tmp_path / "release", tuple(f"clip{index}" for index in range(6)))
    for name, share, noise in (("a", 0.3, 0.02), ("b", 0.6, 0.02), ("c", 0.62, 0.3)):
        write_predictions(tmp_path / name, truths, share, noise)
        command = ["evaluate", "--release", str(tmp_path / "release"), "--predictions", str(tmp_path / name)]
        assert main([*command, "--samples", "500", "--json", str(tmp_path / f"{name}.json")]) == EXIT_OK
    capsys.readouterr()
    verdicts = []
    for second in ("b", "c"):
        assert (
            main(
                [
                    "compare",
                    str(tmp_path / ("a.json" if second == "b" else "b.json")),
                    str(tmp_path / f"{second}.json"),
                    "--json",
                ]
            )
            == 0
        )
        found = json.loads(capsys.readouterr().out)
        verdicts.append({one["metric"]: one for one in found["differences"]})
    sure, unsure = (verdict["vertex_error_ratio"] for verdict in verdicts)
    assert sure["better"] == "second" and sure["significant"]
    assert sure["difference"]["mean"] == pytest.approx(-0.3, abs=0.03)
    assert not unsure["significant"]
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == EXIT_OK
    assert "b, significant" in capsys.readouterr().out


def test_compare_refuses_what_was_scored_differently(tmp_path, capsys):
    truths = write_release(tmp_path / "release")
    write_predictions(tmp_path / "predictions", truths, 0.5)
    command = ["evaluate", "--release", str(tmp_path / "release"), "--predictions", str(tmp_path / "predictions")]
    for name, samples in (("a", "500"), ("b", "600")):
        assert main([*command, "--samples", samples, "--json", str(tmp_path / f"{name}.json")]) == EXIT_OK
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == EXIT_USAGE
    assert "samples differ: 500 and 600" in capsys.readouterr().err


def test_batch_resumes_keeps_and_names_what_failed(tmp_path, capsys):
    write_release(tmp_path / "release", ("a", "b"), videos=True)
    (tmp_path / "release" / "glbs" / "b.glb").write_bytes(b"no mesh")
    out = tmp_path / "out"
    command = ["batch", "--release", str(tmp_path / "release"), "-o", str(out), "--workers", "2", "--samples", "300"]
    command += QUICK
    assert main(command) == EXIT_INTERNAL
    said = capsys.readouterr().out
    assert "a: 6 frames of" in said and "b: failed (mesh-unreadable)" in said and "1 of 2 items are done" in said
    assert (out / "given_mesh" / "a" / "trajectory.npz").is_file()
    assert np.load(out / "given_mesh" / "a" / "trajectory.npz")["fps"] == 12
    assert "mesh-unreadable" in (out / "given_mesh" / "batch.log").read_text()
    assert "b.glb" in (out / "given_mesh" / "b" / "log.txt").read_text()
    made = (out / "given_mesh" / "a" / "trajectory.npz").stat().st_mtime_ns
    repaired = (tmp_path / "release" / "glbs" / "a.glb").read_bytes()
    (tmp_path / "release" / "glbs" / "b.glb").write_bytes(repaired)
    assert main(command) == EXIT_OK
    said = capsys.readouterr().out
    assert "a: kept" in said and "b: 6 frames" in said and "error/still" in said
    assert (out / "given_mesh" / "a" / "trajectory.npz").stat().st_mtime_ns == made
    summary = json.loads((out / "given_mesh" / "summary.json").read_text())
    assert (summary["done"], summary["kept"], summary["failed"]) == (1, 1, 0)
    assert main([*command, "--skip-inference", "--clips", "a"]) == EXIT_OK
    assert "a: " not in capsys.readouterr().out


@pytest.mark.long
def test_batch_keeps_both_pipelines_apart_and_scores_both(tmp_path, capsys):
    write_release(tmp_path / "release", ("a", "b"), videos=True)
    mesh = tmp_path / "a.glb"
    mesh.write_bytes((tmp_path / "release" / "glbs" / "a.glb").read_bytes())
    (tmp_path / "release" / "glbs" / "b.glb").unlink()  # only the way from a video can do without
    out = tmp_path / "out"
    command = ["batch", "--release", str(tmp_path / "release"), "-o", str(out), *QUICK, "--samples", "300"]
    made = ["--video-only", "--mesh-provider", "file", "--mesh-file", str(mesh)]
    assert main([*command, *made, "--given-mesh", "--json", str(tmp_path / "scores.json")]) == EXIT_INTERNAL
    given, alone = capsys.readouterr().out.split("From the videos alone:")
    assert "b: failed (mesh-missing)" in given and "error/still" in given
    assert "2 of 2 items are done" in alone and "failed" not in alone
    scores = {name: json.loads((tmp_path / f"scores_{name}.json").read_text()) for name in ("given_mesh", "video_only")}
    for name, found in scores.items():
        assert found["predictions"] == str(out / name) and (out / name / "summary.json").is_file()
    assert [bool(clip["problems"]) for clip in scores["given_mesh"]["clips"]] == [False, True]
    assert all(clip["values"]["chamfer"] < 1 and not clip["problems"] for clip in scores["video_only"]["clips"])
    assert np.load(out / "video_only" / "b" / "trajectory.npz")["fps"] == 12
    assert (out / "video_only" / "b" / "index.html").is_file() and not (
        out / "given_mesh" / "a" / "index.html"
    ).exists()
    assert main([*command, *made, "--skip-evaluation"]) == EXIT_OK
    assert "a: kept" in capsys.readouterr().out
    assert main([*command, *made[1:]]) == EXIT_USAGE
    assert "only count with --video-only" in capsys.readouterr().err


def test_process_that_dies_takes_only_its_own_item_with_it(tmp_path):
    write_release(tmp_path / "release", ("a", "b"), videos=True)
    command = [sys.executable, "-m", "motion324", "batch", "--release", str(tmp_path / "release"), "-o", "out"]
    process = subprocess.Popen(
        [*command, *QUICK, "--skip-evaluation", "--retries", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    log = tmp_path / "out" / "given_mesh" / "a" / "log.txt"
    while not log.exists() and time.monotonic() < end:
        time.sleep(0.02)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == EXIT_INTERNAL
    assert "a: failed (process-ended)" in said and "signal 9" in said
    assert "1 of 2 items are done" in said


def test_stopped_batch_leaves_nothing_half_written(tmp_path):
    write_release(tmp_path / "release", ("a", "b"), videos=True)
    command = [sys.executable, "-m", "motion324", "batch", "--release", str(tmp_path / "release"), "-o", "out"]
    process = subprocess.Popen([*command, "--skip-evaluation"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "out" / "given_mesh" / "a"
    end = time.monotonic() + 60
    while not list(folder.glob(".motion324-unfinished-*")) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell may have switched off
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "cancelled" in said
    assert [path.name for path in folder.iterdir()] == ["log.txt"]


def test_list_of_videos_alone_needs_no_meshes(tmp_path):
    (tmp_path / "list.jsonl").write_text('{"video": "fox.mp4"}\n{"video": "deer.mp4", "mesh": "roe.glb"}\n')
    settings = MeshSettings()
    items = listed_items(tmp_path / "list.jsonl", AnimateOptions(), made=settings)
    assert [(item.name, item.mesh) for item in items] == [("fox", settings), ("roe", settings)]
    with pytest.raises(Motion324Error, match="'mesh' is missing"):
        listed_items(tmp_path / "list.jsonl", AnimateOptions())


def test_list_gives_items_with_their_own_options(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text(
        '{"mesh": "a.glb", "video": "a.mp4"}\n\n'
        '{"mesh": "a.glb", "video": "b", "name": "other", "options": {"smooth": 2, "frames": [0, 10, 2]}}\n'
    )
    first, second = listed_items(path, AnimateOptions(seed=7))
    assert (first.name, first.mesh, first.video) == ("a", tmp_path / "a.glb", tmp_path / "a.mp4")
    assert (second.name, second.options.smooth, second.options.frames) == ("other", 2.0, (0, 10, 2))
    assert first.options.seed == second.options.seed == 7
    assert [item.name for item in listed_items(path, AnimateOptions(), ("other",))] == ["other"]


@pytest.mark.parametrize(
    ("line", "word"),
    [("{", "line 1"), ('{"mesh": "a.glb"}', "'video' is missing"), ('{"mesh": "a", "video": "b", "x": 1}', "'x'"),
     ('{"mesh": "a", "video": "b", "name": "../c"}', "folder"), ('{"mesh": "a", "video": "b"}\n' * 2, "two items"),
     ("", "no items"), ("[1]", "line 1")],
)  # fmt: skip
def test_list_that_cannot_be_used_is_named(tmp_path, line, word):
    path = tmp_path / "list.jsonl"
    path.write_text(line)
    with pytest.raises(Motion324Error, match=r"list\.jsonl") as caught:
        listed_items(path, AnimateOptions())
    assert word in caught.value.sentence and caught.value.exit_code == EXIT_USAGE
