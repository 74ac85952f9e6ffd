"""Scores of the videos that `motion324 render` makes: which count, and which metrics are left out."""

from __future__ import annotations

import dataclasses
import os
import sys

import numpy as np
import pytest
from creature import creature, film, waving
from small_release import write_frames, write_release

from motion324.cli.main import main
from motion324.core.errors import EXIT_OK, EXIT_USAGE, Cancelled, Motion324Error
from motion324.evaluation.alignment import Alignment
from motion324.evaluation.comparison import compare
from motion324.evaluation.evaluate import evaluate
from motion324.evaluation.mesh_sequence import Similarity
from motion324.evaluation.results import read_json, table_lines, write_json
from motion324.evaluation.video import judges
from motion324.evaluation.video.video_scores import with_video_scores
from motion324.rendering.comparison_videos import recorded_pairs, write_record
from motion324.rendering.result_videos import Look
from motion324.video.writing import VideoFile
from motion324.weights.metric_networks import DREAMSIM, clip_network


@pytest.fixture(scope="module")
def pictures():
    return film(creature(), waving(creature(), 4), size=128)[0]


def write_renders(root, name, truth, prediction, azimuths=(0.0,)):
    """root/renders/NAME of the prediction root/predictions/NAME, from pictures (T, H, W, 3) of both sides."""
    folder = root / "renders" / name
    folder.mkdir(parents=True, exist_ok=True)
    for side, frames in (("truth", truth), ("prediction", prediction)):
        for azimuth in azimuths:
            with VideoFile(folder / f"{side}_{azimuth:03.0f}.mp4", 16) as video:
                for frame in frames:
                    video.write(frame)
    write_record(folder, root / "predictions" / name, Look(128, azimuths), Alignment(Similarity(), 0.0))


def evaluated(root, names):
    """Of predictions that are the truth."""
    for name, truth in write_release(root / "release", names).items():
        write_frames(root / "predictions" / name, truth, creature().faces)
    return evaluate(root / "release", root / "predictions", samples=200)


def test_metric_that_cannot_run_leaves_the_others_alone(monkeypatch, tmp_path, pictures):
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path / "none"))
    found = evaluated(tmp_path, ("one", "two"))
    write_renders(tmp_path, "one", pictures, pictures[::-1], (0.0, 90.0))
    found = with_video_scores(found, tmp_path / "renders", recorded_pairs)
    assert 10 < found.clips[0].values["psnr"] < 40 and 0.5 < found.clips[0].values["ssim"] < 1
    assert "psnr" not in found.clips[1].values
    assert [problem.code for clip in found.clips for problem in clip.problems] == ["renders-missing"]
    assert "two" in found.clips[1].problems[0].sentence
    assert found.summaries["all"]["psnr"].clips == 1
    assert sorted(found.left_out) == ["clip", "dreamsim", "fvd_16", "fvd_32", "lpips_alex", "lpips_vgg"]
    said = "\n".join(table_lines(found))
    assert "LPIPS VGG is left out." in said and "PSNR" in said
    write_json(tmp_path / "found.json", found)
    assert read_json(tmp_path / "found.json").left_out == found.left_out
    with pytest.raises(Motion324Error, match="video-metrics"):
        with_video_scores(found, tmp_path / "renders", recorded_pairs, metrics=("fastness",))


def test_renders_that_cannot_be_compared_are_named_and_the_others_go_on(monkeypatch, tmp_path, pictures):
    names = ("good", "short", "broken", "alone", "stopped", "other", "azimuth")
    found = evaluated(tmp_path, names)
    for name in names:
        azimuths = (0.0, 90.0) if name == "azimuth" else (0.0,)
        write_renders(tmp_path, name, pictures, pictures[: 2 if name == "short" else 4], azimuths)
    (tmp_path / "renders" / "broken" / "truth_000.mp4").write_bytes(b"no video")
    (tmp_path / "renders" / "alone" / "prediction_000.mp4").unlink()
    (tmp_path / "renders" / "stopped" / "render.json").unlink()
    os.utime(tmp_path / "predictions" / "other" / "frame_0003.npy", (2**31, 2**31))  # changed since
    (tmp_path / "renders" / "azimuth" / "truth_090.mp4").write_bytes(b"no video")
    found = with_video_scores(found, tmp_path / "renders", recorded_pairs, metrics=("psnr",))
    problems = {clip.name: [problem.code for problem in clip.problems] for clip in found.clips}
    assert problems == {
        "good": [],
        "short": ["renders-differ"],
        "broken": ["video-unreadable"],
        "alone": ["renders-missing"],
        "stopped": ["renders-missing"],
        "other": ["renders-of-another-prediction"],
        "azimuth": ["video-unreadable"],
    }
    assert [clip.name for clip in found.clips if "psnr" in clip.values] == ["good"]
    assert "2 frames of 128 x 128" in found.clips[1].problems[0].sentence
    assert str(tmp_path / "predictions" / "other") in found.clips[5].problems[0].sentence


