"""Batches from a job file, as the shell starts them, in a process of their own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import body_rig, dance
from addon.shapes import ball, ngon_object, rest, shown
from addon.wobble import wobble
from gltf_skin import SkinnedGlb

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run_batch(backend_python, tmp_path):
    """run_batch(items, before="") -> exit code, result lines, stderr. `before` is Python, run ahead of the script."""

    def run(*items, before="", script=ROOT / "motion324_addon" / "headless.py", arguments=()):
        lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
        (tmp_path / "jobs.jsonl").write_text("\n".join(["# a comment", "", *lines]), "utf-8")
        code = f"import bpy, runpy, sys\nsys.argv[1:] = ['--', 'jobs.jsonl', *{arguments!r}]\n{before}\n"
        code += f"runpy.run_path({str(script)!r}, run_name='__main__')\n"
        wheels = next(path for path in sys.path if path.endswith("site-packages") and "extensions" in path)
        environment = {**os.environ, "MOTION324_BACKEND_PYTHON": str(backend_python), "PYTHONPATH": wheels}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert (tmp_path / "jobs.results.jsonl").is_file(), done.stderr
        results = (tmp_path / "jobs.results.jsonl").read_text("utf-8").strip().split("\n")
        found = [json.loads(line) for line in results]
        digests = [hashlib.sha256(line.encode()).hexdigest()[:16] for line in lines]
        asked = sorted((one for one in found if one["item"] in digests), key=lambda one: one["line"])
        return done.returncode, asked, done.stderr

    return run


@pytest.fixture
def mesh_file(addon, tmp_path) -> Path:
    """An .obj of a prism, and its vertices in Blender's order and axes."""
    obj = ngon_object("Prism")
    path = tmp_path / "prism.obj"
    bpy.ops.wm.obj_export(filepath=str(path), up_axis="Z", forward_axis="Y")
    assert obj
    return path


def test_a_batch_goes_on_after_an_item_that_fails_and_tells_so(run_batch, mesh_file, video, tmp_path):
    good = {"mesh": mesh_file.name, "video": video(frames=4).name, "options": {"smooth": 0}}
    outputs = {"blend": "out/prism.blend", "fbx": "out/prism.fbx", "npz": "out/prism.npz", "vat": "out/prism_vat.json"}
    code, results, stderr = run_batch(
        {**good, "outputs": outputs, "start": 3, "vat": {"pictures": "png", "power_of_two": True}},
        {**good, "video": video(do="fail").name},
        {**good, "mesh": "lost.obj"},
        "no json",
        {**good, "options": {"smoth": 1}},
        {**good, "video": video(do="die").name},
        {**good, "outputs": {"blend": "out/cache.blend"}, "keep": "POINT_CACHE"},
    )
    assert code == 1
    assert [result["line"] for result in results] == [3, 4, 5, 6, 7, 8, 9]
    assert [result["ok"] for result in results] == [True, False, False, False, False, False, True]
    assert [result.get("code") for result in results[1:6]] == [
        "no-foreground", "mesh-file-missing", "bad-item", "bad-option", "backend-lost"
    ]  # fmt: skip
    assert "lost.obj" in results[2]["error"] and "smoth" in results[4]["error"]
    # 10 vertices: Blender's reader leaves out the one that no face uses.
    assert (results[0]["frames"], results[0]["vertices"]) == (4, 10)
    assert "2 of 7 items done" in stderr and "1/7 prism.obj" in stderr
    for result in results:
        assert json.loads(Path(result["log"]).read_text().splitlines()[-1])["ok"] == result["ok"]
    assert "last words of the backend" in Path(results[5]["log"]).read_text()
    left = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    assert left == {
        "prism.blend", "prism.fbx", "prism.npz", "cache.blend", "cache_motion324", "cache_motion324/Prism.pc2",
        "prism_vat.json", "prism_vat.glb", "prism_vat_position.png", "prism_vat_normal.png",
    }  # fmt: skip
    described = json.loads((tmp_path / "out" / "prism_vat.json").read_text())
    assert (described["frames"], described["size"]) == (4, [32, 4])  # 30 corners of flat faces
    _check_outputs(tmp_path / "out")


