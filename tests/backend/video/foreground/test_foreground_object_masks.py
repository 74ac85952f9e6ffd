"""In front of scenery the network's guess is made exact; the network itself needs no connection and no compiler."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from foreground_clips import SIZE, clip_over, overlap, rough_guess, scenery

from motion324.core.errors import Cancelled
from motion324.core.processes.side_by_side import side_by_side
from motion324.core.progress import silent
from motion324.video.decoding import read_video
from motion324.video.foreground import object_masks as object_masks_module
from motion324.video.foreground import saliency
from motion324.video.foreground.background_plate import distance_beyond_shadow, estimate_plate, sort_over_time
from motion324.video.foreground.coverage import fit_to_colours
from motion324.video.foreground.object_masks import object_masks
from motion324.video.foreground.object_tracks import small_object_area

BENCH = Path(__file__).resolve().parents[4].parent / "shared" / "bench" / "dev"


@pytest.fixture
def guessing(monkeypatch):
    """Puts a given guess in the place of the network's."""

    def put(guess: np.ndarray) -> None:
        monkeypatch.setattr(object_masks_module, "salient_masks", lambda frames, progress: guess.copy())

    return put


def test_the_plate_is_what_lies_behind():
    background = scenery()
    frames, truth = clip_over(background, count=12)
    plate = estimate_plate(frames, rough_guess(truth))
    known = plate.seen & (truth.mean(axis=0) < 0.5)
    assert np.abs(plate.colour - background)[known].mean() < 2
    assert not plate.seen[truth.all(axis=0)].any()
    behind = truth.all(axis=0)
    assert np.abs(plate.colour - background)[behind].mean() < 40  # filled in smoothly
    assert plate.trust[behind].mean() < plate.trust[known].mean()
    assert plate.trust[known].min() > 0.9


def test_changes_of_exposure_do_not_spoil_the_plate():
    background = scenery()
    frames, truth = clip_over(background, count=10)
    swinging = np.clip(frames * 0.8 + 12 * np.sin(np.arange(10))[:, None, None, None], 0, 255).astype(np.uint8)
    steady, moving = (estimate_plate(f, rough_guess(truth)) for f in ((frames * 0.8).astype(np.uint8), swinging))
    assert np.percentile(moving.tolerance - steady.tolerance, 99) < 8


def test_masks_are_exact_before_a_still_background(guessing):
    frames, truth = clip_over(scenery(0, 512), count=8)
    guess = rough_guess(truth)
    guessing(guess)
    masks = object_masks(frames, silent)
    assert overlap(guess, truth).mean() < 0.95
    assert overlap(masks, truth).min() > 0.96
    assert overlap(masks, truth).mean() > 0.98


def test_what_the_network_misses_in_some_frames_is_found(guessing):
    frames, truth = clip_over(scenery(1, 512), count=12)
    guess = rough_guess(truth)
    guess[4:6, :180] = 0  # most of the head
    guessing(guess)
    assert overlap(guess, truth)[4:6].max() < 0.9
    assert overlap(object_masks(frames, silent), truth).min() > 0.96


def test_what_the_network_misses_in_a_third_of_the_frames_is_not_taken_for_a_background_that_moves(guessing):
    frames, truth = clip_over(scenery(1, 384), count=12)
    guess = rough_guess(truth)
    guess[8:, :135] = 0  # the head
    guessing(guess)
    found = overlap(object_masks(frames, silent), truth)
    assert overlap(guess, truth).mean() < 0.87
    assert found.mean() > 0.94 and found.min() > 0.9


def test_masks_that_lack_much_are_looked_at_again_with_what_was_found(guessing, monkeypatch):
    frames, truth = clip_over(scenery(1, 384), count=12)
    guess = rough_guess(truth)
    guess[8:, :, :190] = 0  # the left half
    guessing(guess)
    again = overlap(object_masks(frames, silent), truth)
    monkeypatch.setattr(object_masks_module, "_PASSES", 1)
    once = overlap(object_masks(frames, silent), truth)
    assert again.mean() > once.mean() + 0.03 and again.min() > once.min() + 0.1


