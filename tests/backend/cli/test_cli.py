"""The command line: options, help that is quick, results and errors for people and for programs, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from fake_reconstructor import FakeReconstructor, fake_find_view

from motion324 import __version__
from motion324.cli import main as cli
from motion324.cli.commands import serve
from motion324.cli.main import main
from motion324.core.errors import EXIT_CANNOT_WRITE, Motion324Error
from motion324.core.files.exclusive_use import Hold
from motion324.core.files.trajectory_file import load_trajectory
from motion324.core.options.animate_options import AnimateOptions
from motion324.pipeline import animate as pipeline
from motion324.video.decoding import read_video
from motion324.wire.protocol import AnimateRequest


@pytest.fixture
def reconstructor(monkeypatch):
    fake = FakeReconstructor()
    monkeypatch.setattr(pipeline, "get_reconstructor", lambda options, progress: fake)
    monkeypatch.setattr(pipeline, "find_view", fake_find_view(0.9))
    return fake


def animate(files, *more):
    return main(["animate", str(files / "box.obj"), str(files / "slide"), "-o", str(files / "out"), *more])


def test_animate_leaves_the_trajectory_in_the_meshs_own_order(reconstructor, files, box, capsys):
    assert animate(files, "--smooth", "0") == 0
    trajectory = load_trajectory(files / "out" / "trajectory.npz")
    np.testing.assert_array_equal(trajectory.positions[0], box.positions)
    np.testing.assert_array_equal(trajectory.faces, box.faces)
    assert sorted(p.name for p in (files / "out").iterdir()) == ["animation.pc2", "report.json", "trajectory.npz"]
    assert "12 frames of 8 vertices" in capsys.readouterr().out


def test_options_reach_the_pipeline(reconstructor, files):
    more = ["--frames", "2:10:2", "--fps", "30", "--seed", "9", "--mask", "plain", "--keep-cutouts", "--overlay"]
    assert animate(files, *more) == 0
    trajectory = load_trajectory(files / "out" / "trajectory.npz")
    np.testing.assert_array_equal(trajectory.frame_numbers, [2, 4, 6, 8])
    assert trajectory.fps == 30
    assert reconstructor.scenes[0].seed == 9
    assert {"overlay.mp4", "cutout_black.mp4", "cutout_white.mp4", "mask.mp4"} < {
        p.name for p in (files / "out").iterdir()
    }


def test_json_puts_one_object_on_stdout_and_progress_on_stderr(reconstructor, files, capsys):
    assert animate(files, "--json") == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["ok"], result["frames"], result["vertices"]) == (True, 12, 8)
    assert result["report"]["seconds"]["total"] > 0
    stages = [json.loads(line).get("stage") for line in captured.err.splitlines()]
    assert {"read", "view", "reconstruct", "write"} <= set(stages)


def test_a_warning_is_told_once(monkeypatch, files, capsys):
    monkeypatch.setattr(pipeline, "get_reconstructor", lambda options, progress: FakeReconstructor())
    monkeypatch.setattr(pipeline, "find_view", fake_find_view(0.2))
    assert animate(files, "--pose", "first-frame") == 0
    assert capsys.readouterr().err.count("warning: The mesh 'box' does not look like") == 1


def test_an_error_is_one_sentence_with_its_exit_code(reconstructor, files, capsys):
    (files / "box.obj").unlink()
    assert animate(files) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert (
        captured.err.splitlines()[-1] == f"error: The mesh file '{files / 'box.obj'}' does not exist. Check the path."
    )
    assert not (files / "out").exists()


def test_an_error_in_json_is_an_object_on_stdout(reconstructor, files, capsys):
    (files / "box.obj").write_text("nothing of use")
    assert animate(files, "--json") == 3
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False
    assert result["exit_code"] == 3
    assert "box.obj" in result["sentence"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--frames", "1"],
        ["--frames", "a:b"],
        ["--frames", "::0"],
        ["--frames", "::-1"],
        ["--smooth", "-1"],
        ["--smooth", "nan"],
        ["--fps", "0"],
        ["--seed", "-1"],
        ["--view", "1,2,3"],
        ["--view", "0,100"],
        ["--view", "nan,0"],
    ],
)
def test_a_wrong_option_is_named_before_any_work(reconstructor, files, wrong, capsys):
    assert animate(files, *wrong) == 2
    assert f"The option {wrong[0][2:]} " in capsys.readouterr().err
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", (None, None, 1)),
        ("0:60:2", (0, 60, 2)),
        ("10:", (10, None, 1)),
        (":-5", (None, -5, 1)),
        ("::3", (None, None, 3)),
    ],
)
def test_frames_are_written_as_a_slice(text, frames):
    assert AnimateOptions.from_dict({"frames": text}).frames == frames


def test_a_defect_is_told_with_its_trace_and_exit_code_1(monkeypatch, files, capsys):
    monkeypatch.setattr(pipeline, "get_reconstructor", lambda options, progress: 1 / 0)
    assert animate(files) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert error.splitlines()[-1].startswith("error: A defect of this program stopped it (ZeroDivisionError")


def test_lack_of_memory_is_told_as_such(monkeypatch, files, capsys):
    def lack(options, progress):
        raise MemoryError

    monkeypatch.setattr(pipeline, "get_reconstructor", lack)
    assert animate(files) == 7
    assert "memory of this machine is not enough" in capsys.readouterr().err


def test_a_second_batch_is_told_which_process_fills_the_folder(files, capsys):
    (files / "pairs.jsonl").write_text('{"mesh": "box.obj", "video": "slide"}\n')
    out = files / "out"
    with Hold(out / "given_mesh", "output folder"):
        assert main(["batch", "--list", str(files / "pairs.jsonl"), "-o", str(out)]) == EXIT_CANNOT_WRITE
    told = capsys.readouterr().err
    assert f"The output folder '{out / 'given_mesh'}' is in use by process {os.getpid()} since" in told
    assert not list(out.rglob("*.npz"))


def test_overlay_shows_a_trajectory_again(reconstructor, files, capsys):
    assert animate(files, "--frames", "1:9:2") == 0
    video = files / "again.mp4"
    arguments = [str(files / "box.obj"), str(files / "slide"), str(files / "out" / "trajectory.npz"), "-o", str(video)]
    assert main(["overlay", *arguments]) == 0
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 4


def test_overlay_shows_the_video_without_the_cameras_motion_where_that_was_taken_off(reconstructor, files, capsys):
    assert animate(files) == 0
    path, video = files / "out" / "trajectory.npz", files / "again.mp4"
    with np.load(path) as arrays:
        kept = dict(arrays)
    panned = np.repeat(np.eye(3)[None], len(kept["positions"]), axis=0)
    panned[:, 0, 2] = np.arange(len(panned)) * 3 / 64  # of the pictures' 64 pixels of height
    np.savez(path, **kept, camera_to_first=panned)
    arguments = [str(files / "box.obj"), str(files / "slide"), str(path), "-o", str(video)]
    assert main(["overlay", *arguments]) == 0
    shown, frames = read_video(video).frames, read_video(files / "slide").frames
    for index in (0, 1, 5):
        there = shown[index, :, 3 * index + 4 : 96].astype(int)
        assert np.abs(there - frames[index, :, 4 : 96 - 3 * index]).mean() < 8


def test_overlay_refuses_another_mesh(reconstructor, files, capsys):
    assert animate(files) == 0
    (files / "box.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    arguments = [str(files / "box.obj"), str(files / "slide"), str(files / "out" / "trajectory.npz"), "-o", "x.mp4"]
    assert main(["overlay", *arguments]) == 3
    assert "was not made from" in capsys.readouterr().err


def test_overlay_takes_the_mesh_in_another_pose_than_the_first_frames_but_not_in_other_units(
    reconstructor, files, capsys
):
    assert animate(files) == 0
    mesh = files / "box.obj"
    lines = [line.split() for line in mesh.read_text().splitlines()]
    arguments = [str(mesh), str(files / "slide"), str(files / "out" / "trajectory.npz"), "-o", str(files / "x.mp4")]

    def write(place):
        moved = [["v", *(f"{value:.6f}" for value in place(*map(float, line[1:4])))] if line[:1] == ["v"] else line
                 for line in lines]  # fmt: skip
        mesh.write_text("\n".join(" ".join(line) for line in moved) + "\n")

    write(lambda x, y, z: (0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y, z))
    assert main(["overlay", *arguments]) == 0
    write(lambda x, y, z: (100 * x, 100 * y, 100 * z))
    assert main(["overlay", *arguments]) == 3


def test_no_output_replaces_an_input(reconstructor, files, capsys):
    assert animate(files) == 0
    (files / "link.mp4").symlink_to(files / "box.obj")
    video, mesh, trajectory = files / "slide", files / "box.obj", files / "out" / "trajectory.npz"
    before = {path: path.read_bytes() for path in (mesh, trajectory)}
    for target, kind in (("link.mp4", "mesh"), ("out/../out/trajectory.npz", "trajectory"), ("slide/9.png", "video")):
        assert main(["overlay", str(mesh), str(video), str(trajectory), "-o", str(files / target)]) == 6
        assert f"would overwrite the {kind} " in capsys.readouterr().err
    film = files / "out" / "overlay.mp4"
    assert main(["overlay", str(mesh), str(video), str(trajectory), "-o", str(film)]) == 0
    before[film] = film.read_bytes()
    arguments = ["animate", str(mesh), str(film), "-o", str(files / "out")]
    assert main([*arguments, "--overlay"]) == 6
    assert "overlay.mp4' would overwrite the video" in capsys.readouterr().err
    assert main(["examine", str(video), "-o", str(video)]) == 6
    assert "frame.png' would overwrite the video" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before and not (video / "frame.png").exists()


def test_serve_runs_jobs_through_the_pipeline(reconstructor, box, sliding_square):
    batches = []
    options = AnimateOptions()
    result = serve.run_job(AnimateRequest.of(box, sliding_square, options), lambda *report: None, batches.append)
    assert result.positions.shape == (12, 8, 3)
    assert len(batches) == 6
    assert serve.describe()["memory"]["peak"] > 0


def test_serve_without_a_secret_is_refused(monkeypatch, capsys):
    monkeypatch.delenv("MOTION324_TOKEN", raising=False)
    assert main(["serve"]) == 2
    assert "MOTION324_TOKEN" in capsys.readouterr().err


def test_help_is_quick_since_nothing_heavy_is_imported():
    script = (
        "import sys; from motion324.cli.main import build_parser; build_parser().format_help(); "
        "print([m for m in ('numpy', 'cv2', 'numba', 'scipy', 'onnxruntime', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"


def test_help_lists_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["animate", "--help"])
    assert "130  cancelled with Ctrl-C" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["animate", "batch", "from-video"])
def test_help_tells_which_options_are_for_the_transformer_alone(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    shared, alone = text.split("\nweights:\n")[1].split("\nmotion-transformer:\n")
    assert "--device" in shared and "--weights" in shared
    assert "--precision" in alone and "--device" not in alone and "--weights" not in alone


def test_the_package_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "motion324", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"motion324 {__version__}\n")


SLOW_RUN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
import sys
from fake_reconstructor import FakeReconstructor, fake_find_view
from motion324.cli.main import main
from motion324.pipeline import animate as pipeline
pipeline.get_reconstructor = lambda options, progress: FakeReconstructor(pause=1)
pipeline.find_view = fake_find_view()
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_130_and_leaves_nothing(files, number):
    arguments = ["animate", str(files / "box.obj"), str(files / "slide"), "-o", str(files / "out"), "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line).get("stage") == "reconstruct":
            break
    assert (files / "out").exists()
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(output)["code"] == "cancelled"
    assert not (files / "out").exists()


def test_known_errors_keep_their_sentence_whatever_happens_around(capsys, monkeypatch):
    def run(arguments):
        raise Motion324Error("x", "Something of yours broke.", "Mend it.", 6)

    parser = cli.build_parser()
    parser.set_defaults(run=run)
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    monkeypatch.setattr(cli.doctor, "run", run)
    parser = cli.argparse.ArgumentParser()
    parser.set_defaults(run=run)
    assert main([]) == 6
    assert capsys.readouterr().err == "error: Something of yours broke. Mend it.\n"
