"""What several backend tests need."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from full_disk import full_disk  # noqa: F401  a fixture
from wire_harness import backend

from motion324.client import Client
from motion324.core.clip import VideoClip
from motion324.core.reference_mesh import ReferenceMesh


@pytest.fixture(scope="module")
def one_torch_thread():
    """Tiny networks are far slower on several threads of a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def box():
    """A box of 1 x 2 x 3 units, away from the origin; 8 vertices, 12 triangles."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 2) for z in (0, 3)], np.float32) + np.float32([5, 6, 7])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))], np.int32)
    return ReferenceMesh(corners, faces, np.zeros(len(faces), np.int32), name="box")


@pytest.fixture
def sliding_square():
    """12 frames of a red square that slides to the right on white."""
    frames = np.full((12, 64, 96, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        frame[20:44, 20 + 2 * index : 44 + 2 * index] = (200, 30, 20)
    return VideoClip(frames, fps=12.0, frame_numbers=np.arange(12), name="slide.mp4")


@pytest.fixture
def files(tmp_path, box, sliding_square):
    """A folder with box.obj and slide/, a folder of images."""
    lines = [f"v {x} {y} {z}" for x, y, z in box.positions] + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in box.faces]
    (tmp_path / "box.obj").write_text("\n".join(lines))
    (tmp_path / "slide").mkdir()
    for index, frame in enumerate(sliding_square.frames):
        cv2.imwrite(str(tmp_path / "slide" / f"{index}.png"), frame[..., ::-1])
    return tmp_path


@pytest.fixture(scope="session")
def blender() -> Path:
    """A Python with bpy: the Makefile's, else what MOTION324_BLENDER names."""
    beside = Path(__file__).resolve().parents[2] / ".venv-blender" / "bin" / "python"
    named = Path(os.environ.get("MOTION324_BLENDER", ""))
    found = next((python for python in (beside, named) if python.is_file()), None)
    if found is None or not found.stem.startswith("python"):
        pytest.skip("no Python with bpy: run `make` first, or set MOTION324_BLENDER")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The tests' backend as a process of its own."""
    with backend(tmp_path_factory.mktemp("backend")) as running:
        yield running


@pytest.fixture
def client(server):
    with Client.connect(server.endpoint, program="tests") as connected:
        yield connected
