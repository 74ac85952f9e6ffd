"""The panel in its states, at a scale and in both themes: nothing of it has to be scrolled, and no row moves."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

FRAMES = 29  # of the example
THEMES = ("light", "dark")  # in which each state is photographed; the last one stays

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str, scale: float) -> Wait:
    report: dict = {}
    stage.dress(THEMES[-1], scale)
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    yield from stage.open_sidebar(driver)
    yield 2.0  # the machine is looked at
    yield from _pictures(driver, "first_run")
    stage.choose_backend(backend)
    yield from _pictures(driver, "empty")
    report["animate_y_before"] = yield from driver.top_of("motion324.animate")
    yield from driver.click("motion324.load_example")
    yield from driver.wait_until(lambda: bpy.context.scene.motion324.video != "", PATIENCE, "the example is there")
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "dog.blend"))
    first_frame = stage.module("ui.first_frame")
    yield from driver.wait_until(
        lambda: first_frame._shown is not None or first_frame._failed is not None, PATIENCE, "seen"
    )
    wish = Path(f"{bpy.context.scene.motion324.video}.json")
    _wish(wish, "wobble", pause=0.3)
    yield from _pictures(driver, "ready")
    yield from _animate(driver, report, wish)
    yield from _keep(driver, report)
    yield from _tweak(driver, report)
    yield from _fail(driver, wish)
    return report


def _pictures(driver: Driver, name: str) -> Wait:
    yield 0.7  # panels slide to their places
    for theme in THEMES:
        stage.dress(theme, bpy.context.preferences.view.ui_scale)
        yield 0.3
        yield from driver.shot(f"{name}_{theme}")


def _runner():
    return stage.module("job.runner").runner


def _dog() -> bpy.types.Object:
    return next(obj for obj in bpy.data.objects if obj.type == "MESH")


def _wish(wish: Path, do: str, **more: object) -> None:
    """Replaced as a whole, since the engine reads it at any time."""
    aside = wish.with_suffix(".new")
    aside.write_text(json.dumps({"do": do, "frames": FRAMES, "fps": 15, **more}))
    aside.replace(wish)


def _animate(driver: Driver, report: dict, wish: Path) -> Wait:
    report["animate_y"] = yield from driver.top_of("motion324.animate")
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: _runner().state.frames_ready > 3, PATIENCE, "frames can be played")
    _wish(wish, "wait")  # in the middle of the job, while pictures are taken
    yield from driver.move_to_viewport()
    yield from _pictures(driver, "running")
    yield from driver.click("motion324.play", column=0.93)
    yield 0.5
    report["plays_while_running"] = bpy.context.screen.is_animation_playing or driver.window.screen.is_animation_playing
    yield from driver.click("motion324.play", column=0.93)
    _wish(wish, "wobble")
    yield from driver.wait_until(lambda: _runner().state.phase.value == "done", PATIENCE, "there is a result")
    yield from driver.move_to_viewport()
    yield from _pictures(driver, "result")


def _keep(driver: Driver, report: dict) -> Wait:
    for name in ("video_shown", "motion324.keep_shape_keys", "motion324.keep_point_cache"):
        yield from driver.find(name)
    report["animate_y_then"] = yield from driver.top_of("motion324.animate")
    yield from driver.find("motion324.discard")
    report["keep_y"] = yield from driver.top_of("motion324.keep_shape_keys")
    report["discard_y"] = driver.place("motion324.discard")[1]
    yield from driver.click("motion324.discard")
    report["discarded"] = _runner().discarded is not None and not _dog().modifiers
    yield from _pictures(driver, "discarded")
    yield from driver.click("motion324.bring_back")
    report["back"] = bool(_runner().results) and bool(_dog().modifiers)
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "the result is kept")
    yield 1.0
    report["keep_y_then"] = yield from driver.top_of("motion324.keep_shape_keys")
    yield from driver.move_to_viewport()
    yield from _pictures(driver, "kept")
    yield from driver.press("ctrl+z")
    yield 1.0
    report["waits_after_undo"] = bool(_runner().results) and _dog().data.shape_keys is None
    report["shown_after_undo"] = [each.type for each in _dog().modifiers]
    yield from driver.press("ctrl+shift+z")
    yield 1.0
    report["kept_after_redo"] = not _runner().results and len(_dog().data.shape_keys.key_blocks) == FRAMES + 1


def _tweak(driver: Driver, report: dict) -> Wait:
    yield from stage.open_only(driver, "tweak")
    yield from _pictures(driver, "tweak")
    keeping = stage.module("scene.playing.keeping")
    before = keeping.animated_range(_dog())
    yield from driver.enter("speed", "2")
    yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "the kept take waits again")
    yield from driver.wait_until(lambda: _runner().animations[0].tweak.speed == 2, PATIENCE, "it is changed")
    yield from driver.click("motion324.keep_shape_keys")
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "the result is kept")
    report["frames"] = [*before, *keeping.animated_range(_dog())]
    yield from _pictures(driver, "tweaked")
    for name in ("check", "frames", "cut_out", "camera", "quality", "export"):
        yield from stage.open_only(driver, name)
        yield from _pictures(driver, f"open_{name}")


def _fail(driver: Driver, wish: Path) -> Wait:
    yield from stage.open_only(driver, "")
    _wish(wish, "fail")
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: bool(_runner().failures), PATIENCE, "the job fails")
    yield from driver.move_to_viewport()
    yield from _pictures(driver, "failed")
