"""The API for scripts, and the commands that use it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from fake_reconstructor import FakeReconstructor, fake_find_view

import motion324
from motion324.cli.main import main
from motion324.core.errors import EXIT_INTERNAL, EXIT_OK, EXIT_USAGE, Motion324Error

QUICK = {"frames": "0:4", "smooth": "0"}


@pytest.fixture(autouse=True)
def fake_reconstructor(monkeypatch):
    monkeypatch.setattr("motion324.pipeline.animate.get_reconstructor", lambda options, progress: FakeReconstructor())
    monkeypatch.setattr("motion324.pipeline.animate.find_view", fake_find_view())


def test_importing_the_api_costs_no_torch_and_no_ray():
    code = "import sys, motion324; motion324.animate, motion324.batch; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "ray", "cv2", "numba", "onnxruntime"} & set(modules)
    bare = subprocess.run([sys.executable, "-c", "import sys, motion324; print(*sys.modules)"], capture_output=True)
    assert b"motion324.batches" not in bare.stdout and b"numpy" not in bare.stdout


def test_a_name_that_the_api_has_not_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'animat'"):
        motion324.animat  # noqa: B018


def test_animate_returns_what_the_command_writes(files):
    result = motion324.animate(files / "box.obj", str(files / "slide"), QUICK, output=files / "api")
    flags = [part for name, value in QUICK.items() for part in (f"--{name}", value)]
    assert main(["animate", str(files / "box.obj"), str(files / "slide"), "-o", str(files / "cli"), *flags]) == EXIT_OK
    for folder in ("api", "cli"):
        with np.load(files / folder / "trajectory.npz") as arrays:
            np.testing.assert_array_equal(arrays["positions"], result.positions)


def test_animate_replaces_no_input(files):
    (files / "overlay.mp4").symlink_to(files / "box.obj")
    with pytest.raises(Motion324Error, match="would overwrite the mesh"):
        motion324.animate(files / "box.obj", files / "slide", output=files, overlay=True)


def test_batch_and_its_command_do_the_same_and_know_each_others_results(files, capsys):
    line = {"mesh": "box.obj", "video": "slide", "options": QUICK}
    lines = [{**line, "outputs": {"npz": "out/a.npz", "overlay": "out/a.mp4"}}, {**line, "video": "lost"}]
    (files / "jobs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    told = []
    summary = motion324.batch(files / "jobs.jsonl", on_result=told.append)
    assert (summary.done, summary.failed, [result["ok"] for result in told]) == (1, 1, [True, False])
    assert main(["batch", str(files / "jobs.jsonl")]) == EXIT_INTERNAL
    captured = capsys.readouterr()
    assert "1 of 2 items done, 1 of them before" in captured.err and "line 2: failed" in captured.err
    (result,) = (json.loads(each) for each in captured.out.splitlines())
    assert result["line"] == 2
    alone = motion324.animate(files / "box.obj", files / "slide", QUICK)
    with np.load(files / "out" / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["positions"], alone.positions)
    assert (files / "out" / "a.mp4").stat().st_size > 1000


def test_lines_can_be_mappings_and_options_of_the_call_are_for_lines_without_their_own(files):
    line = {"mesh": "box.obj", "video": "slide"}
    told = []
    lines = [{**line, "outputs": {"npz": "a.npz"}}, {**line, "outputs": {"npz": "b.npz"}, "options": {"smooth": 0}}]
    summary = motion324.batch(lines, options={**QUICK, "smooth": 3}, beside=files / "mine", on_result=told.append)
    assert summary.record == files / "mine.results.jsonl" and not summary.failed, told
    assert [result["report"]["options"]["smooth"] for result in told] == [3, 0]
    assert [result["frames"] for result in told] == [4, 4]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--workers", "0"], "workers is 0"),
        (["--retries", "-1"], "retries is -1"),
        (["-o", "out"], "output does not go with a job file"),
        (["--overlay"], "overlay does not go with a job file"),
        (["--scale"], "rig does not go with a job file"),
    ],
)
def test_flags_that_do_not_go_with_a_job_file_are_told(files, capsys, flags, said):
    (files / "jobs.jsonl").write_text('{"mesh": "box.obj", "video": "slide"}\n')
    assert main(["batch", str(files / "jobs.jsonl"), *flags]) == EXIT_USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--bones", "8"], "rig is missing"),
        (["--rig", "own", "--bones", "8"], "bones counts for rigs that are made only"),
        (["--rig", "made", "--scale"], "scale counts for given rigs only"),
    ],
)
def test_settings_of_rigs_that_would_count_for_nothing_are_told(tmp_path, capsys, flags, said):
    assert main(["batch", "--release", str(tmp_path), "-o", str(tmp_path / "out"), *flags]) == EXIT_USAGE
    assert said in capsys.readouterr().err


def test_a_cluster_goes_with_a_job_file_only(files, capsys):
    assert main(["batch", "--list", str(files / "list.jsonl"), "-o", str(files / "out"), "--ray"]) == EXIT_USAGE
    assert "ray only goes with a job file" in capsys.readouterr().err
