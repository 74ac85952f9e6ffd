"""Which side is to be updated, and what Blender's Python has to load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from motion324.handshake import compare_versions
from motion324.protocol import Hello

LIGHT = [
    "motion324",
    "motion324.errors",
    "motion324.options",
    "motion324.progress",
    "motion324.protocol",
    "motion324.client",
    "motion324.result",
    "motion324.point_cache",
    "motion324.write_aside",
    "motion324.trajectories.trajectory_file",
    "motion324.mesh",
    "motion324.mesh.reference_mesh",
    "motion324.mesh.normalisation",
    "motion324.mesh.topology",
    "motion324.mesh.view",
    "motion324.video",
    "motion324.video.clip",
    "motion324.video.image_files",
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
    for module in ("motion324.server'", "motion324.job_queue", "motion324.reconstructors", "motion324.pipeline"):
        assert module not in done.stdout
