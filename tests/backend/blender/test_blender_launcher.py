"""The launcher of scripts for Blender: Blender takes any SystemExit for a failure."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import motion324.blender

LAUNCHER = Path(motion324.blender.__file__).with_name("blender_launcher.py")


@pytest.fixture
def launch(monkeypatch, tmp_path):
    """Runs a script as Blender's own executable does: bpy knows the executable, and little else before 4.5."""
    blender = ModuleType("bpy")
    blender.app = SimpleNamespace(binary_path="/usr/bin/blender")
    monkeypatch.setitem(sys.modules, "bpy", blender)

    def run(text, *arguments):
        script = tmp_path / "script.py"
        script.write_text(text)
        monkeypatch.setattr(sys, "argv", ["blender", "--python", str(LAUNCHER), "--", str(script), *arguments])
        runpy.run_path(str(LAUNCHER), run_name="__main__")

    return run


def test_a_script_that_goes_well_gets_its_arguments_and_raises_nothing(launch, capsys):
    launch("def main(a, b):\n    print(a, b)\n", "one", "2")
    assert capsys.readouterr().out == "one 2\n"


def test_a_script_that_fails_says_why_and_ends_with_code_3(launch, capsys):
    with pytest.raises(SystemExit) as ended:
        launch("def main():\n    raise RuntimeError('Error: no mesh in it')\n")
    assert ended.value.code == 3
    assert capsys.readouterr().err == "motion324-error: no mesh in it\n"


def test_an_operator_that_fails_is_told_without_the_line_of_code(launch, capsys):
    said = "Error: Python: Traceback (most recent call last):\\nOSError: [Errno 28] No space\\nLocation: ops.py:109\\n"
    with pytest.raises(SystemExit):
        launch(f"def main():\n    raise RuntimeError('{said}')\n")
    assert capsys.readouterr().err == "motion324-error: OSError: [Errno 28] No space\n"
