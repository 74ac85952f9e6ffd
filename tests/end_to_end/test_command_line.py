"""`motion324 animate` with the reconstructor that people get: it recovers motion and leaves its files."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from end_to_end.accuracy import share_of_still_error
from end_to_end.conftest import QUICK

from motion324.core.files.point_cache import read_pc2
from motion324.core.files.trajectory_file import load_trajectory


def test_it_recovers_the_motion_with_everything_found_by_itself(animated, bending):
    trajectory = load_trajectory(animated.output / "trajectory.npz")
    assert trajectory.positions.shape == bending.truth.shape
    np.testing.assert_array_equal(trajectory.positions[0], bending.truth[0])
    assert share_of_still_error(trajectory.positions, bending.truth) < 0.6
    assert animated.summary["report"]["silhouette_overlap"] > 0.9
    assert animated.summary["report"]["view"]["azimuth"] == pytest.approx(40, abs=3)


def test_it_leaves_every_file_whole(animated):
    names = {"trajectory.npz", "animation.pc2", "report.json", "overlay.mp4"}
    names |= {"cutout_black.mp4", "cutout_white.mp4", "mask.mp4"}
    assert {path.name for path in animated.output.iterdir()} == names
    trajectory = load_trajectory(animated.output / "trajectory.npz")
    np.testing.assert_array_equal(read_pc2(animated.output / "animation.pc2").positions, trajectory.positions)
    for path in animated.output.glob("*.mp4"):
        assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) == len(trajectory.positions)
    report = json.loads((animated.output / "report.json").read_text("utf-8"))
    assert {"read", "foreground", "view", "reconstruct", "smooth", "write", "total"} <= set(report["seconds"])


def test_progress_is_plain_lines_where_nobody_watches(motion324, bending, tmp_path):
    done = motion324("animate", bending.mesh, bending.video, "-o", tmp_path, "--view", "40,15", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "\r" not in done.stderr
    assert "Reconstructing" in done.stderr
    assert done.stdout.startswith("4 frames of 616 vertices")
