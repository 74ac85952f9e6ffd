"""What several backend tests need."""

from __future__ import annotations

import contextlib
import resource
import signal

import numpy as np
import pytest

from motion324.mesh.reference_mesh import ReferenceMesh
from motion324.video.clip import VideoClip


@pytest.fixture
def full_disk():
    """A context in which no file of this process can grow beyond `limit` bytes, much as on a disk that is full."""

    @contextlib.contextmanager
    def limited(limit: int = 512):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited


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
