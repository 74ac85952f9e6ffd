"""Clips of rigs on disk are a whole release: what evaluation, the pipeline's readers and the cameras expect."""

from __future__ import annotations

import json

import numpy as np
import pytest
from training_rig import write_rigs

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is not installed here")

from motion324.core.errors import EXIT_BAD_MESH  # noqa: E402
from motion324.core.progress import silent  # noqa: E402
from motion324.core.view import View  # noqa: E402
from motion324.evaluation.release import read_release  # noqa: E402
from motion324.mesh.files.reading import read_mesh  # noqa: E402
from motion324.training.rig_release import RigReleaseOptions, main, write_rig_release  # noqa: E402
from motion324.video.decoding import read_video  # noqa: E402

FRAMES, SIZE = 4, 64


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rig_release")
    rigs = write_rigs(folder / "rigs", ["a__one", "b__two"])
    options = RigReleaseOptions(rigs, folder / "release", clips=2, frames=FRAMES, size=SIZE)
    return folder / "release", write_rig_release(options, ["a__one", "b__two"])


def masks_of(root, name):
    with np.load(root / "masks" / f"{name}.npz") as file:
        shape = tuple(file["shape"])
        return np.unpackbits(file["packed"], axis=1)[:, : shape[1] * shape[2]].reshape(shape).astype(bool)


def test_every_clip_has_truth_mesh_pictures_and_video(release):
    root, names = release
    clips = read_release(root)
    assert [clip.name for clip in clips] == names == ["a__one_0", "a__one_1", "b__two_0", "b__two_1"]
    for clip in clips:
        truth, mesh = clip.read_truth(), read_mesh(clip.mesh)
        assert truth.positions.shape == (FRAMES, len(mesh.positions), 3)
        assert np.allclose(truth.positions[0], mesh.positions, atol=1e-6)
        assert np.array_equal(truth.faces, mesh.faces)
        assert np.ptp(truth.positions[0], axis=0).max() == pytest.approx(1, abs=1e-4)
        assert len(list(clip.images.glob("*.jpg"))) == FRAMES
        assert read_video(clip.video_file, (None, None, 1), silent).frames.shape == (FRAMES, SIZE, SIZE, 3)
        assert clip.fps == 12


def test_masks_lie_where_the_camera_sees_the_truth(release):
    root, names = release
    for name in names:
        camera = json.loads((root / "meta" / f"{name}.json").read_text())
        pose = camera["camera"]
        view = View(np.array(pose["rotation"]), np.array(pose["translation"]), camera["focal"], (0.5, 0.5))
        masks = masks_of(root, name)
        for index, mask in enumerate(masks):
            positions = np.load(root / "pcds" / f"{name}_pointclouds" / f"frame_{index:04d}.npy")
            pixels, _ = view.project(positions, SIZE, SIZE)
            assert (pixels > 0).all() and (pixels < SIZE).all(), "the object leaves the picture"
            rows, columns = np.nonzero(mask)
            seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            expected = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
            assert np.abs(seen - expected).max() < 1.6


def test_a_folder_without_rigs_is_an_exit_code_and_a_sentence(tmp_path, capsys):
    assert main(["--rigs", str(tmp_path), "--out", str(tmp_path / "out")]) == EXIT_BAD_MESH
    assert str(tmp_path) in capsys.readouterr().err
