"""Tells one story in Blender's window, and quits: `blender --python main.py -- STORY FOLDER ARGUMENTS-AS-JSON`.

Leaves FOLDER/report.json: what the story returned, or the traceback of what went wrong, with a picture of that moment.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))

from driver import Driver


def tell(story: str, folder: Path, arguments: dict) -> Iterator[float]:
    driver = Driver(folder)
    report: dict = {}
    try:
        yield from driver.wake()
        result = yield from importlib.import_module(story).story(driver, **arguments)
        report = {"ok": True, **(result or {})}
    except BaseException:
        report = {"ok": False, "error": traceback.format_exc()}
        yield from driver.shot("failed")
    finally:
        (folder / "report.json").write_text(json.dumps(report, indent=1))
        bpy.ops.wm.quit_blender()


def main() -> None:
    preferences = bpy.context.preferences  # set before the window opens
    preferences.view.show_splash = False
    preferences.view.filebrowser_display_type = "SCREEN"  # no second window: there is no window manager to place it
    preferences.use_preferences_save = False
    story, folder, arguments = sys.argv[sys.argv.index("--") + 1 :]
    plan = tell(story, Path(folder), json.loads(arguments))
    bpy.app.timers.register(lambda: next(plan, None), first_interval=2.0, persistent=True)


main()
