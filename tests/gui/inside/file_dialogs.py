"""Turntable and exports by their buttons: names that are proposed, files that are written, and one that is refused."""

from __future__ import annotations

from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, mesh: str, video: str) -> Wait:
    report: dict = {"proposed": []}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.open_panels()
    yield from stage.open_sidebar(driver)
    yield from stage.bring_dog(driver, mesh)
    dog, scene = bpy.context.view_layer.objects.active, bpy.context.scene
    dog.name = Path(video).stem  # as *New Mesh from Video* names it
    scene.frame_end, scene.motion324.video = 3, video
    dog[stage.module("scene.playing.kept_note").FRAMES] = [1, 3]  # as if it had been animated
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "scene.blend"))
    yield from driver.redraw()
    before = Path(video).read_bytes()

    yield from _open(driver, report, "motion324.turntable")
    _browser(driver).active_operator.size = 64
    yield from driver.shot("turntable_dialog")
    yield from _confirm(driver)
    yield from _is_written(driver, driver.folder / f"{dog.name}_turntable.mp4")
    report["turntable_frames"] = _frames_of(driver.folder / f"{dog.name}_turntable.mp4")

    for suffix, column in ((".glb", 0.71), (".fbx", 0.3)):
        yield from _open(driver, report, f"motion324.export(format='{suffix}'", column)
        yield from driver.shot(f"export_dialog_{suffix[1:]}")
        yield from _confirm(driver)
        yield from _is_written(driver, driver.folder / f"{dog.name}_animated{suffix}")

    yield from _open(driver, report, "motion324.export_vertex_textures")
    yield from driver.shot("vertex_textures_dialog")
    yield from _confirm(driver)
    yield from _is_written(driver, driver.folder / f"{dog.name}_vat.json")

    give_a_bone(dog)
    yield from driver.redraw()
    yield from _open(driver, report, "motion324.export_rig")
    yield from driver.shot("rig_dialog")
    _browser(driver).active_operator.engine = "unreal"
    yield 1.0
    yield from driver.shot("rig_dialog_unreal")
    yield from _confirm(driver)
    yield from _is_written(driver, driver.folder / f"{dog.name}_rig.fbx")
    report["put_back"] = [each.name for each in bpy.data.objects], bpy.context.view_layer.objects.active.name

    yield from _open(driver, report, "motion324.turntable")
    _browser(driver).params.filename = Path(video).name
    yield 1.0
    yield from driver.shot("video_chosen")
    yield from _confirm(driver)
    yield 3.0
    yield from driver.shot("refused")
    report["video_stays"] = Path(video).read_bytes() == before
    report["files"] = sorted(
        path.name for path in driver.folder.iterdir() if path.suffix in (".mp4", ".glb", ".fbx", ".json", ".exr")
    )
    return report


def give_a_bone(dog: bpy.types.Object) -> None:
    """An armature whose one bone carries the whole dog."""
    armature = bpy.data.objects.new("Armature", bpy.data.armatures.new("Armature"))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    armature.data.edit_bones.new("body").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    dog.vertex_groups.new(name="body").add(range(len(dog.data.vertices)), 1.0, "REPLACE")
    dog.modifiers.new("Armature", "ARMATURE").object = armature
    bpy.context.view_layer.objects.active = dog


def _browser(driver: Driver) -> bpy.types.SpaceFileBrowser:
    return driver.area_of("FILE_BROWSER").spaces.active


def _open(driver: Driver, report: dict, button: str, column: float = 0.62) -> Wait:
    yield from driver.click(button, column)
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is not None, 10, "the file browser is open")
    yield 1.0
    report["proposed"].append(_browser(driver).params.filename)


def _confirm(driver: Driver) -> Wait:
    """By Enter, over the list of files."""
    area = driver.area_of("FILE_BROWSER")
    driver.move(area.x + area.width * 0.6, area.y + area.height * 0.3)
    yield 0.3
    yield from driver.press("Return")
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is None, 10, "the file browser is closed")
    yield 0.5


def _is_written(driver: Driver, path: Path) -> Wait:
    yield from driver.wait_until(path.exists, PATIENCE, f"'{path.name}' is written")
    yield 1.0


def _frames_of(path: Path) -> int:
    clip = bpy.data.movieclips.load(str(path))
    frames = clip.frame_duration
    bpy.data.movieclips.remove(clip)
    return frames
