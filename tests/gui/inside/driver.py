"""Works Blender's real window with a real mouse and keyboard; runs inside Blender, from a timer.

Everything that takes time is a generator that yields the seconds to wait, so that Blender goes on in between:

    yield from driver.click("motion324.animate")

A widget is found by moving the mouse over the sidebar until Blender itself says that the pointer is over a property of
that name, or over a button that calls that operator.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

Wait = Iterator[float]
# Seconds that Blender needs to notice where the mouse is, and pixels between two places at which it is asked, at scale
# 1; a widget is 20 pixels high. More patient and closer where it was not found before.
SETTLE = ((0.05, 16), (0.15, 9))
PATIENT = (0.15, 0.3, 0.6, 1.0)  # the same where it is most likely, since another search takes half a minute
COLUMNS = (0.62, 0.3, 0.86, 0.71, 0.79, 0.93)  # of the width, where widgets are looked for; the last four: icons
IN_POPOVERS = (0.75, 0.55)  # the same of a popover's width
SETTLE_IN_POPOVERS = ((0.4, 11),)  # who passes the widget leaves the popover, which closes


class NotFound(AssertionError):
    """The sidebar has no such widget, or it is grey."""


class Driver:
    """folder: where pictures go. scale: of the interface. clicks: of the mouse so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clicks = 0
        self._found: dict[str, tuple[int, int]] = {}
        self._last = 0  # the height at which a widget was found last
        self._searched = ("VIEW_3D", "UI")  # the area and its region in which widgets are looked for
        self._box: tuple[int, int, int, int] | None = None  # left, right, lower, upper: of a popover, in their place

    # Where things are. All coordinates are Blender's: pixels from the window's lower left corner.

    @property
    def window(self) -> bpy.types.Window:
        return bpy.context.window_manager.windows[0]

    @property
    def area(self) -> bpy.types.Area:
        return self.area_of("VIEW_3D")

    def area_of(self, kind: str) -> bpy.types.Area:
        area = self.shown(kind)
        assert area is not None, f"the window shows no {kind}"
        return area

    def shown(self, kind: str) -> bpy.types.Area | None:
        return next((area for area in self.window.screen.areas if area.type == kind), None)

    @property
    def sidebar(self) -> bpy.types.Region:
        return next(region for region in self.area.regions if region.type == "UI")

    @property
    def scale(self) -> float:
        return bpy.context.preferences.system.ui_scale

    @property
    def searched(self) -> bpy.types.Region:
        """Where widgets are looked for: the sidebar, but `within` another area."""
        kind, region_kind = self._searched
        return next(region for region in self.area_of(kind).regions if region.type == region_kind)

    @contextlib.contextmanager
    def within(self, kind: str, region: str = "WINDOW") -> Iterator[None]:
        """Widgets are looked for in that region of the area of that kind, and not in the sidebar."""
        before, self._searched = self._searched, (kind, region)
        self._found.clear()
        yield
        self._searched = before
        self._found.clear()

    @contextlib.contextmanager
    def within_popover(self, left: float, right: float, lower: float, upper: float) -> Iterator[None]:
        """Widgets are looked for in that box only: a popover closes when the mouse leaves it."""
        self._box = round(left), round(right), round(lower), round(upper)
        self._found.clear()
        yield
        self._box = None
        self._found.clear()

    def lower_to(self, lower: float) -> None:
        """Where the popover ends now."""
        left, right, _, upper = self._box
        self._box = left, right, round(lower), upper

    def context(self):
        """The context of the sidebar, or `within` another area of that, for operators that a story calls by itself."""
        area = self.area_of(self._searched[0])
        return bpy.context.temp_override(window=self.window, area=area, region=self.searched)

    # Hands.

    def wake(self) -> Wait:
        """Gives the window the keyboard's focus, which no window manager does here."""
        _xdotool("search", "--onlyvisible", "--class", "Blender", "windowfocus")
        yield from self.move_to_viewport()
        yield 0.5

    def move(self, x: float, y: float) -> None:
        _xdotool("mousemove", round(x), round(self.window.height - y))

    def press(self, *keys: str) -> Wait:
        for key in keys:
            _xdotool("key", key)
            yield 0.2

    def type(self, text: str) -> Wait:
        _xdotool("type", "--delay", "5", text)
        yield 0.3

    def move_to_viewport(self) -> Wait:
        main = next(region for region in self.area.regions if region.type == "WINDOW")
        self.move(main.x + main.width * 0.3, main.y + main.height * 0.3)
        yield 0.1

    def find(self, name: str, column: float = COLUMNS[0]) -> Wait:
        """Puts the mouse over the widget of that property, or over the button of that operator.

        column: a part of the width, where it is looked for first; then in COLUMNS.
        """
        known = self._found.get(name)
        if known is not None:
            for settle in PATIENT:
                self.move(*known)
                yield settle
                if self._names(name):
                    return
        region = self.searched
        whole = region.x, region.x + region.width - 20 * self.scale, region.y, region.y + region.height - 4
        left, right, lower, upper = self._box or whole
        places = [column, *(each for each in COLUMNS if each != column)] if self._box is None else IN_POPOVERS
        pace = SETTLE if self._box is None else SETTLE_IN_POPOVERS
        for (settle, apart), place in itertools.product(pace, places):
            step = round(apart * self.scale)
            x = round(left + (right - left) * place)
            rows = range(upper, lower, -step)  # from where something was found last, below which most are, around
            below = next((index for index, y in enumerate(rows) if y <= self._last), 0)
            for y in (*rows[below:], *rows[:below]):
                self.window.cursor_warp(x, y)  # a program of its own for each of so many places takes far longer
                yield settle
                if self._names(name):
                    self._found[name], self._last = (x, y), y
                    return
        raise NotFound(f"no widget there is '{name}'")

    def top_of(self, name: str) -> Wait:
        """-> the height, in pixels, up to which the widget reaches: `find` looks at some rows of pixels only."""
        yield from self.find(name)
        x, y = self._found[name]
        for above in range(y + 1, y + round(60 * self.scale)):
            self.window.cursor_warp(x, above)
            yield PATIENT[0]
            if not self._names(name):
                break
        # A busy machine may not have noticed yet what was there: at the edge itself there is time.
        for edge in range(above, above - 5, -1):
            self.window.cursor_warp(x, edge)
            yield PATIENT[-1]
            if self._names(name):
                return edge
        raise NotFound(f"'{name}' has no upper edge")

    def beside(self, known: str, column: float) -> tuple[int, int]:
        """Where a widget is in the row in which `known` was found before, for `click_at`: of one that is there for a
        short while only."""
        x = self.sidebar.x + round((self.sidebar.width - 20 * self.scale) * column)
        return x, self._found[known][1]

    def click_at(self, x: float, y: float) -> Wait:
        self.move(x, y)
        yield 0.5
        _xdotool("click", "1")
        self.clicks += 1
        yield 1.0

    def drag(self, start: tuple[float, float], way: tuple[float, float], let_go: bool = True) -> Wait:
        """From a place by so many pixels, the left button held down; also after that, unless `let_go`."""
        self.move(*start)
        yield 0.5
        _xdotool("mousedown", "1")
        yield 0.5
        for part in (0.3, 0.7, 1.0):
            self.move(start[0] + way[0] * part, start[1] + way[1] * part)
            yield 0.3
        if let_go:
            yield from self.let_go()

    def let_go(self) -> Wait:
        _xdotool("mouseup", "1")
        self.clicks += 1
        yield 1.0

    def place(self, name: str) -> tuple[int, int]:
        """Where the widget was found last."""
        return self._found[name]

    def click(self, name: str, column: float = COLUMNS[0]) -> Wait:
        """Finds the widget and clicks it."""
        yield from self.find(name, column)
        _xdotool("click", "1")
        self.clicks += 1
        yield 0.3

    def turn(self, name: str, up: bool = True) -> Wait:
        """The next value of a number or of a menu, by Ctrl and the wheel over it."""
        yield from self.find(name)
        yield from self.turn_here(up)

    def turn_here(self, up: bool = True) -> Wait:
        """The same, of what is under the mouse."""
        _xdotool("keydown", "ctrl", "click", 4 if up else 5, "keyup", "ctrl")
        yield 0.3

    def enter(self, name: str, text: str) -> Wait:
        """Writes the text into the field, as a user does."""
        yield from self.find(name)
        _xdotool("click", "--repeat", "2", "--delay", "60", "1")
        self.clicks += 1
        yield 0.3
        yield from self.press("ctrl+a")
        yield from self.type(text)
        yield from self.press("Return")

    # Eyes.

    def redraw(self) -> Wait:
        for area in self.window.screen.areas:
            area.tag_redraw()
        yield 0.6

    def redraw_searched(self) -> Wait:
        """Only where widgets are looked for, which takes a processor that draws far less time."""
        self.searched.tag_redraw()
        yield 0.3

    def wait_until(self, holds: Callable[[], bool], seconds: float, what: str) -> Wait:
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, f"not within {seconds} s: {what}"
            yield 0.1

    def shot(self, name: str, only_sidebar: bool = False) -> Wait:
        """Keeps a picture of the whole window, or of the sidebar alone, as NAME.png."""
        yield from self.redraw()
        path = self.folder / f"{name}.png"
        _photograph(path)
        if only_sidebar:
            sidebar = self.sidebar
            top = self.window.height - sidebar.y - sidebar.height
            box = f"{sidebar.width}x{sidebar.height}+{sidebar.x}+{top}"
            subprocess.run(["convert", str(path), "-crop", box, "+repage", str(path)], check=True)

    def _names(self, name: str) -> bool:
        """Whether the pointer is over it now."""
        with self.context():
            hovered = bpy.context.property
            if hovered is not None:
                return hovered[1].split(".")[-1] == name
            if not bpy.ops.ui.copy_python_command_button.poll():
                return False
            bpy.context.window_manager.clipboard = ""
            bpy.ops.ui.copy_python_command_button()
            command = bpy.context.window_manager.clipboard
        operator, _, argument = name.partition("(")  # the arguments come in the order in which they are declared
        return command.removeprefix("bpy.ops.").startswith(f"{operator}(") and argument in command


def _xdotool(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True)


def _photograph(path: Path) -> None:
    # Of the screen: bpy.ops.screen.screenshot gives a black picture with software OpenGL.
    subprocess.run(["import", "-window", "root", str(path)], check=True)
