"""Of long videos the foreground network looks at every second frame, and flow carries its masks to those between."""

from __future__ import annotations

import numpy as np
import pytest

from motion324.core.jobs.job_plan import LOOKED_AT_EACH
from motion324.core.progress import silent
from motion324.video.foreground import saliency
from motion324.video.foreground.saliency_between import carried_mask
from motion324.video.optical_flow import FlowOfThreads

HEIGHT, WIDTH, RADIUS, STEP = 180, 320, 36, 6


def scene(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames in which a spotted disc moves by STEP pixels before scenery that stands still, and its masks."""
    rng = np.random.default_rng(seed)
    scenery, spots = (
        np.kron(rng.integers(low, low + 90, (HEIGHT // 10, WIDTH // 10, 3)), np.ones((10, 10, 1))) for low in (20, 140)
    )
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames, masks = [], []
    for t in range(count):
        shift = STEP * (t % 24)
        masks.append((x - 90 - shift) ** 2 + (y - 90) ** 2 < RADIUS**2)
        frames.append(np.where(masks[-1][..., None], np.roll(spots, shift, axis=1), scenery).astype(np.uint8))
    return np.stack(frames), np.stack(masks)


def likeness(found: np.ndarray, truth: np.ndarray) -> float:
    return float(((found > 0.5) & truth).sum() / ((found > 0.5) | truth).sum())


def test_a_mask_moves_with_what_it_covers():
    frames, masks = scene(3)
    found = carried_mask(frames[1], [(frames[k], masks[k].astype(np.float32)) for k in (0, 2)], FlowOfThreads())
    assert found is not None and found.shape == (HEIGHT, WIDTH) and found.dtype == np.float32
    assert found.min() >= 0 and found.max() <= 1
    assert likeness(found, masks[1]) > 0.95 > likeness(masks[0], masks[1])


def test_nothing_is_carried_across_a_cut():
    frames, masks = scene(3)
    other = scene(3, seed=1)[0][::-1].copy()
    assert carried_mask(255 - other[1], [(frames[0], masks[0].astype(np.float32))], FlowOfThreads()) is None


@pytest.mark.parametrize(
    ("count", "cut", "looked_at"), [(LOOKED_AT_EACH, False, LOOKED_AT_EACH), (98, False, 49), (98, True, 50)]
)
def test_the_network_looks_at_every_second_frame_of_a_long_video(monkeypatch, count, cut, looked_at):
    frames, masks = scene(count)
    frames[:, 0, 0] = np.arange(count)[:, None]  # by which the network below knows them
    if cut:
        frames[51] = 255 - frames[51]
        frames[51, 0, 0] = 51
    asked = []

    def run(pictures: np.ndarray) -> np.ndarray:
        numbers = [int(picture[0, 0, 0]) for picture in pictures]
        asked.extend(numbers)
        return np.stack([np.where(masks[t][None], 9.0, -9.0).astype(np.float32) for t in numbers])

    def marked(frame: np.ndarray) -> np.ndarray:
        return np.full((1, 1, 1), frame[0, 0, 0], np.float32)

    monkeypatch.setattr(saliency, "load_network", lambda: saliency.Network(run, "cpu"))
    monkeypatch.setattr(saliency, "_input", marked)
    told: list[int] = []
    found = saliency.salient_masks(frames, lambda stage, done, total: told.append(done))
    assert len(asked) == looked_at and told == sorted(told) and told[-1] == count
    assert min(likeness(found[t], masks[t]) for t in range(count)) > 0.9


def test_one_frame_is_looked_at():
    assert saliency.salient_masks(scene(1)[0], silent).shape == (1, HEIGHT, WIDTH)