def test_a_batch_goes_on_where_it_was_stopped(run_batch, mesh_file, video, tmp_path):
    good = {"mesh": mesh_file.name, "video": video(frames=3).name}
    items = [{**good, "outputs": {"npz": f"{name}.npz"}} for name in "abc"]
    broken = {**good, "video": "lost.mp4"}
    run_batch(items[0], broken, items[1])
    path = tmp_path / "jobs.results.jsonl"
    path.write_text(path.read_text() + '{"ok": true, "item": "torn')  # as a killed batch leaves it
    written = {name: (tmp_path / f"{name}.npz").stat().st_mtime_ns for name in "ab"}
    (tmp_path / "b.npz").unlink()

    code, results, stderr = run_batch("# moved by a line", items[0], {**good, "outputs": {}}, items[2], items[1])
    assert code == 0, stderr
    assert (tmp_path / "a.npz").stat().st_mtime_ns == written["a"]  # done before: left alone
    assert (tmp_path / "b.npz").exists() and (tmp_path / "c.npz").exists()
    assert [result["outputs"] and Path(result["outputs"]["npz"]).name for result in results] == [
        "a.npz", {}, "c.npz", "b.npz"
    ]  # fmt: skip
    assert "4 of 4 items done, 1 of them before" in stderr
    assert len({result["log"] for result in results}) == 4

    code, results, stderr = run_batch(items[0], arguments=["--again"])
    assert code == 0 and len(results) == 1 and "1 of 1 items done, results" in stderr
    assert (tmp_path / "a.npz").stat().st_mtime_ns != written["a"]

    before = {name: (tmp_path / f"{name}.npz").stat().st_mtime_ns for name in "abc"}
    code, results, stderr = run_batch(*items)  # those that the shorter file left out are still known
    assert code == 0 and "3 of 3 items done, 3 of them before" in stderr
    assert {name: (tmp_path / f"{name}.npz").stat().st_mtime_ns for name in "abc"} == before


def test_lines_that_cannot_work_are_told_before_any_work(run_batch, mesh_file, video, tmp_path):
    good = {"mesh": mesh_file.name, "video": video(frames=2).name}
    (tmp_path / "linked").symlink_to(tmp_path)
    code, results, stderr = run_batch(
        json.dumps({**good, "outputs": {"npz": "a\u2028.npz"}}, ensure_ascii=False),
        {**good, "start": 2, "outputs": {"npz": "linked/a\u2028.npz"}},
        {**good, "outputs": {"fbx": "x.glb"}},
        {**good, "start": "one"},
        # 10 ** 400 as JSON, which no float holds
        json.dumps(good)[:-1] + ', "start": 1' + "0" * 400 + "}",
        json.dumps(good)[:-1] + ', "start": Infinity}',
    )
    assert code == 1 and "1 of 6 items done" in stderr
    assert stderr.index("6/6 failed") < stderr.index("1/6 prism.obj")  # before the first line's work
    told = {result["line"]: (result["code"], result["error"]) for result in results if not result["ok"]}
    assert told[4][0] == "output-twice" and "as line 3 does" in told[4][1]
    assert "'fbx' with the name 'x.glb', which must end in .fbx" in told[5][1]
    assert "'start' 'one'; it must be a whole number" in told[6][1]
    assert "a number of more than 80 digits" in told[7][1] and "'start' inf" in told[8][1]
    assert (tmp_path / "a\u2028.npz").exists()


def test_a_second_batch_is_told_who_has_the_job_file_or_the_output_folder(addon, tmp_path, capsys):
    from motion324.core.files.exclusive_use import Hold

    main = addon("batch.batch_file").main
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text(json.dumps({"mesh": "lost.obj", "video": "lost.mp4", "outputs": {"npz": "out/a.npz"}}))
    held = {
        "file of results": Hold(tmp_path / "jobs.results.jsonl", "file of results", is_folder=False),
        "output folder": Hold(tmp_path / "out", "output folder"),
    }
    for what, hold in held.items():
        with hold:
            assert main([str(jobs)]) == 6
        said = capsys.readouterr().err
        assert re.search(
            rf"error: The {what} '.*' is in use by process {os.getpid()} since \d\d:\d\d:\d\d\. Wait", said
        )
        assert not (tmp_path / "jobs.results.jsonl").exists()
    assert main([str(jobs)]) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"jobs.jsonl", "jobs.logs", "jobs.results.jsonl"}


