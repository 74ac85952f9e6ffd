"""Keep as Rig and Keep on Armature, by real clicks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
DEV = ROOT.parent / "shared/bench/dev"
# Folders of results, as `motion324 batch --release ROOT` leaves them in given_mesh, and the example's as `shiba`.
RESULTS = Path(os.environ.get("MOTION324_TEST_RESULTS", ""))


def test_the_dog_gets_a_rig_and_a_second_take_on_its_bones(tell_fast, tmp_path):
    with np.load(ROOT / "examples/shiba_truth.npz") as arrays:
        truth = arrays["positions"]
    np.save(tmp_path / "dance.npy", _z_up(truth[::3]))
    files = {"mesh": ROOT / "examples/shiba.glb", "trajectory": tmp_path / "dance.npy"}
    report = tell_fast("bones", screen=(1600, 1200), files=files)
    assert len(report["bones"]) == report["asked"] and report["bones"][0] == "root"
    assert max(report["errors"]) < 0.006
    assert report["keyed"] == 21 and report["undone"] == 1  # one undo brings the first take's keys back


@pytest.mark.parametrize("clip", ["shiba", "fox_gallop", "george_dance", "triceratops_walk"])
def test_the_result_of_a_clip_is_kept_on_made_bones_and_on_others(clip, tell_fast, tmp_path):
    if not (RESULTS / clip / "trajectory.npz").exists() or not DEV.exists():
        pytest.skip("MOTION324_TEST_RESULTS names no folder with results of the example and of dev clips")
    with np.load(RESULTS / clip / "trajectory.npz") as arrays:
        np.save(tmp_path / "result.npy", _z_up(arrays["positions"]))
    np.save(tmp_path / "truth.npy", _z_up(_truth(clip)))
    mesh = ROOT / "examples/shiba.glb" if clip == "shiba" else DEV / f"glbs/{clip}.glb"
    files = {"mesh": mesh, "result": tmp_path / "result.npy", "truth": tmp_path / "truth.npy"}
    report = tell_fast("bones_of_clip", screen=(1280, 960), files=files, keep_as=f"bones_of_{clip}")
    made, artist, keyed = report["errors"]
    assert made < 0.006 and artist < 0.006 and keyed < 0.01
    assert report["bones"][0][0] == "root" and report["bones"][1] == report["bones"][2]


def _truth(clip: str) -> np.ndarray:
    if clip == "shiba":
        with np.load(ROOT / "examples/shiba_truth.npz") as arrays:
            return arrays["positions"]
    folder = next(DEV.glob(f"pcds/{clip}_*"))
    return np.stack([np.load(file) for file in sorted(folder.glob("frame_*.npy"))])


def _z_up(positions: np.ndarray) -> np.ndarray:
    """As Blender turns what it imports from a GLB."""
    return np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1).astype(np.float32)
