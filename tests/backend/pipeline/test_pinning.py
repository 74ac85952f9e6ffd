"""Corrections by pins: what is pinned is met, what is far away stays, and nothing else moves without them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from creature import creature, film, waving

from motion324.core.clip import VideoClip
from motion324.core.errors import Motion324Error
from motion324.core.motion.pins import Pins, PointPin, PosePin, StillPin, pins_of, read_pins
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.reference_mesh import normalised_mesh
from motion324.core.result import AnimationResult
from motion324.core.view import look_at_origin
from motion324.pipeline.animate import animate
from motion324.pipeline.refine import refine
from motion324.reconstructors.deformation_fit.pinned_fit import REACH

VIEW = look_at_origin(0.0, 5.0, 2.0, 1.3)
SIZE = 192
FRAMES = 24
OPTIONS = AnimateOptions(reconstructor="deformation-fit", quality="draft", mask="plain", camera="still")


@pytest.fixture(scope="module")
def waved():
    """(mesh, clip, the true result) of the creature waving."""
    mesh = creature()
    truth = waving(mesh, FRAMES)
    truth[0] = mesh.positions
    frames, _ = film(mesh, truth, VIEW, SIZE)
    clip = VideoClip(frames, 24.0, np.arange(FRAMES), name="waving")
    _, normalisation = normalised_mesh(mesh)
    # The truth is filmed around the origin, which is not quite the middle of the creature's box.
    view = replace(VIEW, translation=VIEW.translation + VIEW.rotation @ normalisation.centre)
    return mesh, clip, AnimationResult(truth, clip.frame_numbers, 24.0, view, {"warnings": []})


def spoiled(result: AnimationResult) -> AnimationResult:
    """The arm stays behind around frame 12."""
    positions = result.positions.copy()
    lag = np.exp(-(((np.arange(FRAMES) - 12) / 3.0) ** 2))[:, None, None]
    arm = (np.arange(positions.shape[1]) >= 28 * 16 + 2) & (positions[0][:, 0] > 0)
    positions[1:] -= (0.35 * lag * (positions - positions[:1]) * arm[None, :, None])[1:].astype(np.float32)
    return replace(result, positions=positions)


def places_of(result: AnimationResult, mesh, frame: int, vertices) -> np.ndarray:
    """(V, 2) pixels at which the result has these vertices."""
    points = normalised_mesh(mesh)[1].to_normalised(result.positions[frame, vertices])
    return result.view.project(points.astype(np.float64), SIZE, SIZE)[0]


def test_a_pin_is_met_within_a_pixel_and_brings_the_arm_along(waved):
    mesh, clip, truth = waved
    wrong = spoiled(truth)
    hand = tip_of(mesh)
    wanted = places_of(truth, mesh, 12, [hand])[0]
    off = np.linalg.norm(places_of(wrong, mesh, 12, [hand])[0] - wanted)
    assert off > 8
    pins = Pins(points=(PointPin(12, hand, tuple(wanted / SIZE)),))
    wrong = replace(wrong, report={"warnings": [], "fit": {"overlap": [0.5] * FRAMES}})
    better = refine(mesh, clip, OPTIONS, wrong, pins)
    fit = np.array(better.report["fit"]["overlap"])
    near = np.abs(np.arange(FRAMES) - 12) < REACH
    assert fit[near].min() > 0.8 and set(fit[~near][1:]) == {0.5}  # told again where it was fitted again
    assert np.linalg.norm(places_of(better, mesh, 12, [hand])[0] - wanted) < 1.0
    assert better.report["pins"]["largest_miss"] < 1.0
    # The arm as a whole, in that frame and in its neighbours, is nearer to the truth than before.
    for frame, part in ((10, 0.87), (12, 0.8), (14, 0.87)):
        before, after = (
            np.linalg.norm(each.positions[frame] - truth.positions[frame], axis=1).mean() for each in (wrong, better)
        )
        assert after < part * before


def tip_of(mesh) -> int:
    """The vertex at the arm's end that faces the camera."""
    arm = np.flatnonzero((mesh.positions[:, 1] > 0.40) & (mesh.positions[:, 0] > 0))
    return int(arm[np.argmax(mesh.positions[arm, 2])])