def test_a_batch_replaces_none_of_its_inputs(addon, run_batch, mesh_file, video, tmp_path):
    ball("Cat")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    wish = video(frames=2)
    (tmp_path / "Link.mp4").symlink_to(wish)
    (tmp_path / "link.fbx").symlink_to(mesh_file)
    (tmp_path / "linked_position.exr").symlink_to(wish)
    item = {"mesh": mesh_file.name, "video": wish.name}
    before = {path: path.read_bytes() for path in (mesh_file, wish, tmp_path / "scene.blend")}
    code, results, _ = run_batch(
        {**item, "outputs": {"turntable": "Link.mp4"}},
        {**item, "outputs": {"vat": "linked.json"}},
        {**item, "outputs": {"npz": "new.npz", "fbx": "../" + tmp_path.name + "/link.fbx"}},
        {"mesh": "Cat", "video": wish.name, "outputs": {"blend": "scene.blend"}},
        before=f"bpy.ops.wm.open_mainfile(filepath={str(tmp_path / 'scene.blend')!r})",
    )
    assert code == 1 and [result.get("code") for result in results] == ["overwrites-input"] * 4
    for result, kind in zip(results, ("the video", "the video", "the mesh", "the .blend with the mesh"), strict=True):
        assert f"would overwrite {kind} '" in result["error"]
    assert {path: path.read_bytes() for path in before} == before and not (tmp_path / "new.npz").exists()


@pytest.fixture
def start_batch(backend_python, tmp_path):
    """start_batch(items, before="") -> the process, which Ctrl-C reaches. `before` is Python, run first."""

    def start(*items, before=""):
        (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, items)))
        wheels = next(path for path in sys.path if path.endswith("site-packages") and "extensions" in path)
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        environment = {**os.environ, "MOTION324_BACKEND_PYTHON": str(backend_python), "PYTHONPATH": wheels}
        code = f"import runpy, sys\nsys.argv[1:] = ['jobs.jsonl']\n{before}\n"
        code += f"runpy.run_path({str(ROOT / 'motion324_addon/headless.py')!r}, run_name='__main__')\n"
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**environment, "TMPDIR": str(scratch)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background jobs inherit that it is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


def test_a_batch_that_is_stopped_says_how_to_go_on_and_leaves_no_backend(start_batch, mesh_file, video, tmp_path):
    good = {"mesh": mesh_file.name, "video": video(frames=3).name}
    with start_batch(good, {**good, "video": video(do="wait").name}) as batch:
        for line in batch.stderr:
            if "Reconstructing" in line and "2/2" in line:
                break
        tasks = Path(f"/proc/{batch.pid}/task").iterdir()
        children = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        batch.send_signal(signal.SIGINT)
        rest = batch.stderr.read()
    assert batch.returncode == 130 and "the same command goes on where it was" in rest
    assert len((tmp_path / "jobs.results.jsonl").read_text().splitlines()) == 1
    assert children and not any(Path(f"/proc/{pid}").exists() for pid in children)
    assert not list((tmp_path / "scratch").iterdir())


def test_ctrl_c_while_blender_is_imported_ends_a_batch_as_well(start_batch, tmp_path):
    with start_batch({"mesh": "lost.obj", "video": "lost.mp4"}) as batch:
        while "/bpy/" not in Path(f"/proc/{batch.pid}/maps").read_text():
            assert batch.poll() is None
        batch.send_signal(signal.SIGINT)
        said = batch.stderr.read()
    assert (batch.returncode, said) == (130, "stopped; the same command goes on where it was\n")
    assert not list((tmp_path / "scratch").iterdir())


CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"
MOMENTS = {
    "an operator that makes a RuntimeError of it": f"""
import os, signal, time
import bpy, io_scene_fbx.export_fbx_bin as exporter
def interrupted(*arguments, **settings):
    {CTRL_C}
    time.sleep(5)
exporter.save = interrupted
""",
    "while a .blend is saved": f"""
import os, signal
import bpy
bpy.app.handlers.save_pre.append(bpy.app.handlers.persistent(lambda *_: {CTRL_C}))
""",
}


@pytest.mark.parametrize("before", MOMENTS.values(), ids=MOMENTS)
def test_ctrl_c_in_an_item_is_no_failure_of_it_and_leaves_nothing_unfinished(
    start_batch, mesh_file, video, tmp_path, before
):
    saves = "save_pre" in before
    outputs = {"blend": "out/a.blend"} if saves else {"fbx": "out/a.fbx", "glb": "out/a.glb"}
    item = {"mesh": mesh_file.name, "video": video(frames=3).name, "outputs": outputs}
    with start_batch(item, before=before) as batch:
        said = batch.stderr.read()
    assert batch.returncode == 130, said
    assert said.endswith("stopped; the same command goes on where it was\n") and "failed:" not in said
    done = (tmp_path / "jobs.results.jsonl").read_text().splitlines()
    assert [json.loads(line)["ok"] for line in done] == [True] * saves  # all that was to be done had been done
    assert [path.name for path in (tmp_path / "out").glob("*")] == ["a.blend"] * saves
    assert not list((tmp_path / "scratch").iterdir())


