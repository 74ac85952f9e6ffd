"""Every field of the sidebar, its popovers, the dialogs and the preferences is changed by the mouse.

What there is to change is asked of the panels themselves: they are drawn on paper (tests/addon/paper_layout.py), again
after each change, so that what shows at one choice of a menu only is found as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import bpy
import stage
from driver import Driver, NotFound, Wait
from file_dialogs import give_a_bone

# What is told at once. Panels; popovers, by the button beside which each opens; and what else there is.
PARTS = {
    "shot": ("animate", "frames", "cut_out", "camera"),
    "result": ("quality", "tweak", "check", "rig", "new_mesh"),
    "dialogs": ("turntable", "export", "export_vertex_textures", "export_rig", "pin_still"),
    "preferences": ("preferences",),
}
# And how many rows of text each has at most.
POPOVERS = {"rig": ("motion324.keep_rig", 0), "new_mesh": ("motion324.new_mesh(animate=True", 5)}
DIALOGS = {  # the button that opens it, its panel, and where in its row it is
    "turntable": ("motion324.turntable", "show", 0.62),
    "export": ("motion324.export(format='.glb'", "export", 0.71),
    "export_vertex_textures": ("motion324.export_vertex_textures", "export", 0.62),
    "export_rig": ("motion324.export_rig", "export", 0.62),
}
ROW = 22  # pixels of a row, at scale 1
FIRST_FRAME, LAST_FRAME = 1.8, 3.0  # rows of the dialog's fields below the button that opens it
PATIENCE = 300  # seconds: other programs may be at work, too


class Field(NamedTuple):
    owner: object
    name: str

    @property
    def value(self) -> object:
        return getattr(self.owner, self.name)

    @property
    def kind(self) -> str:
        return self.owner.bl_rna.properties[self.name].type

    @property
    def choices(self) -> int:
        return len(self.owner.bl_rna.properties[self.name].enum_items)


class Round:
    """fields(): what can be changed now. done: what was, by its name; failed: what could not."""

    def __init__(self, driver: Driver, fields: Callable[[], list[Field]]) -> None:
        self.driver, self.fields = driver, fields
        self.done: list[str] = []
        self.failed: list[str] = []

    def go(self) -> Wait:
        """Changes all that is not done yet, and what shows because of that."""
        for field in self.fields():
            if field.name not in self.done and any(field.name == each.name for each in self.fields()):
                self.done.append(field.name)
                yield from self._change(field)

    def _change(self, field: Field) -> Wait:
        before, values = field.value, set()
        for _ in range(field.choices if field.kind == "ENUM" else 1):
            try:
                yield from self._change_once(field)
            except NotFound as error:
                self.failed.append(f"{field.name}: {error}")
                return
            values.add(str(field.value))
            yield from self.driver.redraw_searched()
            yield from self.go()
        if values <= {str(before)}:
            self.failed.append(f"{field.name} is {before} still")
        setattr(field.owner, field.name, before)
        yield from self.driver.redraw_searched()

    def _change_once(self, field: Field) -> Wait:
        before = field.value
        if field.kind == "BOOLEAN":
            yield from self.driver.click(field.name)
        elif field.kind == "STRING":
            yield from self.driver.enter(field.name, f"{before}7")
        else:
            yield from self.driver.turn(field.name, up=False)  # in a menu to the next one below
            if field.value == before:
                yield from self.driver.turn(field.name, up=True)


def story(driver: Driver, zip_path: str, backend: str, video: str, paper: str, part: str) -> Wait:
    report: dict = {"changed": {}, "failed": []}
    sys.path.append(str(Path(paper).parent))
    bpy.ops.extensions.package_install_files(filepath=zip_path, repo="user_default", enable_on_install=True)
    yield 1.0
    stage.choose_backend(backend)
    yield from _set_stage(driver, video)
    report["left_out"] = _left_out(driver)
    for name in PARTS[part]:
        if name in POPOVERS:
            yield from stage.open_only(driver, "")
            yield from _popover(driver, report, name)
        elif name == "pin_still":
            yield from _still(driver, report)
        elif name == "preferences":
            yield from _preferences(driver, report)
        elif part == "dialogs":
            yield from _dialog(driver, report, name)
        else:
            yield from _panel(driver, report, name, video)
    return report


def _left_out(driver: Driver) -> list[str]:
    """Panels that have fields, and operators that draw a dialog, of which no part tells."""
    told = {name for names in PARTS.values() for name in names}
    panels = {cls.__name__.removeprefix("MOTION324_PT_") for cls in stage.module("panels").CLASSES}
    found = [name for name in panels - told if _of_panel(driver, name)]
    dialogs = [cls for cls in stage.module("operators").CLASSES if "draw" in vars(cls)]
    return found + [name for name in (cls.bl_idname.partition(".")[2] for cls in dialogs) if name not in told]


def _runner():
    return stage.module("job.runner").runner


def _set_stage(driver: Driver, video: str) -> Wait:
    """A ball with a kept take and one that waits, and an overlay, so that all panels have all of their fields."""
    stage.bring_shapes(driver)
    stage.select(("Ball",))
    ball = bpy.context.object
    ball.vertex_groups.new(name="South").add([0], 1.0, "REPLACE")
    bpy.context.scene.motion324.video = video
    Path(video).write_text(json.dumps({"do": "wobble", "frames": 9, "pose": "drawn"}))
    bpy.ops.wm.save_as_mainfile(filepath=str(driver.folder / "ball.blend"))
    yield from stage.open_sidebar(driver)
    for keep in (True, False):
        yield from driver.click("motion324.animate")
        yield from driver.wait_until(lambda: bool(_runner().results), PATIENCE, "there is a result")
        yield 0.5
        if keep:
            yield from driver.click("motion324.keep_shape_keys")
            yield from driver.wait_until(lambda: not _runner().results, PATIENCE, "it is kept")
            yield 0.5


def _of_panel(driver: Driver, name: str) -> list[Field]:
    from paper_layout import Paper

    paper = Paper()
    panel = stage.module("panels").CLASSES
    (cls,) = (each for each in panel if each.__name__ == f"MOTION324_PT_{name}")
    with driver.context():
        cls.draw(SimpleNamespace(layout=paper), bpy.context)
    return [Field(owner, name) for owner, name, can_be_changed in paper.fields if can_be_changed]


def _panel(driver: Driver, report: dict, name: str, video: str) -> Wait:
    yield from stage.open_only(driver, name)
    if name == "check":
        _put_pictures(Path(video))
        yield from driver.click("motion324.overlay(beside=False", column=0.3)
    yield from _change_all(driver, report, name, lambda: _of_panel(driver, name))
    bpy.context.scene.motion324.video = video  # whose name alone the field shows, and gives back


def _put_pictures(place: Path) -> None:
    """A folder with a picture where the wish was: an overlay needs something to show."""
    place.unlink()
    place.mkdir()
    picture = bpy.data.images.new("Picture", 64, 64)
    picture.filepath_raw, picture.file_format = str(place / "1.png"), "PNG"
    picture.save()


def _change_all(driver: Driver, report: dict, place: str, fields: Callable[[], list[Field]]) -> Wait:
    going = Round(driver, fields)
    yield from going.go()
    report["changed"][place] = going.done
    report["failed"] += [f"{place}: {each}" for each in going.failed]
    if going.failed:
        yield from driver.shot(f"left_{place}")


def _having(drawn: object) -> object:
    """What has the properties of an operator, or of the preferences."""
    return getattr(drawn, "properties", drawn)


class _OnPaper:
    """An operator or the preferences, but for the layout that they draw in."""

    def __init__(self, drawn: object, layout: object) -> None:
        self.__dict__.update(_drawn=drawn, layout=layout, bl_rna=_having(drawn).bl_rna)

    def __getattr__(self, name: str) -> object:
        return getattr(self._drawn, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._drawn, name, value)


def _of_what_draws(driver: Driver, drawn: object) -> list[Field]:
    from paper_layout import Paper

    paper = Paper()
    with driver.context():
        type(drawn).draw(_OnPaper(drawn, paper), bpy.context)
    own = _having(drawn)
    owners = ((own if isinstance(owner, _OnPaper) else owner, name, live) for owner, name, live in paper.fields)
    return [Field(owner, name) for owner, name, live in owners if live]


def _popover(driver: Driver, report: dict, name: str) -> Wait:
    """Opens below the arrow beside a button; it closes when the mouse goes anywhere else."""
    if name == "new_mesh":
        stage.select(())
        yield from driver.redraw()
    button, text = POPOVERS[name]
    yield from driver.find(button)
    x, y = driver.beside(button, 0.92)
    yield from driver.click_at(x, y)
    yield from driver.shot(f"popover_{name}")
    half, top = 7 * ROW * driver.scale, y - 1.4 * ROW * driver.scale
    driver.move(x, top)
    yield 0.5

    def fields() -> list[Field]:
        found = _of_panel(driver, name)
        driver.lower_to(top - (len(found) + text) * ROW * driver.scale)
        return found

    with driver.within_popover(x - half, x + half, top - ROW * driver.scale, top):
        yield from _change_all(driver, report, name, fields)
    yield from driver.press("Escape")
    yield from driver.move_to_viewport()
    stage.select(("Ball",))


def _dialog(driver: Driver, report: dict, name: str) -> Wait:
    button, panel, column = DIALOGS[name]
    if name == "export_rig":
        give_a_bone(bpy.context.object)
    yield from stage.open_only(driver, panel)
    yield from driver.click(button, column)
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is not None, 10, "the file browser is open")
    yield 1.0
    operator = driver.area_of("FILE_BROWSER").spaces.active.active_operator
    with driver.within("FILE_BROWSER", "TOOL_PROPS"):
        yield from _change_all(driver, report, name, lambda: _of_what_draws(driver, operator))
        yield from driver.shot(f"dialog_{name}")
    yield from driver.press("Escape")
    yield from driver.wait_until(lambda: driver.shown("FILE_BROWSER") is None, 10, "the file browser is closed")


def _still(driver: Driver, report: dict) -> Wait:
    """A dialog of its own, which opens over the button with the mouse in it.

    Blender does not tell which property of such an operator the mouse is over; what was turned is seen by the pin.
    """
    yield from stage.open_only(driver, "corrections")
    yield from driver.click("motion324.pin_still")
    yield 0.5
    yield from driver.shot("dialog_pin_still")
    x, y = driver.place("motion324.pin_still")
    for below, up in ((FIRST_FRAME, True), (LAST_FRAME, False)):
        driver.move(x, y - below * ROW * driver.scale)
        yield 0.5
        yield from driver.turn_here(up)
    yield from driver.shot("dialog_pin_still_turned")
    yield from driver.press("Return")
    yield 0.5
    (pin,) = bpy.context.object.motion324_pins
    report["still"] = [pin.frame, pin.last]
    report["changed"]["pin_still"] = ["first", "last"]


def _preferences(driver: Driver, report: dict) -> Wait:
    """Each of the three engines by its button, and the fields that come with it."""
    manager, shown = bpy.context.window_manager, bpy.context.preferences.addons[stage.PACKAGE].preferences
    bpy.ops.preferences.addon_show(module=stage.PACKAGE)
    yield from driver.wait_until(lambda: len(manager.windows) == 2, 10, "the preferences are open")
    (own,) = (window for window in manager.windows if window != driver.window)
    with bpy.context.temp_override(window=own):
        bpy.ops.wm.window_close()
    yield 0.5
    driver.area.type = "PREFERENCES"  # in the window that is there
    yield 1.0
    engines = set()
    with driver.within("PREFERENCES"):
        yield from driver.find("backend")
        y = driver.place("backend")[1]
        left, width = driver.searched.x, driver.searched.width
        going = Round(driver, lambda: _of_what_draws(driver, shown))
        going.done.append("backend")
        for part in (0.5, 0.7, 0.9):
            yield from driver.click_at(left + width * part, y)
            engines.add(shown.backend)
            yield from driver.redraw()
            yield from driver.shot(f"preferences_{shown.backend.lower()}")
            yield from going.go()
    report["engines"] = sorted(engines)
    report["changed"]["preferences"] = going.done
    report["failed"] += [f"preferences: {each}" for each in going.failed]
