"""How long a job may take, learnt from those that were done."""

from __future__ import annotations

import dataclasses
import json

import pytest


@pytest.fixture
def estimate(addon, tmp_path, monkeypatch):
    """The module, with a file of its own."""
    module = addon("job.estimate")
    monkeypatch.setattr(module, "_path", lambda: tmp_path / "durations.json")
    yield module
    module._known.pop(tmp_path / "durations.json", None)


@pytest.fixture
def options(addon):
    from motion324.core.options.animate_options import AnimateOptions

    return AnimateOptions()


def report(vertices=1000, frames=100, size=(640, 480), **seconds: float) -> dict:
    return {
        "mesh": {"vertices": vertices},
        "video": {"frames": frames, "size": list(size)},
        "seconds": {**(seconds or {"read": 2.0, "reconstruct": 30.0, "smooth": 1.0}), "total": 33.0},
    }


def test_nothing_is_said_before_the_first_job(estimate, options):
    assert estimate.estimate_seconds(1000, 100, 640 * 480, options) is None


def test_the_first_job_of_its_kind_is_guessed_by_what_it_has_to_do(estimate, options, addon):
    def guess(frames: int = 29, vertices: int = 7735, where=None, **more: object) -> float:
        size = estimate.JobSize(vertices, frames, 512 * 512)
        stages = estimate.guessed_stages(size, dataclasses.replace(options, **more), where)
        return sum(seconds for _, seconds in stages)

    assert 10 < guess() < 120
    assert guess(quality="draft") < guess() < guess(quality="fine")
    assert 1.5 * guess() < guess(frames=87) < 4 * guess()
    assert guess(frames=0) == 0
    assert guess(where=addon("job.backend").Remote("there:7324", "secret")) == 0


def test_a_job_like_an_earlier_one_takes_as_long_a_longer_one_longer(estimate, options, tmp_path):
    estimate.learn(report(), options, None)
    assert estimate.estimate_seconds(1000, 100, 640 * 480, options) == pytest.approx(33)
    assert estimate.estimate_seconds(1000, 50, 640 * 480, options) == pytest.approx(16.5)
    assert estimate.estimate_seconds(1000, 50, 0, options) == pytest.approx(16.5)
    assert estimate.estimate_seconds(1000, 0, 640 * 480, options) is None
    stages = estimate.expected_stages(estimate.JobSize(1000, 200, 0), options, None)
    assert stages == (("read", 4.0), ("reconstruct", 60.0), ("smooth", 2.0))
    estimate._known.clear()  # as in the next session
    assert estimate.estimate_seconds(1000, 100, 640 * 480, options) == pytest.approx(33)


def test_the_nearest_job_counts_and_of_equal_ones_the_newest(estimate, options):
    estimate.learn(report(reconstruct=50.0), options, None)
    estimate.learn(report(reconstruct=20.0), options, None)  # the first one had to compile
    estimate.learn(report(vertices=3000, reconstruct=90.0), options, None)
    assert estimate.estimate_seconds(1000, 100, 640 * 480, options) == pytest.approx(20)
    assert estimate.estimate_seconds(2500, 100, 640 * 480, options) == pytest.approx(90)


def test_jobs_of_another_kind_or_another_size_tell_nothing(estimate, options, addon):
    estimate.learn(report(), options, None)
    given = {"reconstructor": "motion-transformer"}, {"mask": "rembg"}, {"view": "10,20"}, {"device": "cpu"}
    for values in given:
        other = dataclasses.replace(options, **values)
        assert estimate.estimate_seconds(1000, 100, 640 * 480, other) is None
    remote = addon("job.backend").Remote("gpu:7324", "secret")
    assert estimate.estimate_seconds(1000, 100, 640 * 480, options, remote) is None
    assert estimate.estimate_seconds(1_000_000, 100, 640 * 480, options) is None


@pytest.mark.parametrize(
    ("learnt", "asked", "alike"),
    [
        ("sam2", "sam2", True),
        ("sam2", "sam2:box=0.2,0.1,0.8,0.9", True),
        ("sam2", "/masks", False),
        ("/masks", "/other masks", True),
        ("rembg:isnet-general-use", "rembg:isnet-general-use", True),
        ("rembg:isnet-general-use", "rembg", False),
        ("rembg:isnet-general-use", "/masks", False),
    ],
)
def test_ways_of_finding_masks_are_told_apart_from_masks_that_are_given(estimate, options, learnt, asked, alike):
    estimate.learn(report(), dataclasses.replace(options, mask=learnt), None)
    seconds = estimate.estimate_seconds(1000, 100, 640 * 480, dataclasses.replace(options, mask=asked))
    assert (seconds is not None) == alike


def test_what_cannot_be_read_is_forgotten_and_little_is_kept(estimate, options, tmp_path):
    path = tmp_path / "durations.json"
    path.write_text('[{"kind": 3}, broken')
    assert estimate.estimate_seconds(1000, 100, 1, options) is None
    estimate.learn({"mesh": {}}, options, None)
    for _ in range(estimate.MOST + 5):
        estimate.learn(report(), options, None)
    assert len(json.loads(path.read_text())) == estimate.MOST
    assert [entry.name for entry in tmp_path.iterdir()] == ["durations.json"]