def test_saliency_has_its_say_where_colours_hardly_differ_from_the_background(guessing):
    background = scenery(1, 384)
    frames, truth = clip_over(background, count=12)
    faint = np.clip(background + 0.07 * (frames - background), 0, 255).astype(np.uint8)
    guessing(rough_guess(truth))
    assert overlap(object_masks(faint, silent), truth).mean() > 0.83


def test_a_moving_camera_falls_back_to_the_guess_fitted_to_colours(guessing):
    wide = scenery(2, 512)
    moving = np.stack([wide[100 : 100 + SIZE, 12 * k : 12 * k + SIZE] for k in range(12)])
    frames, truth = clip_over(moving, count=12)
    guess = rough_guess(truth)
    guessing(guess)
    masks = object_masks(frames, silent)
    assert overlap(masks, truth).mean() > overlap(guess, truth).mean() + 0.02
    assert overlap(masks, truth).min() > 0.9


def test_large_frames_are_masked_at_a_smaller_size(guessing):
    frames, truth = clip_over(scenery(0, 900), count=3)
    small = np.stack([cv2.resize(mask, (720, 720)) for mask in rough_guess(truth)])
    guessing(small)
    masks = object_masks(frames, silent)
    assert masks.shape == truth.shape
    assert overlap(masks, truth).min() > 0.97


def a_ring(place, size=SIZE, angle=None):
    """Coverage (H, W) float32 of a ring; with an angle, of a wheel with three spokes."""
    mask = np.zeros((4 * size, 4 * size), np.uint8)
    middle = tuple(round(4 * value) for value in place)
    cv2.circle(mask, middle, 4 * 62, 255, 4 * 18, cv2.LINE_8)
    if angle is not None:
        for spoke in range(3):
            turn = angle + spoke * 2 * np.pi / 3
            end = (round(middle[0] + 4 * 60 * np.cos(turn)), round(middle[1] + 4 * 60 * np.sin(turn)))
            cv2.line(mask, middle, end, 255, 4 * 8)
    return cv2.resize(mask.astype(np.float32) / 255, (size, size), interpolation=cv2.INTER_AREA)