def test_frames_beyond_the_reach_of_pins_stay_to_the_last_bit(waved):
    mesh, clip, truth = waved
    pins = Pins(points=(PointPin(12, tip_of(mesh), (0.6, 0.3)),))
    moved = refine(mesh, clip, OPTIONS, truth, pins)
    far = np.abs(np.arange(FRAMES) - 12) >= REACH
    assert np.array_equal(moved.positions[far], truth.positions[far])
    assert moved.report["pins"]["frames"] == np.flatnonzero(~far).tolist()
    # Nothing jumps: the hand's way from its pinned place back fades over the frames between.
    change = np.linalg.norm(moved.positions - truth.positions, axis=2)[:, tip_of(mesh)]
    assert change[12] > 0.05
    assert np.abs(np.diff(change)).max() < 0.35 * change[12]
    assert change[5] < 0.1 * change[12] > change[19]


def test_a_still_group_moves_by_less_than_a_thousandth(waved):
    mesh, clip, truth = waved
    tail = np.flatnonzero((mesh.positions[:, 0] > 0.42) & (mesh.positions[:, 1] < 0.13))
    assert np.ptp(truth.positions[8:14, tail], axis=0).max() > 0.01
    still = refine(mesh, clip, OPTIONS, truth, Pins(stills=(StillPin(8, 13, tail),)))
    assert np.ptp(still.positions[8:14, tail], axis=0).max() < 0.001
    # It stays connected: edges at the group's border are stretched little more than they were.
    edges = mesh.faces[:, :2]
    rest = np.linalg.norm(mesh.positions[edges[:, 0]] - mesh.positions[edges[:, 1]], axis=1)
    for frame in range(8, 14):
        now = np.linalg.norm(still.positions[frame, edges[:, 0]] - still.positions[frame, edges[:, 1]], axis=1)
        assert (now[rest > 0.01] / rest[rest > 0.01]).max() < 1.6
    assert np.array_equal(still.positions[0], mesh.positions)


def test_a_corrected_pose_is_taken_as_it_is_and_fades(waved):
    mesh, clip, truth = waved
    pose = truth.positions[12].astype(np.float64) + 0.1 * np.clip(mesh.positions[:, :1] - 0.1, 0, 1) * [0, 0, 1]
    posed = refine(mesh, clip, OPTIONS, truth, Pins(poses=(PosePin(12, pose),)))
    assert np.array_equal(posed.positions[12], pose.astype(np.float32))
    change = np.linalg.norm(posed.positions - truth.positions, axis=2).max(axis=1)
    assert change[11] > 0.5 * change[12] < 2 * change[13]
    assert not change[: 12 - REACH + 1].any() and not change[12 + REACH :].any()


def test_part_of_a_pose_moves_what_hangs_on_it_and_leaves_the_rest(waved):
    mesh, clip, truth = waved
    hand = np.flatnonzero((mesh.positions[:, 1] > 0.42) & (mesh.positions[:, 0] > 0))
    places = truth.positions[12, hand].astype(np.float64) + np.array([0.0, 0.0, 0.12])
    posed = refine(mesh, clip, OPTIONS, truth, Pins(poses=(PosePin(12, places, hand),)))
    assert np.abs(posed.positions[12, hand] - places).max() < 1e-6
    change = np.linalg.norm(posed.positions[12] - truth.positions[12], axis=1)
    middle = (mesh.positions[:, 1] > 0.3) & (mesh.positions[:, 1] < 0.4) & (mesh.positions[:, 0] > 0)
    assert change[middle].mean() > 0.03
    assert change[mesh.positions[:, 0] < 0].max() < 0.01


def test_pins_of_a_camera_that_moves_mean_the_picture_as_it_was_filmed(waved):
    mesh, clip, truth = waved
    hand = tip_of(mesh)
    # The camera pans: the picture of frame t is shifted by t hundredths of its height to the left.
    to_first = np.tile(np.eye(3), (FRAMES, 1, 1))
    to_first[:, 0, 2] = np.arange(FRAMES) / 100
    shifted = np.stack([np.roll(frame, -round(t * SIZE / 100), axis=1) for t, frame in enumerate(clip.frames)])
    panned = replace(clip, frames=shifted)
    moving = replace(truth, camera_to_first=to_first)
    wanted = places_of(truth, mesh, 12, [hand])[0] + [6.0, -4.0]
    pins = Pins(points=(PointPin(12, hand, tuple((wanted - [12 * SIZE / 100, 0.0]) / SIZE)),))
    better = refine(mesh, panned, OPTIONS, moving, pins)
    assert np.linalg.norm(places_of(better, mesh, 12, [hand])[0] - wanted) < 1.0