def _check_outputs(out: Path) -> None:
    with np.load(out / "prism.npz") as arrays:
        positions = arrays["positions"]
        assert arrays["faces"].shape == (16, 3) and arrays["fps"] == 24
    bpy.ops.wm.open_mainfile(filepath=str(out / "prism.blend"))
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (3, 6)
    (obj,) = bpy.data.objects
    np.testing.assert_allclose(shown(obj, 5), positions[2], atol=1e-6)
    bpy.ops.wm.open_mainfile(filepath=str(out / "cache.blend"))
    (obj,) = bpy.data.objects
    np.testing.assert_allclose(shown(obj, 3), positions[2], atol=1e-6)


def test_a_batch_animates_objects_of_the_opened_file_each_from_the_same_start(addon, run_batch, video, tmp_path):
    obj = ball("Cat")
    obj.location = (1, 2, 3)
    base = rest(obj)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    item = {"mesh": "Cat", "video": video(frames=3).name}
    before = f"bpy.ops.wm.open_mainfile(filepath={str(tmp_path / 'scene.blend')!r})"
    code, _, stderr = run_batch(
        {**item, "outputs": {"blend": "one.blend"}}, {**item, "outputs": {"blend": "two.blend"}}, before=before
    )
    assert code == 0, stderr
    for name in ("one.blend", "two.blend"):
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / name))
        cat = bpy.data.objects["Cat"]
        assert len(cat.data.shape_keys.key_blocks) == 4
        np.testing.assert_allclose(shown(cat, 2), wobble(base, 3)[1], atol=1e-6)


def test_an_object_that_the_opened_file_lacks_is_told_with_those_that_it_has(addon, run_batch, video, tmp_path):
    ball("Cat")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    before = f"bpy.ops.wm.open_mainfile(filepath={str(tmp_path / 'scene.blend')!r})"
    _, (result,), _ = run_batch({"mesh": "NoSuchObject", "video": video(frames=2).name}, before=before)
    assert result["code"] == "no-object"
    assert "scene.blend' has no object 'NoSuchObject', and there is no mesh file of that name." in result["error"]
    assert result["hint"] == "It has 'Cat'."


def test_a_batch_runs_from_the_installed_extension(installed, run_batch, mesh_file, video):
    import importlib

    script = Path(importlib.import_module(installed).__file__).with_name("headless.py")
    before = f"bpy.ops.preferences.addon_enable(module={installed!r})"
    item = {"mesh": mesh_file.name, "video": video(frames=2).name, "outputs": {"glb": "prism.glb"}}
    code, results, stderr = run_batch(item, before=before, script=script)
    assert code == 0 and results[0]["ok"], stderr
    assert Path(results[0]["outputs"]["glb"]).stat().st_size > 500


