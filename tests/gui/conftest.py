"""The real window, the zip as a user gets it, and the real backend; each test says what it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gui import window

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "out/gui"


@pytest.fixture(scope="session")
def gui_zip(tmp_path_factory) -> Path:
    command = [sys.executable, str(ROOT / "build_addon.py"), "--output", str(tmp_path_factory.mktemp("dist"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def tell(gui_zip):
    """tell("story", mesh="{files}/shiba.glb") -> the report of tests/gui/inside/story.py; its pictures: out/gui/."""
    if window.missing():
        pytest.skip(window.missing())
    backend = os.environ.get("MOTION324_TEST_BACKEND")
    if not backend:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test-all` sets it")

    def run(story: str, keep_as: str = "", screen: tuple[int, int] = window.SCREEN, **arguments: object) -> dict:
        files = [gui_zip, ROOT / "examples/shiba.glb", ROOT / "examples/shiba.mp4"]
        given = {"zip_path": f"{{files}}/{gui_zip.name}", "backend": str(Path(backend).absolute()), **arguments}
        report, folder = window.tell(story, given, files, [Path(backend).absolute()], screen)
        kept = PICTURES / (keep_as or story)
        kept.mkdir(parents=True, exist_ok=True)
        for picture in folder.glob("*.png"):
            (kept / picture.name).write_bytes(picture.read_bytes())
        assert report["ok"], report["error"]
        return report

    return run
