"""The zip: what is in it, what it brings along, and what it never does."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HEAVY = ("torch", "cv2", "trimesh", "onnxruntime", "rembg", "scipy", "numba", "skimage")


@pytest.fixture
def build():
    """build_addon.py as a module."""
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_zip_has_the_add_on_and_its_wheels_and_nothing_else(extension_zip):
    with zipfile.ZipFile(extension_zip) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    code = {path.relative_to(ROOT / "motion324_addon").as_posix() for path in (ROOT / "motion324_addon").rglob("*.py")}
    wheels = {name for name in names if name.startswith("wheels/")}
    tools = {name for name in names if name.startswith("installation/pip/pip-")}
    assert len(tools) == 1
    pages = {f"docs/{page.stem}.html" for page in (ROOT / "docs").glob("*.md")}
    pictures = {name for name in names if name.startswith("docs/images/")}
    assert pictures <= {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/images").rglob("*.*")}
    example = {"example/shiba.glb", "example/shiba.mp4"}  # what Load Example brings
    beside = wheels | tools | pages | pictures | example | {"LICENSE.md"}
    assert set(names) - beside == code | {"blender_manifest.toml"} and pages | example <= set(names)
    assert wheels == {wheel.removeprefix("./") for wheel in manifest["wheels"]}
    assert sorted(wheel.split("/")[1].split("-")[0] for wheel in wheels) == ["motion324", "safetensors"]


@pytest.mark.parametrize("website", ["", 'https://example.org/motion324?a=1&b="2"'])
def test_the_manifest_names_the_website_of_who_publishes_the_zip(build, tmp_path, website):
    stage = build.stage_extension(tmp_path / "stage", "linux-x64", [], [], website)
    manifest = tomllib.loads((stage / "blender_manifest.toml").read_text("utf-8"))
    assert manifest.get("website", "") == website and manifest["platforms"] == ["linux-x64"]


def test_our_own_wheel_holds_the_backend_and_no_tests(extension_zip, tmp_path):
    with zipfile.ZipFile(extension_zip) as archive:
        own = next(name for name in archive.namelist() if name.startswith("wheels/motion324-"))
        archive.extract(own, tmp_path)
    with zipfile.ZipFile(tmp_path / own) as wheel:
        names = wheel.namelist()
    assert {"motion324/wire/protocol.py", "motion324/client/client.py", "motion324/server/server.py"} <= set(names)
    assert not [name for name in names if "test" in name or name.endswith(".pyc")]


def test_the_add_on_imports_nothing_heavy(installed):
    code = f"import bpy, sys; bpy.ops.preferences.addon_enable(module={installed!r}); import motion324.client;"
    code += f"print('HEAVY', [name for name in {HEAVY} if name in sys.modules], hasattr(bpy.types.Scene, 'motion324'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert "HEAVY [] True" in done.stdout, done.stderr


def test_switching_the_add_on_off_leaves_nothing_registered(installed, tmp_path):
    code = f"""
import bpy
names = 'load_pre', 'load_post', 'undo_post', 'redo_post'
handlers = lambda: [len(getattr(bpy.app.handlers, name)) for name in names]
before = handlers()
for _ in range(2):
    bpy.ops.preferences.addon_enable(module={installed!r})
    bpy.ops.preferences.addon_disable(module={installed!r})
left = [name for name in dir(bpy.types) if 'motion324' in name.lower()]
print('LEFT', left, hasattr(bpy.types.Scene, 'motion324'), handlers() == before)
"""
    # In a copy of the user folder, since switching an extension off removes its wheels.
    shutil.copytree(os.environ["BLENDER_USER_RESOURCES"], tmp_path / "user")
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert "LEFT [] False True" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr


def test_every_operator_has_a_description_and_a_name_to_search_for(installed):
    import bpy

    operators = [getattr(bpy.ops.motion324, name).get_rna_type() for name in dir(bpy.ops.motion324)]
    assert len(operators) == len(importlib.import_module(f"{installed}.operators").CLASSES)
    for operator in operators:
        assert operator.name and operator.description
        for prop in operator.properties:
            given = prop.identifier in ("rna_type", "filepath", "check_existing") or prop.is_hidden
            assert given or prop.description, f"{operator.identifier}.{prop.identifier} has no tooltip"


def test_every_setting_and_every_choice_has_a_tooltip(installed):
    import bpy

    preferences = bpy.context.preferences.addons[installed].preferences
    for group in (bpy.context.scene.motion324, preferences):
        for prop in group.bl_rna.properties:
            if prop.identifier in ("rna_type", "name", "bl_idname"):
                continue
            assert prop.description, f"{prop.identifier} has no tooltip"
            for choice in getattr(prop, "enum_items", ()):
                assert choice.name and choice.description, f"{prop.identifier} > {choice.identifier} has no tooltip"


def test_operators_that_change_the_file_can_be_undone(installed):
    operators = importlib.import_module(f"{installed}.operators").CLASSES
    undone = {cls.bl_idname.partition(".")[2] for cls in operators if "UNDO" in getattr(cls, "bl_options", ())}
    changing = {
        "align_view", "keep_armature", "keep_point_cache", "keep_rig", "keep_shape_keys",
        "make_single_user", "overlay", "pick_video",
    }  # fmt: skip
    assert undone >= changing | {"add_new_mesh", "remove_animation", "take_view"}


def test_versions_that_differ_are_refused(build, tmp_path, monkeypatch):
    (tmp_path / "backend/motion324").mkdir(parents=True)
    (tmp_path / "backend/motion324/__init__.py").write_text('__version__ = "9.9.9"\n')
    (tmp_path / "blender_manifest.toml").write_text((ROOT / "blender_manifest.toml").read_text())
    assert build.check_versions()
    monkeypatch.setattr(build, "ROOT", tmp_path)
    with pytest.raises(build.BuildError, match=r"but motion324 has 9\.9\.9: make them equal"):
        build.check_versions()


def test_a_wheel_with_another_hash_is_refused(build, tmp_path, monkeypatch):
    (tmp_path / "wheels").mkdir()
    lock = (ROOT / "wheels/lock.toml").read_text()
    (tmp_path / "wheels/lock.toml").write_text(lock)
    entries = tomllib.loads(lock)
    for entry in [*entries["wheel"], *entries["tool"]]:
        (tmp_path / "wheels" / entry["file"]).write_bytes(b"something else")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    with pytest.raises(build.BuildError, match=r"not that of wheels/lock\.toml: remove it and try again"):
        build.locked_wheels("linux-x64")
    with pytest.raises(build.BuildError, match=r"wheels/pip-.*remove it and try again"):
        build.locked_wheels("linux-x64", "tool")


@pytest.mark.long
def test_every_platform_has_a_valid_zip(tmp_path):
    command = [sys.executable, str(ROOT / "build_addon.py"), "--all", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.zip"))) == 4
