"""Blender's real window on a screen that nobody sees: tells stories in it, and brings back reports and pictures.

It runs in the root that ../shared/tools/blender_gui sets up (see the README there). What a story needs of this machine
is bound into that root for as long as it runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY.parent / "shared/tools/blender_gui"
ROOT = Path(os.environ.get("BLENDER_ROOT") or Path.home() / ".cache/blender-trixie")
HOME = Path("/home/artist")  # where stories find their files, inside the root: pictures show this path
SCREEN = (1600, 1000)
LIMIT = 3600  # seconds that a story may take, also beside other programs


def missing() -> str:
    """Why there is no window here; "" where there is one."""
    if not (TOOL / "run.sh").exists():
        return "the tool that gives a real Blender window, ../shared/tools/blender_gui, is not there"
    if not (ROOT / "usr/bin/blender").exists():
        return f"{TOOL / 'setup.sh'} has not been run: there is no Blender in {ROOT}"
    if os.geteuid() != 0:
        return "the window's root is entered with chroot, which only root may do"
    return ""


def tell(
    story: str,
    arguments: dict,
    files: list[Path],
    pythons: list[Path],
    screen: tuple[int, int] = SCREEN,
    environment: dict[str, str] | None = None,
) -> tuple[dict, Path]:
    """Runs tests/gui/inside/STORY.py in a fresh Blender; returns its report, and the folder with its pictures.

    arguments: of the story; "{files}" in them becomes the folder of `files` inside. pythons: interpreters whose
    environments the story may start programs of. environment: further variables for Blender.
    """
    exchange = ROOT / "exchange" / f"gui-{story}"
    shutil.rmtree(exchange, ignore_errors=True)
    shutil.copytree(
        Path(__file__).with_name("inside"), exchange / "inside", ignore=shutil.ignore_patterns("__pycache__")
    )
    (exchange / "blender").mkdir()
    for file in files:
        if file.is_dir():
            shutil.copytree(file, exchange / file.name)
        else:
            shutil.copy2(file, exchange)
    given = json.loads(json.dumps(arguments).replace("{files}", str(HOME)))
    size = "{}x{}".format(*screen)
    variables = {"BLENDER_USER_RESOURCES": f"{HOME}/blender", **(environment or {})}
    command = [str(TOOL / "run.sh"), "env", *(f"{name}={value}" for name, value in variables.items())]
    command += ["xvfb-run", "-a", "-s", f"-screen 0 {size}x24", "blender", "--factory-startup"]
    command += ["--window-geometry", "0", "0", *map(str, screen), "--python-exit-code", "3"]
    command += ["--python", f"{HOME}/inside/main.py", "--", story, str(HOME), json.dumps(given)]
    folders = [REPOSITORY, *(folder for python in pythons for folder in homes(python))]
    with alone(), bound(folders, {exchange: HOME}):
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    (exchange / "blender.log").write_text(done.stdout + done.stderr)
    report = exchange / "report.json"
    if not report.exists():
        return {"ok": False, "error": f"Blender ended with {done.returncode}:\n{done.stdout}{done.stderr}"}, exchange
    return json.loads(report.read_text()), exchange


def python_version() -> str:
    """Of the window's Blender, which runs on its system's Python: "3.13"."""
    code = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([str(TOOL / "run.sh"), "python3", "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One window at a time, whoever asks."""
    with (Path(tempfile.gettempdir()) / ".gui.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def homes(python: Path) -> list[Path]:
    """The folders of an interpreter's environment, of the Python that it was made from, and of an editable backend."""
    code = "import sys, importlib.util as u; print(sys.prefix, sys.base_prefix, sep='\\n');"
    code += "s = u.find_spec('motion324'); print(s.origin if s else sys.prefix)"
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    prefix, base, origin = (Path(line) for line in found.stdout.splitlines())
    if origin.is_relative_to(prefix) or origin.is_relative_to(REPOSITORY):
        return [prefix, base]
    return [prefix, base, origin.parent.parent]


def _is_mounted(place: Path) -> bool:
    """Path.is_mount does not know folders that are bound within one file system."""
    return subprocess.run(["mountpoint", "-q", str(place)]).returncode == 0


def _unmount(place: Path) -> None:
    """Also where a program of a killed story still has files there."""
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def bound(folders: list[Path], elsewhere: dict[Path, Path] | None = None) -> Iterator[None]:
    """Shows the folders at the same paths inside the root, where the root does not have them itself.

    elsewhere: folders that are shown at other paths, in place of what is there.
    """
    places = {**{folder: folder for folder in folders}, **(elsewhere or {})}
    with contextlib.ExitStack() as stack:
        for folder, inside in places.items():
            place = ROOT / inside.relative_to("/")
            if folder == inside and (folder == Path("/usr") or _is_mounted(place)):
                continue
            while _is_mounted(place):  # earlier stories were killed
                _unmount(place)
            place.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", str(folder), str(place)], check=True)
            stack.callback(_unmount, place)
        yield
