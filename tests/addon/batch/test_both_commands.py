"""The same job file by both commands: in Blender by headless.py, and by `motion324 batch`, which starts Blender."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from addon.shapes import ball, ngon_object

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 1500  # seconds: 25 of the processor's, which a machine with much else to do takes long for


@pytest.fixture
def real_python() -> Path:
    """The Python of a backend that can run `motion324 batch`."""
    python = os.environ.get("MOTION324_TEST_BACKEND")
    if not python:
        pytest.skip("set MOTION324_TEST_BACKEND to the Python of a motion324 backend")
    return Path(python)


@pytest.fixture
def by_both(real_python, backend_python):
    """by_both(folder, *arguments) -> the records of both commands on the job file there, each in a copy of it."""
    wheels = next(path for path in sys.path if path.endswith("site-packages") and "extensions" in path)
    environment = {**os.environ, "MOTION324_BACKEND_PYTHON": str(backend_python)}

    def run(folder, environment=environment):
        records = {}
        headless = [sys.executable, str(ROOT / "motion324_addon" / "headless.py"), "--", "jobs.jsonl"]
        batch = [str(real_python), "-m", "motion324", "batch", "jobs.jsonl", "--blender", sys.executable]
        for name, command, more in (("headless", headless, {"PYTHONPATH": wheels}), ("batch", batch, {})):
            copy = folder.with_name(f"{folder.name}_{name}")
            shutil.copytree(folder, copy, symlinks=True)
            done = subprocess.run(
                command, cwd=copy, env={**environment, **more}, capture_output=True, text=True, timeout=LIMIT
            )
            lines = [json.loads(line) for line in (copy / "jobs.results.jsonl").read_text().splitlines()]
            records[name] = done.returncode, sorted(lines, key=lambda line: line["line"]), copy
            print(f"{name} ended with {done.returncode}:\n{done.stderr}")  # shown where the test fails
            told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            assert sorted(told, key=lambda line: line["line"]) == records[name][1], done.stderr
        return records

    return run


def write_jobs(folder, items):
    (folder / "jobs.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))


def sizes(result, folder):
    """Of what was written, by names; a .blend holds the path that it was saved as, compressed."""
    files = {str(Path(path).relative_to(folder)): size for path, size in result.get("files", {}).items()}
    return {name: size > 1000 if name.endswith(".blend") else size for name, size in files.items()}


def test_both_commands_leave_equal_results_of_one_job_file(addon, by_both, video, tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    ngon_object("Prism")
    bpy.ops.wm.obj_export(filepath=str(folder / "prism.obj"), up_axis="Z", forward_axis="Y")
    bpy.ops.wm.read_homefile(use_empty=True)
    ball("Cat")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    for name, wish in (("good", {"frames": 4}), ("bad", {"do": "fail"})):
        shutil.move(video(**wish), folder / f"{name}.json")
    prism = {"mesh": "prism.obj", "video": "good.json"}
    outputs = {name: f"out/prism.{name}" for name in ("glb", "npz", "pc2", "mdd", "blend")}
    write_jobs(
        folder,
        [
            {**prism, "outputs": outputs},
            {"mesh": "Cat", "scene": "scene.blend", "video": "good.json", "outputs": {"npz": "out/cat.npz"}},
            {"mesh": "Cat", "scene": "lost.blend", "video": "good.json", "outputs": {"npz": "out/lost.npz"}},
            {**prism, "video": "bad.json", "outputs": {"fbx": "out/bad.fbx"}},
            {**prism, "keep": "both"},
        ],
    )
    records = by_both(folder)
    (code, ours, here), (other_code, theirs, there) = records["headless"], records["batch"]
    assert code == other_code == 1
    assert [line["ok"] for line in ours] == [line["ok"] for line in theirs] == [True, True, False, False, False]
    for one, other in zip(ours, theirs, strict=True):
        for name in ("line", "item", "ok", "code", "frames", "vertices", "fps", "losses", "mesh", "video"):
            assert one.get(name) == other.get(name), (name, one, other)
        assert sizes(one, here) == sizes(other, there)
        assert Path(other["log"]).is_file()
    for name in ("prism.glb", "prism.pc2", "prism.mdd"):
        assert (here / "out" / name).read_bytes() == (there / "out" / name).read_bytes(), name
    for name in ("prism.npz", "cat.npz"):
        with np.load(here / "out" / name) as one, np.load(there / "out" / name) as other:
            assert set(one) == set(other)
            for key in one:
                np.testing.assert_array_equal(one[key], other[key])


def test_either_command_goes_on_from_the_others_record(addon, by_both, real_python, backend_python, video, tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    ngon_object("Prism")
    bpy.ops.wm.obj_export(filepath=str(folder / "prism.obj"))
    shutil.move(video(frames=2), folder / "good.json")
    write_jobs(folder, [{"mesh": "prism.obj", "video": "good.json", "outputs": {"glb": "prism.glb"}}])
    _, _, copy = by_both(folder)["headless"]
    environment = {**os.environ, "MOTION324_BACKEND_PYTHON": str(backend_python)}
    command = [str(real_python), "-m", "motion324", "batch", "jobs.jsonl", "--blender", sys.executable]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "1 of 1 items done, 1 of them before" in done.stderr, done.stderr
    assert done.stdout == ""


def test_cancelling_the_batch_ends_its_blender_and_that_ones_backend(
    addon, real_python, backend_python, video, tmp_path
):
    ngon_object("Prism")
    bpy.ops.wm.obj_export(filepath=str(tmp_path / "prism.obj"))
    item = {"mesh": "prism.obj", "video": video(do="wait").name, "outputs": {"glb": "prism.glb"}}
    write_jobs(tmp_path, [item])
    (tmp_path / "scratch").mkdir()
    environment = {
        **os.environ,
        "MOTION324_BACKEND_PYTHON": str(backend_python),
        "TMPDIR": str(tmp_path / "scratch"),
        "COLUMNS": "100",
    }
    command = [str(real_python), "-m", "motion324", "batch", "jobs.jsonl", "--blender", sys.executable]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "jobs.logs"
    until = time.monotonic() + 100
    while time.monotonic() < until and not any("Reconstructing" in each.read_text() for each in log.glob("*.log")):
        time.sleep(0.1)
    began = time.monotonic()
    children = _tree(process.pid)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    seconds = time.monotonic() - began
    assert process.returncode == 130 and "the same command goes on where it was" in said
    assert len(children) >= 2 and not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert seconds < 8, seconds  # five, on a machine with nothing else to do
    assert not list((tmp_path / "scratch").iterdir())


def _tree(pid: int) -> list[int]:
    """All processes below."""
    told = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [each for child in map(int, told) for each in (child, *_tree(child))]


@pytest.mark.long
def test_both_commands_agree_with_the_real_backend_also_where_one_needs_no_blender(
    addon, by_both, real_python, tmp_path
):
    folder = tmp_path / "jobs"
    folder.mkdir()
    shutil.copy(ROOT / "examples" / "shiba.glb", folder)
    shutil.copy(ROOT / "examples" / "shiba.mp4", folder)
    options = {"reconstructor": "deformation-fit", "quality": "draft", "frames": "0:4", "view": "front"}
    outputs = {"npz": "shiba.npz", "overlay": "shiba.mp4.overlay.mp4"}
    write_jobs(folder, [{"mesh": "shiba.glb", "video": "shiba.mp4", "options": options, "outputs": outputs}])
    records = by_both(folder, {**os.environ, "MOTION324_BACKEND_PYTHON": str(real_python)})
    (code, (one,), here), (other_code, (other,), there) = records["headless"], records["batch"]
    assert code == other_code == 0, (one, other)
    assert one["frames"] == other["frames"] == 4 and one["vertices"] == other["vertices"]
    with np.load(here / "shiba.npz") as ours, np.load(there / "shiba.npz") as theirs:
        size = np.ptp(ours["positions"][0], axis=0).max()
        assert np.abs(ours["positions"][3] - ours["positions"][0]).max() > 0.01 * size  # it moves
        np.testing.assert_allclose(ours["positions"][0], theirs["positions"][0], atol=1e-5 * size)
        apart = np.linalg.norm(ours["positions"] - theirs["positions"], axis=2)
        print(f"apart by {apart.mean() / size:.2e} of the size on average, {apart.max() / size:.2e} at most")
        assert apart.mean() < 2e-3 * size
    for place in (here, there):
        assert (place / outputs["overlay"]).stat().st_size > 1000