def noise(seed=5):
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.uniform(40, 220, (SIZE // 6, SIZE // 6, 3)).astype(np.float32), (SIZE, SIZE))


def filled(coverage):
    """As the network sees them: without their holes."""
    contours, _ = cv2.findContours((coverage > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(coverage.shape, np.uint8), contours, -1, 1, -1) > 0


@pytest.mark.parametrize(
    ("background", "spokes", "least"),
    [(noise(), False, 0.8), (noise(), True, 0.8), (scenery(4), False, 0.8), (scenery(4), True, 0.7)],
    ids=["ring before noise", "wheel before noise", "ring before a smooth picture", "wheel before a smooth picture"],
)
def test_the_holes_of_rings_and_wheels_before_scenery_are_background(guessing, background, spokes, least):
    frames, truth = [], []
    for index in range(6):
        coverage = a_ring((110 + 5 * index, 128), angle=0.12 * index if spokes else None)
        shown = (190, 60, 25) * coverage[..., None] + background * (1 - coverage[..., None])
        frames.append(shown.astype(np.uint8))
        truth.append(coverage > 0.5)
    guessing(rough_guess(np.stack([filled(mask) for mask in truth])))
    masks = object_masks(np.stack(frames), silent)
    assert overlap(masks, np.stack(truth)).min() > least


def test_what_stands_still_between_the_thin_spokes_of_a_wheel_that_rolls_on_is_background(guessing):
    """Each of its holes is too small to have the colours of the whole background."""
    background, frames, truth = scenery(4), [], []
    cv2.circle(background, (150, 150), 14, (40, 230, 240), -1)
    for index in range(16):
        mask = np.zeros((4 * SIZE, 4 * SIZE), np.uint8)
        middle = (4 * (100 + 4 * index), 4 * 128)
        cv2.circle(mask, middle, 4 * 74, 255, 4 * 9)
        for turn in np.arange(6) * np.pi / 3 + 0.12 * index:
            end = (round(middle[0] + 4 * 74 * np.cos(turn)), round(middle[1] + 4 * 74 * np.sin(turn)))
            cv2.line(mask, middle, end, 255, 4 * 5)
        coverage = cv2.resize(mask.astype(np.float32) / 255, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        frames.append(np.array((190, 60, 25)) * coverage[..., None] + background * (1 - coverage[..., None]))
        truth.append(coverage > 0.5)
    guessing(rough_guess(np.stack([filled(mask) for mask in truth])))
    masks = object_masks(np.stack(frames).astype(np.uint8), silent)
    assert overlap(masks, np.stack(truth)).mean() > 0.47


def test_a_patch_of_the_object_that_looks_like_the_background_stays_its_own(guessing):
    """A plain patch in the background's mean colour, and one with its very pattern that moves with the object."""
    background = noise()
    patch = background[100:140, 100:140]
    frames, truth = [], []
    for index in range(6):
        coverage = filled(a_ring((110 + 5 * index, 128))).astype(np.float32)
        shown = np.where(coverage[..., None] > 0, (190.0, 60.0, 25.0), background)
        x = 90 + 5 * index
        shown[80:110, x : x + 30] = background.mean(axis=(0, 1))
        shown[118:158, x : x + 40] = patch
        frames.append(shown.astype(np.uint8))
        truth.append(coverage > 0.5)
    guessing(rough_guess(np.stack(truth)))
    masks = object_masks(np.stack(frames), silent)
    assert overlap(masks, np.stack(truth)).min() > 0.94


def test_the_ring_of_the_cases_keeps_its_hole():
    case = BENCH.parents[1] / "cases" / "ring_before_scenery.mp4"
    if not case.is_file():
        pytest.skip("shared/cases/ring_before_scenery.mp4 is not here")
    frames = read_video(case).frames
    red = (frames[..., 0] > 150) & (frames[..., 1] < 90) & (frames[..., 2] < 80)
    masks = object_masks(frames, silent)
    assert (masks > 0.5).mean() < 0.14
    assert overlap(masks, red).min() > 0.88


def small_and_moving(count=8):
    """A still picture of 640 x 360 with coloured boxes, and a creature of 30 pixels that moves in it."""
    from foreground_clips import creature

    rng = np.random.default_rng(2)
    behind = cv2.resize(rng.uniform(100, 160, (30, 53, 3)).astype(np.float32), (640, 360))
    cv2.rectangle(behind, (60, 60), (130, 120), (230, 30, 30), -1)
    frames, truth = [], []
    for index in range(count):
        colour, coverage = creature(index)
        small, covered = (cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA) for image in (colour, coverage))
        frame, mask = behind.copy(), np.zeros((360, 640), bool)
        place = (slice(200, 248), slice(400 + index, 448 + index))
        frame[place] = small + frame[place] * (1 - covered[..., None])
        mask[place] = covered > 0.5
        frames.append(frame.astype(np.uint8))
        truth.append(mask)
    return np.stack(frames), np.stack(truth)


def test_a_small_object_that_moves_is_found_though_the_network_takes_something_else(monkeypatch):
    frames, truth = small_and_moving()
    asked = []

    def network(pictures, progress):
        asked.append(pictures.shape)
        guess = np.zeros(pictures.shape[:3], np.float32)
        if len(asked) == 1:
            guess[:, 60:120, 60:130] = 1  # the red box, which stands still
        else:
            red = pictures[..., 0].astype(int) - pictures[..., 2]
            guess[:] = red > 60
        return guess

    monkeypatch.setattr(object_masks_module, "salient_masks", network)
    masks = object_masks(frames, silent)
    assert overlap(masks, truth).min() > 0.6
    assert len(asked) == 2
    assert max(asked[1][1:3]) == 320


def test_what_is_not_small_is_looked_at_once(guessing):
    frames, truth = clip_over(scenery(), count=6)
    assert small_object_area(frames, truth.astype(np.float32)) is None
    frames, truth = small_and_moving()
    rows, columns = small_object_area(frames, truth.astype(np.float32))
    assert truth[:, rows, columns].sum() == truth.sum()
    assert max(rows.stop - rows.start, columns.stop - columns.start) < 160


def test_the_small_dog_of_the_cases_is_found_where_it_is():
    case = BENCH.parents[1] / "cases" / "dog_30_pixels_wide.mp4"
    if not case.is_file():
        pytest.skip("shared/cases/dog_30_pixels_wide.mp4 is not here")
    frames = read_video(case).frames[::4]
    x, y, width, height = cv2.boundingRect((object_masks(frames, silent)[0] > 0.5).astype(np.uint8))
    np.testing.assert_allclose((x, y, x + width, y + height), (499, 278, 517, 296), atol=4)


def test_the_filter_moves_edges_to_where_the_colours_change():
    frames, truth = clip_over(scenery(), count=2)
    guess = rough_guess(truth)
    fitted = np.stack([fit_to_colours(mask, frame) for mask, frame in zip(guess, frames, strict=True)])
    assert overlap(fitted, truth).mean() > overlap(guess, truth).mean() + 0.03
    flat = fit_to_colours(guess[0], np.full_like(frames[0], 128))
    np.testing.assert_allclose(flat, cv2.blur(guess[0], (9, 9)), atol=0.25)  # nothing to hold on to: it only blurs


def test_a_shadow_is_near_its_background_and_other_things_are_not():
    behind = np.broadcast_to(np.float32([200, 100, 50]), (1, 3, 3))
    colour = np.array([[[140, 70, 35], [50, 100, 200], [220, 110, 55]]], np.float32)
    distance = distance_beyond_shadow(colour, behind)[0]
    assert distance[0] < 2 and distance[1] > 100 and np.isinf(distance[2])


def test_the_bundled_network_is_the_published_one():
    data = saliency.MODEL_FILE.read_bytes()
    assert hashlib.md5(data).hexdigest() == "8e83ca70e441ab06c318d82300c84806"


def test_the_network_loads_offline_in_seconds_and_leaves_numba_as_it_was(tmp_path):
    program = (
        "import time; began = time.monotonic()\n"
        "import numpy as np, numba\n"
        "from motion324.core.progress import silent\n"
        "from motion324.video.foreground.saliency import salient_masks\n"
        "blank = salient_masks(np.full((1, 64, 64, 3), 255, np.uint8), silent)\n"
        "assert blank.shape == (1, 64, 64) and blank.max() < 0.2, blank.max()\n"
        "assert not numba.config.DISABLE_JIT\n"
        "import os; assert 'U2NET_HOME' not in os.environ\n"
        "print(time.monotonic() - began)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "U2NET_HOME"}
    environment |= {"NUMBA_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("*.nbi"))  # nothing was compiled for PyMatting


def test_cancelling_stops_between_frames():
    calls = []

    def cancel(stage: str, done: int, total: int) -> None:
        calls.append((stage, done, total))
        if done >= 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        object_masks(clip_over(scenery(), count=8)[0], cancel)
    assert calls[0] == ("foreground", 0, 8)


@pytest.mark.parametrize(("name", "least"), [("bull_headbutt", 0.98), ("manta_ray_swim", 0.98), ("koi_swim", 0.99)])
def test_masks_of_benchmark_clips(name, least):
    if not BENCH.exists():
        pytest.skip("the benchmark clips are not beside the repository")
    from motion324.video.foreground import find_masks

    clip = read_video(BENCH / "videos" / f"{name}.mp4", (0, None, 3))
    packed = np.load(BENCH / "masks" / f"{name}.npz")
    frames, height, width = packed["shape"]
    truth = np.unpackbits(packed["packed"], axis=1)[:, : height * width].reshape(frames, height, width).astype(bool)
    assert overlap(find_masks(clip).masks, truth[clip.frame_numbers]).min() > least


def test_columns_are_sorted_as_numpy_does():
    random = np.random.default_rng(0)
    for count in (1, 2, 3, 7, 16, 31, 32):
        values = random.integers(-300, 300, (count, 40, 3)).astype(np.int16)
        assert (sort_over_time(values.copy()) == np.sort(values, axis=0)).all()


def test_work_on_many_frames_tells_how_far_it_is_and_passes_errors_on():
    told, done = [], []
    side_by_side(5, done.append, told.append)
    assert sorted(done) == [0, 1, 2, 3, 4] and told[0] == 0 and told[-1] == 5

    def fail(index: int) -> None:
        raise ValueError(index)

    with pytest.raises(ValueError):
        side_by_side(3, fail, told.append)


def test_an_empty_guess_gives_an_empty_mask(guessing):
    frames, truth = clip_over(scenery(0, 512), count=3)
    guess = rough_guess(truth)
    guess[1] = 0
    guessing(guess)
    masks = object_masks(frames, silent)
    assert masks.shape == truth.shape and masks[2].max() > 0.9