def test_renders_and_predictions_may_be_moved_together(tmp_path, pictures):
    evaluated(tmp_path / "before", ("one", "two"))
    write_renders(tmp_path / "before", "one", pictures, pictures)
    after = (tmp_path / "before").rename(tmp_path / "after")
    found = evaluate(after / "release", after / "predictions", samples=200, clips=("one",))
    assert with_video_scores(found, after / "renders", recorded_pairs, metrics=("psnr",)).clips[0].values["psnr"] == 100


def test_large_renders_are_measured_at_their_own_size(monkeypatch, tmp_path, pictures):
    seen = []
    monkeypatch.setattr(judges, "psnr", lambda a, b: seen.append((a.shape, b.shape)) or 1.0)
    found = evaluated(tmp_path, ("one", "two"))
    large = np.repeat(np.repeat(pictures[:2], 9, axis=1), 9, axis=2)
    write_renders(tmp_path, "one", large, large)
    with_video_scores(found, tmp_path / "renders", recorded_pairs, metrics=("psnr",))
    assert seen == [((1152, 1152, 3), (1152, 1152, 3))] * 2


class FailsLater:
    """Judges the first pictures, and then fails."""

    def __init__(self, *arguments, error=None, **options):
        self.error, self.left = error or RuntimeError("CUDA out of memory\nand so on"), 3

    def distances(self, a, b):
        self.left -= 1
        if not self.left:
            raise self.error
        return np.full(len(a), 0.5)


def test_metric_that_fails_on_a_later_clip_is_left_out_of_all(monkeypatch, tmp_path, pictures, capsys):
    monkeypatch.setattr(judges, "Lpips", FailsLater)
    names = ("one", "two", "three", "four")
    evaluated(tmp_path, names)
    for name in names:
        write_renders(tmp_path, name, pictures, pictures[::-1])
    command = ["evaluate", "--release", str(tmp_path / "release"), "--predictions", str(tmp_path / "predictions")]
    command += ["--samples", "200", "--renders", str(tmp_path / "renders"), "--video-metrics", "psnr,lpips_alex,ssim"]
    assert main([*command, "--json", str(tmp_path / "found.json")]) == EXIT_OK
    said = capsys.readouterr().out
    assert "LPIPS Alex is left out. It failed (RuntimeError: CUDA out of memory)." in said and "error/still" in said
    found = read_json(tmp_path / "found.json")
    assert all({"psnr", "ssim", "chamfer"} <= clip.values.keys() for clip in found.clips)
    assert not any("lpips_alex" in clip.values for clip in found.clips)
    assert "lpips_alex" not in found.summaries["all"]


def test_cancelling_while_a_metric_judges_is_no_failure(monkeypatch, tmp_path, pictures):
    monkeypatch.setattr(judges, "Lpips", lambda *arguments, **options: FailsLater(error=Cancelled()))
    found = evaluated(tmp_path, ("one", "two"))
    for name in ("one", "two"):
        write_renders(tmp_path, name, pictures, pictures, (0.0, 90.0))
    with pytest.raises(Cancelled):
        with_video_scores(found, tmp_path / "renders", recorded_pairs, metrics=("lpips_alex",))


class CountingI3d:
    """Features that tell how bright the first picture is; clips of 32 frames are too much for it."""

    def __init__(self, *arguments):
        self.rng = np.random.default_rng(0)

    def scores(self, clips):
        if clips.shape[1] == 32:
            raise MemoryError
        return clips.mean() + self.rng.normal(size=(1, 4))


