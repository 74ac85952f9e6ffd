"""A kept take is changed, becomes a cache, a rig and shape keys again, and is changed once more after the file was
opened anew; it is played in a loop, coloured by doubt, named in its strip, and told in the status bar while its tab is
closed.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import bpy
import numpy as np
import stage
from driver import Driver, Wait

PATIENCE = 300  # seconds: other programs may be at work, too
MIDDLE = 5  # a frame in which all has moved


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {"forms": [], "moved": []}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    bpy.context.scene.motion324.video = video
    path = driver.folder / "shapes.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    yield from stage.open_sidebar(driver)
    report["tabs"] = _tabs()
    yield from _animate_unseen(driver, report, video)
    yield from _keep(driver, report, "motion324.keep_shape_keys")
    yield from stage.open_only(driver, "tweak")
    yield from _change(driver, 50)
    yield from _keep(driver, report, "motion324.keep_point_cache")
    yield from _change(driver, 80)
    yield from _keep(driver, report, "motion324.keep_rig")
    yield from driver.shot("as_rig")
    yield from _change(driver, 100)
    yield from _keep(driver, report, "motion324.keep_shape_keys")
    yield from _undo(driver, report)
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(path))
    yield 2.0
    report["after_opening"] = _form()
    yield from _change(driver, 50)
    yield from _keep(driver, report, "motion324.keep_shape_keys")
    yield from _play(driver, report)
    yield from _doubt(driver, report)
    yield from driver.click("motion324.push_to_nla", column=0.93)
    keys = _ball().data.shape_keys
    report["strips"] = [strip.name for track in keys.animation_data.nla_tracks for strip in track.strips]
    return report


def _ball() -> bpy.types.Object:
    return bpy.data.objects["Ball"]


def _runner():
    return stage.module("job.runner").runner


def _tabs() -> list[str]:
    """Of the sidebar, as far as the extension's panels make them."""
    return sorted({getattr(panel, "bl_category", "Misc") for panel in stage.module("panels").CLASSES})


def _form() -> list[str]:
    """How the ball carries its motion."""
    keys = ["SHAPE_KEYS"] if _ball().data.shape_keys else []
    return keys + [modifier.type for modifier in _ball().modifiers]


def _moved() -> float:
    """How far the vertices are from the mesh's own shape, on average, in the middle of the animation."""
    bpy.context.scene.frame_set(MIDDLE)
    mesh = _ball().evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    shown, own = (np.empty((len(mesh.vertices), 3), np.float32) for _ in range(2))
    mesh.vertices.foreach_get("co", shown.ravel())
    _ball().data.vertices.foreach_get("co", own.ravel())
    return float(np.linalg.norm(shown - own, axis=1).mean())


def _wish(video: str, **wish: object) -> None:
    aside = Path(video).with_suffix(".new")
    aside.write_text(json.dumps(wish))
    aside.replace(video)


def _animate_unseen(driver: Driver, report: dict, video: str) -> Wait:
    """With the sidebar closed while the job runs: the status bar tells it."""
    _wish(video, do="wobble", frames=9, pause=0.5)
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: _runner().state.frames_ready > 2, PATIENCE, "frames come")
    _wish(video, do="wait", frames=9)
    yield from driver.move_to_viewport()
    yield from driver.press("n")
    yield 1.0
    report["closed"] = not driver.area.spaces.active.show_region_ui
    bpy.types.STATUSBAR_HT_header.append(_count)  # nothing else has it drawn: the mouse rests
    yield from driver.wait_until(lambda: len(_drawn) > 2, PATIENCE, "the status bar is drawn again and again")
    bpy.types.STATUSBAR_HT_header.remove(_count)
    yield from driver.shot("status_bar")
    _wish(video, do="wobble", frames=9)
    yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "there is a result")
    yield 2.0
    yield from driver.shot("status_bar_done")
    report["told"] = _told(driver)
    yield from driver.press("n")
    yield 1.0


_drawn: list[None] = []  # once for each time that the status bar was drawn


def _count(header: bpy.types.Header, context: bpy.types.Context) -> None:
    _drawn.append(None)


def _told(driver: Driver) -> list[str]:
    """What the Info editor has."""
    area = driver.area_of("PROPERTIES")
    area.type = "INFO"
    region = next(each for each in area.regions if each.type == "WINDOW")
    with bpy.context.temp_override(window=driver.window, area=area, region=region):
        bpy.ops.info.select_all(action="SELECT")
        bpy.ops.info.report_copy()
    area.type = "PROPERTIES"
    return bpy.context.window_manager.clipboard.splitlines()


def _change(driver: Driver, percent: int) -> Wait:
    yield from driver.enter("strength_percent", str(percent))
    yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "the kept take waits again")
    yield from driver.wait_until(
        lambda: abs(_runner().animations[0].tweak.strength - percent / 100) < 1e-6, PATIENCE, "it is changed"
    )
    yield 0.5


def _keep(driver: Driver, report: dict, button: str) -> Wait:
    yield from driver.click(button)
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "it is kept")
    yield 1.0
    report["forms"].append(_form())
    report["moved"].append(_moved())


def _undo(driver: Driver, report: dict) -> Wait:
    """Of Keep: the result waits again, as a rig still, and redo keeps it."""
    yield from driver.move_to_viewport()
    yield from driver.press("ctrl+z")
    yield 1.0
    report["waits_after_undo"] = bool(_runner().results)
    yield from driver.press("ctrl+shift+z")
    yield 1.0
    report["after_redo"] = [_form(), bool(_runner().results)]


def _play(driver: Driver, report: dict) -> Wait:
    scene, seen = bpy.context.scene, []
    scene.frame_set(100)
    yield from driver.click("motion324.play", column=0.93)
    for _ in range(30):
        yield 0.1
        seen.append(scene.frame_current)
    report["played"] = [
        min(seen),
        max(seen),
        sum(later < earlier for earlier, later in itertools.pairwise(seen)),
    ]
    report["range"] = [scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end]
    yield from driver.click("motion324.play", column=0.93)
    report["stopped"] = not driver.window.screen.is_animation_playing


def _doubt(driver: Driver, report: dict) -> Wait:
    yield from stage.open_only(driver, "check")
    shading, colours = driver.area.spaces.active.shading, _ball().data.color_attributes
    report["shading"] = [shading.color_type]
    for _ in range(2):
        yield from driver.click("motion324.show_doubt")
        yield 0.5
        report["shading"] += [shading.color_type, len(colours)]
        yield from driver.move_to_viewport()
        yield from driver.shot(f"doubt_{len(colours)}")