def test_a_blend_that_comes_after_exports_is_saved_each_time(run_batch, mesh_file, video, tmp_path):
    """Exporters copy the mesh with its shape keys; keys that stay behind fail the next save."""
    outputs = {name: f"out/prism.{name}" for name in ("fbx", "glb", "usd", "abc", "blend")}
    item = {"mesh": mesh_file.name, "video": video(frames=3).name, "outputs": outputs, "start": -1}
    for arguments in ((), ("--again",)):
        code, (result,), stderr = run_batch(item, arguments=arguments)
        assert code == 0 and result["ok"], stderr
    assert list(result["losses"]) == ["fbx", "glb", "usd"]
    assert "Without frames before 0: it begins at frame 0 with the scene's frame -1." in result["losses"]["usd"]
    log = Path(result["log"]).read_text()
    assert "usd: Without frames before 0" in log
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out/prism.blend"))
    assert [keys.user.name for keys in bpy.data.shape_keys] == ["Prism"]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own with 4 kB of free space, at tmp_path / "out"."""
    folder = tmp_path / "out"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=64k tmpfs '{folder}'"):
        pytest.skip("only root may mount a small disk, and not everywhere")
    (folder / "other").write_bytes(bytes(56 << 10))
    yield folder
    os.system(f"umount '{folder}'")


@pytest.mark.parametrize("suffix", ["fbx", "glb", "abc", "usd", "pc2", "mdd", "blend"])
def test_an_output_on_a_full_disk_is_no_success(run_batch, mesh_file, video, small_disk, suffix):
    (small_disk / f"prism.{suffix}").write_bytes(b"good old file")
    outputs = {suffix: f"out/prism.{suffix}"}
    item = {"mesh": mesh_file.name, "video": video(frames=40).name, "outputs": outputs}
    code, (result,), stderr = run_batch(item)
    assert code == 1 and not result["ok"], stderr
    assert "prism" in result["error"] and "internal" not in result["code"]
    assert (small_disk / f"prism.{suffix}").read_bytes() == b"good old file"
    assert sorted(path.name for path in small_disk.iterdir()) == ["other", f"prism.{suffix}"]


def test_a_job_file_on_a_full_disk_ends_the_batch_in_a_sentence(start_batch, mesh_file, video, tmp_path, small_disk):
    """Logs and results lie beside it."""
    item = {"mesh": str(mesh_file), "video": str(video(frames=2)), "outputs": {"npz": str(tmp_path / "a.npz")}}
    (small_disk / "jobs.jsonl").write_text(json.dumps(item))
    with contextlib.suppress(OSError):
        (small_disk / "more").write_bytes(bytes(64 << 10))
    before = f"import os; os.chdir({str(small_disk)!r})"
    with start_batch(item, before=before) as batch:
        said = batch.stderr.read()
    assert batch.returncode == 6 and "Traceback" not in said
    assert re.search(r"\nerror: The disk has no room for '.*/out/jobs\.logs/0001-\w+\.log'\. Free some space", said)


def test_a_good_batch_ends_without_system_exit_in_blender(addon, monkeypatch):
    headless = addon("headless")
    monkeypatch.setitem(sys.modules, "bpy", SimpleNamespace(app=SimpleNamespace(binary_path="/usr/bin/blender")))
    headless._end(0)
    with pytest.raises(SystemExit) as ended:
        headless._end(1)
    assert ended.value.code == 1


def test_a_job_file_that_cannot_be_read_is_a_usage_error(addon, tmp_path, capsys):
    main = addon("batch.batch_file").main
    assert main([str(tmp_path / "lost.jsonl")]) == 2
    assert "lost.jsonl' cannot be used: it cannot be read" in capsys.readouterr().err
    (tmp_path / "empty.jsonl").write_text("# nothing\n")
    assert main([str(tmp_path / "empty.jsonl")]) == 2
    assert "has no items" in capsys.readouterr().err
    (tmp_path / "wide.jsonl").write_text("{}", encoding="utf-16")
    assert main([str(tmp_path / "wide.jsonl")]) == 2
    assert "it is written in UTF-16; save it as UTF-8" in capsys.readouterr().err


def test_a_batch_keys_the_bones_of_a_rigged_mesh_and_writes_rigs(addon, run_batch, video, tmp_path):
    obj, armature = body_rig(modes=("QUATERNION",) * 7)
    positions = dance(armature, obj)
    np.save(tmp_path / "dance.npy", positions)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "rigged.blend"))
    dance_video = video(trajectory=str(tmp_path / "dance.npy")).name
    outputs = {"rig": "out/body.glb", "blend": "out/body.blend"}
    good = {"mesh": "Body", "video": dance_video, "keep": "ARMATURE", "rig": {"locations": "root"}}
    code, results, _ = run_batch(
        {**good, "outputs": outputs},
        {**good, "outputs": {"rig": "out/body.fbx"}, "rig": {"scale": True}},
        {**good, "outputs": {"rig": "out/body.obj"}},
        {**good, "keep": "SHAPE_KEYS", "outputs": {"rig": "out/other.glb"}},
        {**good, "rig": {"locations": "everywhere"}},
        {**good, "rig": {"scale": "yes"}},
        {
            **good,
            "outputs": {"rig": "out/unreal.fbx"},
            "engine": {"engine": "unreal"},
            "edits": {"root_motion": "root"},
        },
        before=f"bpy.ops.wm.open_mainfile(filepath={str(tmp_path / 'rigged.blend')!r})",
    )
    assert code == 1 and [result["ok"] for result in results] == [True, True, False, False, False, False, True]
    assert "must end in" in results[2]["error"] and "keeps no bones" in results[3]["error"]
    assert "everywhere" in results[4]["error"] and "true or false" in results[5]["error"]
    assert "keys 7 bones" in Path(results[0]["log"]).read_text()
    glb = SkinnedGlb(tmp_path / "out/body.glb")
    y_up = np.stack([positions[..., 0], positions[..., 2], -positions[..., 1]], axis=-1)
    found = glb.positions(5 / 24)
    nearest = np.linalg.norm(found[:, None] - y_up[5][None], axis=2).min(axis=1)
    assert nearest.max() < 2e-3 * np.ptp(positions[0], axis=0).max()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out/body.blend"))
    np.testing.assert_allclose(shown(bpy.data.objects["Body"], 6), positions[5], atol=3e-3)
    assert (tmp_path / "out/body.fbx").stat().st_size > 10_000
    assert b"root" in (tmp_path / "out/unreal.fbx").read_bytes()
