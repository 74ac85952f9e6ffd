"""The whole way of a first animation by mouse and keyboard: zip, backend, animation, export, and what may go wrong."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

FRAMES = 8
PATIENCE = 1500  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, mesh: str, video: str) -> Wait:
    report: dict = {}
    yield from stage.install(driver, zip_path)
    yield from stage.open_sidebar(driver)
    yield from stage.bring_dog(driver, mesh)
    yield from _install_backend(driver, report)
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "dog.blend"))
    yield from _fill(driver, video)
    yield from _cancel_one(driver, report)
    yield from _animate(driver, report)
    yield from _keep_and_undo(driver, report)
    yield from _export(driver, report)
    yield from _overlay(driver)
    yield from _lose_the_backend(driver, report)
    yield from _meet_an_error(driver, report)
    return report


def _dog() -> bpy.types.Object:
    return next(obj for obj in bpy.data.objects if obj.type == "MESH")


def _state():
    return stage.module("job.runner").runner.state


def _phase() -> str:
    return _state().phase.value


def _reaches(holds: Callable[[], bool]) -> Callable[[], bool]:
    """Whether it holds now; an error of the job's ends the waiting."""

    def check() -> bool:
        problem = _state().problem
        assert problem is None, f"{problem.sentence} {problem.hint}"
        return holds()

    return check


def _keys() -> int:
    keys = _dog().data.shape_keys
    return len(keys.key_blocks) if keys else 0


