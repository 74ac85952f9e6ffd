"""The real zip, built and installed into a Blender user folder of its own, before anything else is tested."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from full_disk import full_disk  # noqa: F401  a fixture
from made_once import made_once

ROOT = Path(__file__).resolve().parents[2]
# Before bpy is imported: it reads this only then. Ends with the session, by the fixture `installed`.
_USER_FOLDER = tempfile.TemporaryDirectory(prefix="motion324-blender-user-")
os.environ["BLENDER_USER_RESOURCES"] = _USER_FOLDER.name
os.environ.pop("MOTION324_BACKEND_PYTHON", None)

bpy = pytest.importorskip("bpy", reason="the add-on's tests need a Python with bpy: .venv-blender/bin/python")
PACKAGE = "bl_ext.user_default.motion324"
_EXIT_STATUS = pytest.StashKey[int]()


def pytest_sessionfinish(session, exitstatus) -> None:
    session.config.stash[_EXIT_STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config) -> None:
    """Leaves at once: Blender as a module can wait for its own threads for ever when Python ends."""
    if _EXIT_STATUS in config.stash:
        _USER_FOLDER.cleanup()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[_EXIT_STATUS])


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory) -> Path:
    """Built as a user builds it."""

    def build(folder: Path) -> None:
        command = [sys.executable, str(ROOT / "build_addon.py"), "--output", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    (built,) = made_once(tmp_path_factory, "dist", build).glob("*.zip")
    return built


@pytest.fixture(scope="session")
def installed(extension_zip) -> str:
    """The extension, installed and switched on in this Blender and saved in its preferences; its package's name."""
    bpy.ops.extensions.package_install_files(filepath=str(extension_zip), repo="user_default", enable_on_install=True)
    assert PACKAGE in bpy.context.preferences.addons
    bpy.ops.wm.save_userpref()
    yield PACKAGE
    bpy.ops.preferences.addon_disable(module=PACKAGE)
    _USER_FOLDER.cleanup()


@pytest.fixture
def addon(installed):
    """addon("scene.playing.timing") is that module of the installed extension; the scene is empty, no job is known."""
    runner = importlib.import_module(f"{installed}.job.runner").runner
    runner.forget_all()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield lambda name: importlib.import_module(f"{installed}.{name}")
    runner.forget_all()


@pytest.fixture(scope="session")
def backend_python(installed, tmp_path_factory) -> Path:
    """Takes the place of the backend's Python, and runs the tests' backend whatever it is told to run."""
    wheels = next(Path(path) for path in sys.path if path.endswith("site-packages") and "extensions" in path)
    launcher = tmp_path_factory.mktemp("backend") / "python"
    script = Path(__file__).with_name("wobbling_backend.py")
    launcher.write_text(f"#!/bin/sh\nPYTHONPATH='{wheels}' exec '{sys.executable}' '{script}' \"$@\"\n")
    launcher.chmod(0o755)
    return launcher


@pytest.fixture
def backend(addon, backend_python, monkeypatch):
    """The tests' backend, as the one that the user chose."""
    monkeypatch.setenv("MOTION324_BACKEND_PYTHON", str(backend_python))
    return addon("job.backend")


@pytest.fixture
def video(tmp_path):
    """video(do="wobble", frames=8, ...) is a file that tells the tests' backend what to do."""

    def write(**wish: object) -> Path:
        path = tmp_path / f"video{len(list(tmp_path.glob('video*')))}.json"
        path.write_text(json.dumps({"do": "wobble", **wish}))
        return path

    return write
