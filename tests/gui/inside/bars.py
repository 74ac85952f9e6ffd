"""Progress bars under the mouse, from where they are until the job, or the look, has ended or failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import stage
from driver import Driver, Wait


def story(driver: Driver, zip_path: str, backend: str, video: str) -> Wait:
    report: dict = {}
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    bpy.context.scene.motion324.video = video
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "shapes.blend"))
    stage.open_panels(but=("frames", "tweak", "check"))  # whose switches and sliders have a bar's colour
    yield from stage.open_sidebar(driver)
    looks, making = stage.module("examining.looks"), stage.module("examining.new_mesh")
    runner = stage.module("job.runner").runner
    for name, button, look, ends in (
        ("mask", "preview_mask", looks.mask_look, ("wobble", "fail")),
        ("view", "find_view", looks.view_look, ("wobble",)),
        ("mesh", "new_mesh", making.mesh_look, ("wobble",)),
    ):
        if name == "mesh":  # its button is there where no mesh is
            stage.select(())
            yield from driver.redraw()
        for end in ends:
            _wish(video, do="wait", frames=4)
            yield from driver.click(f"motion324.{button}")
            yield from driver.wait_until(lambda look=look: look.look.done > 0, 60, f"the {name} is under way")
            yield from _end_under_the_mouse(
                driver,
                report,
                f"{name}_{end}",
                lambda end=end: _wish(video, do=end, frames=4),
                lambda look=look: look.look.running,
            )
    stage.select(("Ball",))
    yield from driver.redraw()
    _wish(video, do="wobble", frames=20, pause=1)  # so that there is time to stop it on its way
    yield from driver.click("motion324.animate")
    yield from driver.wait_until(lambda: runner.state.done > 7, 60, "the job is under way")
    _wish(video, do="wait", frames=20)
    yield from _end_under_the_mouse(
        driver, report, "job_wobble", lambda: _wish(video, do="wobble", frames=20), lambda: runner.state.busy
    )
    return report


def _end_under_the_mouse(
    driver: Driver, report: dict, name: str, end: Callable[[], None], runs: Callable[[], bool]
) -> Wait:
    """Rests on the bar until what it shows has ended; reports how many pixels look like a bar, then and afterwards."""
    yield from driver.shot("bar")
    x, y = _bar(driver, "bar")
    driver.move(x, y)
    yield 0.3
    driver.move(x + 3, y)  # which makes the bar the widget under the mouse
    yield 0.5
    yield from driver.shot(f"{name}_bar")
    report[f"{name}_bar"] = len(_bar_pixels(driver, f"{name}_bar"))
    end()
    yield from driver.wait_until(lambda: not runs(), 60, f"{name} has ended")
    yield 0.5
    yield from driver.shot(f"{name}_end")
    report[f"{name}_end"] = len(_bar_pixels(driver, f"{name}_end"))
    yield from driver.move_to_viewport()


def _wish(video: str, **wish: object) -> None:
    aside = Path(video).with_suffix(".new")
    aside.write_text(json.dumps(wish))
    aside.replace(video)


def _bar_pixels(driver: Driver, shot: str) -> np.ndarray:
    """(K, 2) pixels (x, y) of the sidebar, from the window's lower left corner, that have a progress bar's colour."""
    image = bpy.data.images.load(str(driver.folder / f"{shot}.png"))
    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)[..., :3]
    bpy.data.images.remove(image)
    sidebar = driver.sidebar
    x, y = sidebar.x, sidebar.y
    part = pixels[y : y + sidebar.height, x : x + sidebar.width - round(22 * driver.scale)]  # without the tabs
    colour = np.array(bpy.context.preferences.themes[0].user_interface.wcol_progress.item[:3])
    rows, columns = np.nonzero(np.abs(part - colour).max(axis=2) < 0.08)  # the mouse over it makes it lighter
    return np.stack([columns + x, rows + y], axis=1)


def _bar(driver: Driver, shot: str) -> tuple[int, int]:
    """A place on the bar."""
    found = _bar_pixels(driver, shot)
    assert len(found), "no bar is shown"
    x, y = np.median(found, axis=0)
    return int(x), int(y)