def _has_ended(process: int) -> bool:
    """Also where nobody has asked yet how it ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _install_backend(driver: Driver, report: dict) -> Wait:
    """Allowed to go online, begun, cancelled in the middle of the download, and continued."""
    installation = stage.module("installation.runner").runner
    words = stage.module("installation.state")
    yield from driver.shot("first_run")
    yield from driver.click("motion324.install_backend(allow_online=True")
    assert bpy.app.online_access
    yield from driver.wait_until(
        lambda: installation.state.stage is words.Stage.DOWNLOAD and installation.state.done > 5_000_000,
        PATIENCE,
        "the libraries are downloaded",
    )
    yield from driver.shot("installing")
    report["bytes_when_cancelled"] = installation.state.done
    yield from driver.click("motion324.cancel_installation")
    yield from driver.wait_until(lambda: not installation.state.busy, PATIENCE, "the installation is cancelled")
    assert installation.look().condition is words.Condition.UNFINISHED
    files = installation.place.downloads.iterdir()
    report["had_when_cancelled"] = [path.name.removesuffix(".part") for path in files if path.stat().st_size]
    yield from driver.shot("interrupted")
    began = time.monotonic()
    yield from driver.click("motion324.install_backend")
    yield from driver.wait_until(lambda: not installation.state.busy, PATIENCE, "the backend is installed")
    report["install_seconds"] = time.monotonic() - began
    assert installation.state.ready, installation.state.problem
    yield from driver.redraw()


def _fill(driver: Driver, video: str) -> Wait:
    yield from driver.redraw()
    yield from driver.enter("video_shown", video)
    settings = bpy.context.scene.motion324
    assert settings.video == video, settings.video
    facts_of = stage.module("settings.source_video").facts_of
    yield from driver.wait_until(lambda: facts_of(video) is not None, PATIENCE, "the video's facts are known")
    yield from driver.redraw()
    first_frame = stage.module("ui.first_frame")
    yield from driver.wait_until(lambda: first_frame._shown is not None, PATIENCE, "the first used frame is shown")
    yield from driver.shot("ready")
    yield from stage.open_only(driver, "frames")
    yield from driver.click("all_frames")
    yield from driver.enter("frame_count", str(FRAMES))
    assert settings.frame_count == FRAMES
    yield from stage.open_only(driver, "")


def _cancel_one(driver: Driver, report: dict) -> Wait:
    yield from driver.find("motion324.cancel", column=0.93)  # grey until the job runs, and in its place
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(_reaches(lambda: _state().stage == "reconstruct"), PATIENCE, "it is under way")
    began = time.monotonic()
    yield from driver.click("motion324.cancel")
    yield from driver.wait_until(lambda: _phase() == "cancelled", PATIENCE, "the job is cancelled")
    report["cancel_seconds"] = time.monotonic() - began
    assert not _dog().modifiers and not _keys()
    yield from driver.shot("cancelled")


def _animate(driver: Driver, report: dict) -> Wait:
    began = time.monotonic()
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(_reaches(lambda: _state().frames_ready > 0), PATIENCE, "frames can be played")
    bpy.context.scene.frame_set(FRAMES - 2)
    yield from driver.shot("running")
    yield from driver.wait_until(_reaches(lambda: _phase() == "done"), PATIENCE, "there is a result")
    report["animate_seconds"] = time.monotonic() - began
    bpy.context.scene.frame_set(FRAMES - 2)
    yield from driver.shot("result")
    assert [modifier.type for modifier in _dog().modifiers] == ["MESH_CACHE"]


def _keep_and_undo(driver: Driver, report: dict) -> Wait:
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: _phase() == "idle", PATIENCE, "the result is kept")
    report["keys"] = _keys()
    assert _keys() == FRAMES + 1 and not _dog().modifiers
    yield 1.0  # the panels slide to their new places
    yield from driver.shot("kept")
    yield from driver.move_to_viewport()
    yield from driver.press("ctrl+z")
    yield 1.0
    assert not _keys(), "one undo takes the kept shape keys back"
    yield from driver.press("ctrl+shift+z")
    yield 1.0
    assert _keys() == FRAMES + 1, "redo brings them again"


def _export(driver: Driver, report: dict) -> Wait:
    path = driver.folder / "dog.fbx"
    yield from stage.open_only(driver, "export")
    yield from driver.click("motion324.export(format='.fbx'")
    yield 1.0
    yield from stage.confirm_file(driver, path)
    yield from driver.wait_until(path.exists, PATIENCE, "the FBX is written")
    report["fbx_bytes"] = path.stat().st_size


def _overlay(driver: Driver) -> Wait:
    yield from stage.open_only(driver, "check")
    yield from driver.click("motion324.overlay(beside=False", column=0.3)
    yield 1.0
    camera = bpy.context.scene.camera
    assert camera is not None and camera.data.background_images[0].image is not None
    assert driver.area.spaces.active.region_3d.view_perspective == "CAMERA"
    yield from driver.move_to_viewport()
    yield from driver.shot("overlay")
    yield from driver.click("motion324.overlay(beside=True", column=0.71)
    yield 1.0
    yield from driver.move_to_viewport()
    yield from driver.shot("side_by_side")
    yield from driver.click("motion324.hide_overlay", column=0.71)
    yield 0.5
    assert bpy.context.scene.camera is None and bpy.context.scene.render.resolution_x == 1920
    yield from driver.click("motion324.show_doubt")
    yield 0.5
    yield from driver.move_to_viewport()
    yield from driver.shot("doubt")
    yield from driver.click("motion324.show_doubt")
    yield from stage.open_only(driver, "")


def _meet_an_error(driver: Driver, report: dict) -> Wait:
    bpy.context.scene.motion324.mask = "alpha"  # which the example's video does not have
    yield from driver.redraw()
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: _phase() == "failed", PATIENCE, "the job fails")
    report["error"] = _state().problem.sentence
    yield from driver.shot("error")
    yield from driver.click("motion324.discard", column=0.93)
    bpy.context.scene.motion324.mask = "auto"


def _lose_the_backend(driver: Driver, report: dict) -> Wait:
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(_reaches(lambda: _state().stage == "reconstruct"), PATIENCE, "it is under way")
    engine = stage.module("job.backend").pid()
    os.kill(engine, signal.SIGKILL)
    yield from driver.wait_until(lambda: _phase() in ("failed", "lost") or _has_ended(engine), PATIENCE, "it ends")
    ended = time.monotonic()  # a busy machine takes seconds to take the memory back
    yield from driver.wait_until(lambda: _phase() in ("failed", "lost"), PATIENCE, "the loss is noticed")
    report["loss_seconds"] = time.monotonic() - ended
    report["lost"] = _state().problem.sentence
    yield from driver.shot("lost")
    assert _keys() == FRAMES + 1, "nothing of the scene is lost"
    yield from driver.click("motion324.restart")
    yield from driver.wait_until(_reaches(lambda: _state().stage == "reconstruct"), PATIENCE, "the same job goes on")
    yield from driver.click("motion324.cancel")
    yield from driver.wait_until(lambda: _phase() == "cancelled", PATIENCE, "the job is cancelled")
