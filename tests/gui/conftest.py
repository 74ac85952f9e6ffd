"""The real window, the zip as a user gets it, and the real backend; each test says what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from addon.package_index import PackageIndex
from gui import window

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "out/gui"
WHEELS = PICTURES / "wheels"  # kept between runs: 210 MB
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64")
WOBBLING = ROOT / "tests/addon/wobbling_backend.py"


@pytest.fixture(scope="session")
def gui_zip(tmp_path_factory) -> Path:
    command = [sys.executable, str(ROOT / "build_addon.py"), "--output", str(tmp_path_factory.mktemp("dist"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def backend() -> Path:
    """The Python that has the backend; the test is skipped where it, or the window, is not there."""
    if window.missing():
        pytest.skip(window.missing())
    named = os.environ.get("MOTION324_TEST_BACKEND")
    if not named:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test-all` sets it")
    return Path(named).absolute()


@pytest.fixture
def tell(gui_zip) -> Callable[..., dict]:
    """tell("story", mesh="{files}/shiba.glb") -> the report of tests/gui/inside/story.py; its pictures: out/gui/.

    backend: the Python of one that the story may start. files: more that it needs, also folders.
    """
    if window.missing():
        pytest.skip(window.missing())

    def run(
        story: str,
        keep_as: str = "",
        screen: tuple[int, int] = window.SCREEN,
        environment: dict[str, str] | None = None,
        backend: Path | None = None,
        files: Sequence[Path] = (),
        **arguments: object,
    ) -> dict:
        all_files = [gui_zip, ROOT / "examples/shiba.glb", ROOT / "examples/shiba.mp4", *files]
        given = {"zip_path": f"{{files}}/{gui_zip.name}", **arguments}
        if backend:
            given["backend"] = str(backend)
        report, folder = window.tell(story, given, all_files, [backend] if backend else [], screen, environment)
        return _checked(report, folder, keep_as or story)

    return run


@pytest.fixture
def tell_fast(gui_zip, backend, tmp_path) -> Callable[..., dict]:
    """tell_fast(story, frames=256, ...) tells a story with a backend whose jobs take no time of their own.

    files, values: more of the story's arguments, which are files, or are not.
    """

    def run(
        story: str,
        screen: tuple[int, int] = (640, 480),
        files: Mapping[str, Path] | None = None,
        keep_as: str = "",
        values: Mapping[str, object] | None = None,
        **wish: object,
    ) -> dict:
        launcher, video = tmp_path / "python", tmp_path / "wish.json"
        own = f"PYTHONPATH='{ROOT / 'backend'}'"  # the Python may be another checkout's
        launcher.write_text(f"#!/bin/sh\n{own} exec '{backend}' '{WOBBLING}' \"$@\"\n")
        launcher.chmod(0o755)
        video.write_text(json.dumps({"do": "wobble", **wish}))
        named = {"zip_path": gui_zip, "backend": launcher, "video": video, **(files or {})}
        given = {**{name: f"{{files}}/{file.name}" for name, file in named.items()}, **(values or {})}
        report, folder = window.tell(story, given, list(named.values()), [backend], screen)
        return _checked(report, folder, keep_as or story)

    return run


@pytest.fixture
def index(gui_zip, tmp_path) -> Iterator[PackageIndex]:
    """A package index on this machine with the real wheels of all that the backend needs in the window's Python."""
    if window.missing():
        pytest.skip(window.missing())
    with zipfile.ZipFile(gui_zip) as archive:
        own = next(name for name in archive.namelist() if name.startswith("wheels/motion324-"))
        wheel = archive.extract(own, tmp_path)
    WHEELS.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(WHEELS)]
    command += ["--python-version", window.python_version(), *(f"--platform={name}" for name in PLATFORMS), wheel]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"the backend's wheels cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    served = PackageIndex(WHEELS)
    yield served
    served.close()


def _checked(report: dict, folder: Path, keep_as: str) -> dict:
    """Keeps the story's pictures, and fails where the story did."""
    kept = PICTURES / keep_as
    kept.mkdir(parents=True, exist_ok=True)
    for picture in folder.glob("*.png"):
        (kept / picture.name).write_bytes(picture.read_bytes())
    assert report["ok"], report["error"]
    return report
