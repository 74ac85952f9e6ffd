"""A reconstructor and a view search that need no thought, for tests of everything around them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from motion324.core.view import View, look_at_origin
from motion324.reconstructors.interface import FrameBatch

STEP = 0.05  # normalised units along x from one frame to the next


@dataclass(frozen=True)
class FakeMatch:
    view: View
    overlap: float


class FakeReconstructor:
    """Moves the mesh by STEP a frame along x: first half as far as a preview, then whole; in batches of 5 frames.

    Scenes that it was given are kept in `scenes`.
    leave_out: a frame that it forgets. break_at: a frame whose positions are not finite. pause: seconds of each batch.
    expected_error: of all positions; None: it cannot tell.
    """

    name = "fake"
    trembles = True

    def __init__(self, leave_out=None, break_at=None, pause=0.0, expected_error=None):
        self.scenes = []
        self.expected_error = expected_error
        self.leave_out, self.break_at, self.pause = leave_out, break_at, pause

    def check_job(self, frames, vertices):
        pass

    def details(self):
        return {"step": STEP}

    def reconstruct(self, scene, progress):
        self.scenes.append(scene)
        count = len(scene.frames)
        progress("load", 0, 1)
        progress("warm-up", 0, 1)
        for stage, share, final in (("reconstruct", 0.5, False), ("refine", 1.0, True)):
            for first in range(0, count, 5):
                progress(stage, first, count)
                time.sleep(self.pause)
                indices = np.array([i for i in range(first, min(first + 5, count)) if i != self.leave_out])
                moved = np.repeat(scene.mesh.positions[None], len(indices), axis=0)
                moved[..., 0] += share * STEP * indices[:, None]
                moved[indices == self.break_at, 0] = np.nan
                told = self.expected_error
                expected = None if told is None else np.full(moved.shape[:2], told, np.float32)
                yield FrameBatch(indices, moved, final, expected)


def fake_find_view(overlap=0.9):
    def find_view(mesh, frame, mask, mode, progress):
        progress("view", 1, 1)
        return FakeMatch(look_at_origin(30.0, 10.0, 3.0, 1.5), overlap)

    return find_view
