"""What Blender, which has its add-ons imported and registered whenever it starts, waits for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REGISTER = """
import gc, json, os, sys
import bpy
before = set(sys.modules)
sys.path[:0] = sys.argv[1:]
import motion324_addon
motion324_addon.register()
print(json.dumps([gc.isenabled(), sorted(set(sys.modules) - before)]), flush=True)
os._exit(0)  # Blender as a module does not always end well with an add-on in it
"""


def test_nothing_is_imported_that_only_a_job_needs_and_garbage_is_collected_again():
    command = [sys.executable, "-c", REGISTER, ROOT, ROOT / "backend"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    collects, imported = json.loads(done.stdout.splitlines()[-1])
    assert collects
    assert "motion324_addon.panels.animate" in imported
    assert not [name for name in imported if name.startswith(("motion324.wire", "motion324.client."))]
    assert not set(imported) & {
        "urllib.request",
        "importlib.metadata",
        "http.client",
        "logging.handlers",
        "safetensors",
    }
