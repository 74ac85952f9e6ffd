"""Two objects animated as one while others wait in the queue; then every result kept or discarded by itself."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import stage
from driver import Driver, Wait

PATIENCE = 300  # seconds: other programs may be at work, too


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    bpy.context.scene.motion324.video = video
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "shapes.blend"))
    yield from stage.open_sidebar(driver)
    yield from _queue(driver, report)
    _have_no_pauses(video)
    yield from driver.wait_until(lambda: not _runner().jobs.busy, PATIENCE, "both jobs are done")
    yield from _keep_one_by_one(driver)
    shapes = [bpy.data.objects[name] for name in ("Ball", "Torus", "Cube")]
    report["keys"] = {obj.name: obj.data.shape_keys and len(obj.data.shape_keys.key_blocks) for obj in shapes}
    report["modifiers"] = {obj.name: [modifier.type for modifier in obj.modifiers] for obj in shapes}
    yield from _cancel_all(driver, report, video)
    return report


def _runner():
    return stage.module("job.runner").runner


def _queue(driver: Driver, report: dict) -> Wait:
    """Ball and torus run as one; cube and cone wait, the cone comes to be the next one and is taken out again."""
    for names in (("Ball", "Torus"), ("Cube",), ("Cone",)):
        stage.select(names)
        yield from driver.redraw()
        yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: _runner().state.frames_ready > 3, PATIENCE, "frames arrive")
    report["queued"] = [job.object_name for job in _runner().queue]
    yield from driver.move_to_viewport()
    yield from driver.shot("queue")
    yield from driver.click("motion324.requeue(index=1", column=0.71)
    report["after_moving"] = [job.object_name for job in _runner().queue]
    yield from driver.click("motion324.unqueue(index=0", column=0.86)
    report["after_removing"] = [job.object_name for job in _runner().queue]


def _have_no_pauses(video: str) -> None:
    path = Path(video)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps({**json.loads(path.read_text()), "pause": 0}))
    aside.replace(path)


def _keep_one_by_one(driver: Driver) -> Wait:
    """The ball as shape keys, the torus as a point cache; the cube's result, which waits as well, is discarded."""
    stage.select(("Torus", "Ball"))
    first, second = _runner().results
    yield from driver.move_to_viewport()
    yield from driver.shot("results")
    yield from driver.click(f'motion324.keep_shape_keys(job={first.number}, object_name="Ball"', column=0.71)
    yield from driver.wait_until(
        lambda: bpy.data.objects["Ball"].data.shape_keys is not None, PATIENCE, "the ball is kept"
    )
    yield from driver.wait_until(lambda: len(_runner().animations) == 2, PATIENCE, "two results are left")
    yield from driver.move_to_viewport()
    yield from driver.shot("one_kept")
    stage.select(("Torus",))
    yield from driver.redraw()
    yield from driver.click(f"motion324.discard(job={second.number}", column=0.86)
    yield from driver.wait_until(lambda: len(_runner().results) == 1, PATIENCE, "the cube's result is gone")
    yield from driver.click(f"motion324.keep_point_cache(job={first.number}")
    yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "the torus is kept")
    yield 1.0


def _cancel_all(driver: Driver, report: dict, video: str) -> Wait:
    """One runs and one waits; both are gone by one click."""
    path = Path(video)
    path.write_text(json.dumps({**json.loads(path.read_text()), "do": "wait"}))
    for name in ("Cone", "Cube"):
        stage.select((name,))
        yield from driver.redraw()
        yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: len(_runner().queue) == 1, PATIENCE, "one waits")
    yield from driver.click("motion324.cancel_all")
    yield from driver.wait_until(lambda: not _runner().jobs.busy, PATIENCE, "all are cancelled")
    report["after_cancelling"] = len(_runner().queue), len(_runner().results)
