"""A real Blender without its window: the README's one-liner and batch, as a shell runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from gui import window

TESTS = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.long

SET_UP = """
import bpy
bpy.ops.extensions.package_install_files(filepath={zip!r}, repo='user_default', enable_on_install=True)
bpy.ops.wm.save_userpref()
bpy.ops.mesh.primitive_uv_sphere_add()
bpy.ops.wm.save_as_mainfile(filepath={scene!r})
"""
ANIMATE = """
import bpy
bpy.ops.motion324.animate(video='//wish.json', keep='SHAPE_KEYS', start_frame=3)
bpy.ops.wm.save_mainfile()
"""
LOOK = """
import bpy
print('KEYS', [len(keys.key_blocks) for keys in bpy.data.shape_keys])
"""


@pytest.fixture
def blender(gui_zip):
    """blender(*arguments) is `blender -b ...`, where FOLDER stands for blender.folder, which both sides see."""
    if window.missing():
        pytest.skip(window.missing())
    backend = os.environ.get("MOTION324_TEST_BACKEND")
    if not backend:
        pytest.skip("MOTION324_TEST_BACKEND names no Python that has the backend; `make test-all` sets it")
    python = Path(backend).absolute()
    exchange = window.ROOT / "exchange/gui-background"
    shutil.rmtree(exchange, ignore_errors=True)
    exchange.mkdir(parents=True)
    shutil.copy2(gui_zip, exchange)
    launcher = exchange / "python"
    launcher.write_text(f"#!/bin/sh\nexec '{python}' '{TESTS / 'addon/wobbling_backend.py'}' \"$@\"\n")
    launcher.chmod(0o755)
    inside = Path("/exchange") / exchange.name

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [str(window.TOOL / "run.sh"), "env", f"BLENDER_USER_RESOURCES={inside}/user"]
        command += [f"MOTION324_BACKEND_PYTHON={inside}/python", "blender", "-b"]
        command += [argument.replace("FOLDER", str(inside)) for argument in arguments]
        with window.alone(), window.bound([window.REPOSITORY, *window.homes(python)]):
            return subprocess.run(command, capture_output=True, text=True, timeout=300)

    run.folder = exchange
    done = run(*python_code(SET_UP.format(zip=f"FOLDER/{gui_zip.name}", scene="FOLDER/scene.blend")))
    assert done.returncode == 0, done.stdout + done.stderr
    return run


def python_code(code: str) -> list[str]:
    return ["--python-exit-code", "3", "--python-expr", code.strip().replace("\n", "; ")]


def test_the_operator_waits_tells_its_progress_on_stderr_and_keeps_the_result(blender):
    (blender.folder / "wish.json").write_text(json.dumps({"do": "wobble", "frames": 6, "pause": 0.1}))
    done = blender("FOLDER/scene.blend", *python_code(ANIMATE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Reconstructing" in done.stderr and "Reconstructing" not in done.stdout
    assert "KEYS [7]" in blender("FOLDER/scene.blend", *python_code(LOOK)).stdout

    (blender.folder / "wish.json").write_text(json.dumps({"do": "fail"}))
    done = blender("FOLDER/scene.blend", *python_code(ANIMATE))
    assert done.returncode == 3 and "shows nothing that moves. Choose another video" in done.stderr


def test_a_batch_ends_with_0_where_all_went_well_and_else_with_1(blender):
    script = "FOLDER/user/extensions/user_default/motion324/headless.py"
    batch = ["FOLDER/scene.blend", "--python", script, "--", "FOLDER/jobs.jsonl"]
    wish, jobs = blender.folder / "wish.json", blender.folder / "jobs.jsonl"
    jobs.write_text(json.dumps({"mesh": "Sphere", "video": "wish.json", "outputs": {"blend": "out.blend"}}))
    wish.write_text(json.dumps({"do": "fail"}))
    done = blender(*batch)
    assert done.returncode == 1 and "shows nothing that moves" in done.stderr, done.stdout + done.stderr
    wish.write_text(json.dumps({"do": "wobble", "frames": 4}))
    done = blender("--python-exit-code", "3", *batch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "KEYS [5]" in blender("FOLDER/out.blend", *python_code(LOOK)).stdout