def test_pins_of_a_job_are_met_in_its_result(waved, tmp_path):
    mesh, clip, truth = waved
    short = VideoClip(clip.frames[:8], 24.0, np.arange(8), name="waving")
    hand = tip_of(mesh)
    wanted = places_of(truth, mesh, 6, [hand])[0] + [5.0, 3.0]
    (tmp_path / "pins.json").write_text(
        json.dumps({"points": [{"frame": 6, "vertex": hand, "at": (wanted / SIZE).tolist()}]})
    )
    options = replace(OPTIONS, pins=str(tmp_path / "pins.json"))
    result = animate(mesh, short, options, view=truth.view)
    plain = animate(mesh, short, OPTIONS, view=truth.view)
    assert np.linalg.norm(places_of(result, mesh, 6, [hand])[0] - wanted) < 1.0
    assert np.linalg.norm(places_of(plain, mesh, 6, [hand])[0] - wanted) > 3.0
    assert np.array_equal(result.positions[0], mesh.positions)
    # What is told of the match and of doubt is told of the motion that comes out, not of the one before the pins.
    changed = np.abs(result.positions - plain.positions).max(axis=(1, 2)) > 0
    overlaps = np.array([each.report["fit"]["overlap"] for each in (result, plain)])
    assert changed[6] and (overlaps[0] != overlaps[1])[6]
    assert not np.array_equal(result.doubt, plain.doubt)


def test_pins_that_contradict_each_other_are_told(waved):
    mesh, clip, truth = waved
    hand = tip_of(mesh)
    pins = Pins(points=(PointPin(12, hand, (0.5, 0.3)), PointPin(12, hand, (0.7, 0.3))))
    result = refine(mesh, clip, OPTIONS, truth, pins)
    assert [each["code"] for each in result.report["warnings"]] == ["pin-missed"]
    assert result.report["pins"]["largest_miss"] > 10


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([], "no JSON object"),
        ({"pins": []}, "no JSON object"),
        ({"points": [{"frame": 3, "vertex": 0}]}, r"at in points\[0\]"),
        ({"points": [{"frame": 3, "vertex": 0, "at": [0.5, float("nan")]}]}, r"at in points\[0\]"),
        ({"points": [{"frame": -3, "vertex": 0, "at": [0.5, 0.5]}]}, r"frame in points\[0\]"),
        ({"points": [{"frame": 3, "vertex": 0, "at": [0.5, 0.5], "x": 1}]}, "unknown key 'x'"),
        ({"points": [{"frame": 3, "vertex": 0, "at": [700, 0.5]}]}, "parts of the picture"),
        ({"still": [{"frames": [9, 3], "vertices": [1]}]}, "from 9 to 3"),
        ({"still": [{"frames": [3, 9], "vertices": [1, 1]}]}, "twice"),
        ({"still": [{"frames": [3, 9], "vertices": []}]}, r"vertices in still\[0\]"),
        ({"poses": [{"frame": 3, "positions": [[0, 0]]}]}, r"positions in poses\[0\]"),
        ({"poses": [{"frame": 3, "positions": [[0, 0, 0]], "vertices": [1, 2]}]}, "2 vertices but 1"),
    ],
)
def test_what_is_wrong_with_pins_is_told(values, told):
    with pytest.raises(Motion324Error, match=told) as error:
        pins_of(values)
    assert error.value.code == "bad-pins"


def test_pins_of_another_clip_or_mesh_are_refused_before_any_work(waved):
    mesh, clip, truth = waved
    for pins, told in (
        (Pins(points=(PointPin(99, 0, (0.5, 0.5)),)), "frame 99"),
        (Pins(points=(PointPin(3, 10**6, (0.5, 0.5)),)), "vertex 1000000"),
        (Pins(stills=(StillPin(40, 2**52, np.array([0])),)), "frames 40 to"),
        (Pins(poses=(PosePin(3, np.zeros((2, 3))),)), "2 positions"),
        (Pins(), "none"),
    ):
        with pytest.raises(Motion324Error, match=told):
            refine(mesh, clip, OPTIONS, truth, pins)
    other = replace(truth, positions=truth.positions[:, :-1])
    with pytest.raises(Motion324Error, match="vertices"):
        refine(mesh, clip, OPTIONS, other, Pins(points=(PointPin(3, 0, (0.5, 0.5)),)))


def test_a_file_of_pins_gives_back_what_was_written(tmp_path):
    pins = Pins(
        (PointPin(3, 7, (0.25, 0.5)),),
        (StillPin(2, 9, np.array([1, 2])),),
        (PosePin(4, np.ones((2, 3)), np.array([5, 6])), PosePin(5, np.zeros((3, 3)))),
    )
    (tmp_path / "pins.json").write_text(json.dumps(pins.to_dict()))
    assert read_pins(tmp_path / "pins.json").to_dict() == pins.to_dict()
    with pytest.raises(Motion324Error, match="cannot be read"):
        read_pins(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(Motion324Error, match="no JSON"):
        read_pins(tmp_path / "broken.json")
