"""Which side is to be updated, and what Blender's Python has to load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from motion324.wire.handshake import compare_versions
from motion324.wire.protocol import Hello

LIGHT = [
    "motion324",
    "motion324.core.errors",
    "motion324.core.options.animate_options",
    "motion324.core.progress",
    "motion324.wire.protocol",
    "motion324.client",
    "motion324.core.result",
    "motion324.core.files.point_cache",
    "motion324.core.files.write_aside",
    "motion324.core.files.trajectory_file",
    "motion324.mesh",
    "motion324.core.reference_mesh",
    "motion324.core.reference_mesh",
    "motion324.core.reference_mesh",
    "motion324.core.view",
    "motion324.video",
    "motion324.core.clip",
    "motion324.core.files.input_files",
    "motion324.reconstructors.interface",
]
HEAVY = ["torch", "cv2", "scipy", "numba", "trimesh", "rembg", "onnxruntime", "PIL", "bpy"]


def hello(version: str, protocol: int) -> Hello:
    return Hello("a test", protocol=protocol, version=version)


@pytest.mark.parametrize(
    ("client", "backend", "remedy"),
    [
        (("0.1.0", 1), ("0.2.0", 1), "Update the Blender extension to 0.2.0"),
        (("0.10.0", 1), ("0.9.1", 1), "Update the backend to 0.10.0"),
        (("0.1.0", 1), ("0.1.0", 2), "Update the Blender extension"),
        (("0.1.0", 2), ("0.1.0", 1), "Update the backend"),
        (("0.3.0", 1), ("0.2.0", 2), "Update the Blender extension"),
        (("0.1.0+local", 1), ("0.1.0", 1), "Update the backend to 0.1.0+local"),
    ],
)
def test_the_older_side_is_to_be_updated(client, backend, remedy):
    error = compare_versions(client=hello(*client), backend=hello(*backend))
    assert error is not None
    assert error.code == "version-mismatch"
    assert remedy in error.hint
    assert client[0] in error.sentence
    assert backend[0] in error.sentence


def test_equal_versions_fit():
    assert compare_versions(client=hello("0.1.0", 1), backend=hello("0.1.0", 1)) is None


def test_the_light_modules_load_nothing_heavy():
    code = (
        "import importlib, sys\n"
        f"for name in {LIGHT!r}:\n"
        "    importlib.import_module(name)\n"
        f"    print(name, *sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == LIGHT


def test_the_client_needs_neither_the_server_nor_the_reconstructors():
    code = "import sys, motion324.client; print([m for m in sys.modules if m.startswith('motion324')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for module in (
        "motion324.server.server'",
        "motion324.server.job_queue",
        "motion324.reconstructors",
        "motion324.pipeline.animate",
    ):
        assert module not in done.stdout
