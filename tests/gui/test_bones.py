"""Keep as Rig and Keep on Armature, by real clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]


def test_the_dog_gets_a_rig_and_a_second_take_on_its_bones(tell_fast, tmp_path):
    with np.load(ROOT / "examples/shiba_truth.npz") as arrays:
        truth = arrays["positions"]
    z_up = np.stack([truth[..., 0], -truth[..., 2], truth[..., 1]], axis=-1).astype(np.float32)
    np.save(tmp_path / "dance.npy", z_up[::3])
    files = {"mesh": ROOT / "examples/shiba.glb", "trajectory": tmp_path / "dance.npy"}
    report = tell_fast("bones", screen=(1600, 1200), files=files)
    assert len(report["bones"]) == report["asked"] and report["bones"][0] == "root"
    assert max(report["errors"]) < 0.006
    assert report["keyed"] == 21 and report["undone"] == 1  # one undo brings the first take's keys back
