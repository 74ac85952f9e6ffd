"""Long videos in windows: complete, and without seams."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.reconstructors.scene_frames import Merger, plan_windows


def merged(windows, results):
    """Feeds every window's results (its frames' positions) in batches of three; returns (T, N, 3) and the order."""
    merger = Merger(windows)
    frames, order = {}, []
    for window, result in zip(windows, results, strict=True):
        for start in range(0, len(window.frames), 3):
            batch = slice(start, start + 3)
            for frame, positions in merger.add(window.frames[batch], window.weights[batch], result[batch]):
                assert frame not in frames
                frames[frame] = positions
                order.append(frame)
    return np.stack([frames[frame] for frame in sorted(frames)]), order


@pytest.mark.parametrize("mode", ["blend", "published"])
@pytest.mark.parametrize(("count", "window"), [(1, 8), (8, 8), (9, 8), (20, 8), (3, 2), (257, 256), (1000, 256)])
def test_windows_cover_every_frame_with_weights_that_sum_to_one(mode, count, window):
    windows = plan_windows(count, window, mode)
    total = np.zeros(count)
    for part in windows:
        assert part.frames[0] == 0
        assert len(part.frames) == min(count, window)
        assert (np.diff(part.frames[1:]) == 1).all()
        np.add.at(total, part.frames, part.weights)
    assert np.allclose(total, 1.0)


def test_the_published_windows_of_twenty_frames():
    first, second, third = plan_windows(20, 8, "published")
    assert first.frames.tolist() == list(range(8))
    assert second.frames.tolist() == [0, *range(8, 15)]
    assert third.frames.tolist() == [0, *range(13, 20)]
    assert second.frames[second.weights > 0].tolist() == [8, 9, 10, 11, 12]


@pytest.mark.parametrize("mode", ["blend", "published"])
def test_windows_that_agree_are_joined_to_the_same_motion(mode):
    truth = np.random.default_rng(0).normal(size=(100, 5, 3)).astype(np.float32)
    windows = plan_windows(100, 32, mode)
    found, order = merged(windows, [truth[window.frames] for window in windows])
    assert np.allclose(found, truth, atol=1e-6)
    assert order == list(range(100))


@pytest.mark.parametrize("count", [300, 401, 700])
def test_no_seam_is_seen_where_windows_disagree(count):
    """A smooth motion that every window sees with a drift of its own: the largest jump is no larger than elsewhere."""
    rng = np.random.default_rng(1)
    time = np.arange(count)[:, None, None] / 30.0
    phase, speed = rng.uniform(0, 6, (1, 40, 3)), rng.uniform(0.5, 1.5, (1, 40, 3))
    truth = 0.3 * np.sin(time * speed + phase)
    windows = plan_windows(count, 64, "blend")
    drifts = rng.normal(0, 0.02, (len(windows), 40, 3))
    found, _ = merged(windows, [truth[part.frames] + drift for part, drift in zip(windows, drifts, strict=True)])
    jumps = np.linalg.norm(np.diff(found, axis=0), axis=-1).mean(axis=1)
    blended = np.zeros(count, bool)
    for part in windows:
        blended[part.frames[(part.weights > 0) & (part.weights < 1)]] = True
    seams = blended[1:] | blended[:-1]
    assert seams.any()
    assert jumps[seams].max() <= 1.15 * np.linalg.norm(np.diff(truth, axis=0), axis=-1).mean(axis=1).max()
    hard, _ = merged(
        (published := plan_windows(count, 64, "published")),
        [
            truth[part.frames] + drift
            for part, drift in zip(published, rng.normal(0, 0.02, (len(published), 40, 3)), strict=True)
        ],
    )
    assert jumps.max() < 0.8 * np.linalg.norm(np.diff(hard, axis=0), axis=-1).mean(axis=1).max()