def test_fvd_of_one_length_that_fails_leaves_the_other(monkeypatch, tmp_path, pictures, capsys):
    monkeypatch.setattr(judges, "I3d", CountingI3d)
    found = evaluated(tmp_path, ("one", "two"))
    for name in ("one", "two"):
        write_renders(tmp_path, name, np.concatenate([pictures] * 8), np.concatenate([pictures[::-1]] * 8))
    found = with_video_scores(found, tmp_path / "renders", recorded_pairs, metrics=("fvd_16", "fvd_32"))
    assert set(found.overall) == {"fvd_16"} and found.left_out == {"fvd_32": "It failed (MemoryError)."}
    assert found.settings["renders"] == str(tmp_path / "renders") and "clip_model" not in found.settings
    other = dataclasses.replace(found, overall={"fvd_16": found.overall["fvd_16"] - 1})
    (fvd,) = compare(found, other).overall
    assert (fvd.metric, fvd.difference, fvd.better) == ("fvd_16", pytest.approx(-1), "second")
    for side, evaluation in (("a", found), ("b", other)):
        write_json(tmp_path / f"{side}.json", evaluation)
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == EXIT_OK
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("FVD 16"))
    assert line.split()[-3:] == ["no", "interval", "b"]


class FlatClip:
    """CLIP similarity that is the same for all pictures."""

    def __init__(self, device, model):
        pass

    def similarities(self, a, b):
        return np.full(len(a), 0.9)


def test_similarities_by_different_clip_models_are_not_compared(monkeypatch, tmp_path, pictures):
    monkeypatch.setattr(judges, "ClipSimilarity", FlatClip)
    plain = evaluated(tmp_path, ("one", "two"))
    write_renders(tmp_path, "one", pictures, pictures)
    sides = [
        with_video_scores(plain, tmp_path / "renders", recorded_pairs, metrics=("clip",), clip_model=model)
        for model in ("ViT-L-14", "ViT-B-32")
    ]
    assert [side.settings["clip_model"] for side in sides] == ["ViT-L-14", "ViT-B-32"]
    with pytest.raises(Motion324Error, match="CLIP models differ: ViT-L-14 and ViT-B-32"):
        compare(*sides)
    assert compare(sides[0], sides[0]).clips == compare(plain, sides[0]).clips == ("one", "two")


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--video-metrics", "psnr,fastness"], "fastness"), (["--clip-model", "ViT-tiny"], "ViT-tiny"),
     (["--protocol", "fastest"], "fastest"), (["--alignment", "guess"], "guess"), (["--distances-on", "tpu"], "tpu")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["evaluate", "batch"])
def test_wrong_scoring_options_are_refused_before_the_work(tmp_path, capsys, command, options, word):
    write_release(tmp_path / "release")
    (tmp_path / "out").mkdir()
    result = ["--predictions", str(tmp_path / "out")] if command == "evaluate" else ["-o", str(tmp_path / "out")]
    given = [command, "--release", str(tmp_path / "release"), *result, "--renders", str(tmp_path), *options]
    assert main(given) == EXIT_USAGE
    said = capsys.readouterr()
    assert word in said.err and not said.out and not list((tmp_path / "out").iterdir())


def test_package_that_does_not_load_is_left_out_with_its_own_words(monkeypatch, tmp_path):
    """As with a torchvision that was built for another torch."""
    monkeypatch.setenv("MOTION324_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    for name, network in (("dreamsim", DREAMSIM), ("open_clip", clip_network("ViT-B-32"))):
        network.folder.mkdir(parents=True)
        network.record.write_text("{}")
        (tmp_path / "packages").mkdir(exist_ok=True)
        (tmp_path / "packages" / f"{name}.py").write_text("raise RuntimeError('operator nms does not exist')\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    found = evaluated(tmp_path, ("one", "two"))
    found = with_video_scores(
        found, tmp_path / "renders", recorded_pairs, metrics=("psnr", "dreamsim", "clip"), clip_model="ViT-B-32"
    )
    assert sorted(found.left_out) == ["clip", "dreamsim"]
    assert all("operator nms does not exist" in why for why in found.left_out.values())
