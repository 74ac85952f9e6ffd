"""Which way the foreground is found, what is warned of, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from foreground_clips import clip_over, overlap, plain, scenery
from PIL import Image

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BAD_VIDEO, EXIT_NO_FOREGROUND, EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.options.mesh_settings import MeshSettings
from motion324.pipeline.animate import animate
from motion324.pipeline.examine import examine, make_first_mesh
from motion324.video.foreground import find_masks, provider


def video(frames: np.ndarray, alpha: np.ndarray | None = None) -> VideoClip:
    return VideoClip(frames, fps=12.0, frame_numbers=np.arange(len(frames)) * 2 + 10, alpha=alpha, name="toy.mp4")


def write_masks(folder: Path, masks: np.ndarray) -> Path:
    folder.mkdir()
    for index, mask in enumerate(masks):
        Image.fromarray((mask * 255).astype(np.uint8)).save(folder / f"m{index}.png")
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """Fails if the network is asked."""

    def refuse(frames: np.ndarray, progress: object) -> np.ndarray:
        raise AssertionError("the network was used")

    for module in (provider, provider):
        monkeypatch.setattr(module, "object_masks_of", refuse)


def test_alpha_comes_first(no_network):
    frames, truth = clip_over(scenery())
    found = find_masks(video(frames, (truth * 255).astype(np.uint8)))
    assert found.method == "alpha" and found.warnings == ()
    np.testing.assert_array_equal(found.masks, truth)


def test_opaque_alpha_is_ignored(no_network):
    frames, truth = clip_over(plain((255, 255, 255)))
    found = find_masks(video(frames, np.full(truth.shape, 255, np.uint8)))
    assert found.method == "plain"
    assert overlap(found.masks, truth).min() > 0.97


def test_what_was_cut_out_before_is_taken_as_it_is(no_network):
    frames, truth = clip_over(plain((0, 0, 0)), count=4)
    alone = find_masks(video(frames), "as-is")
    assert alone.method == "plain" and overlap(alone.masks, truth).min() > 0.95
    assert find_masks(video(frames, (truth * 255).astype(np.uint8)), "as-is").method == "alpha"
    with pytest.raises(Motion324Error, match="no single background colour"):
        find_masks(video(clip_over(scenery(), count=4)[0]), "as-is")


def test_scenery_and_shadows_go_to_the_network():
    frames, truth = clip_over(plain((255, 255, 255)), count=4)
    ground = frames[:, 200:]
    shaded = (ground * 0.7).astype(np.uint8)
    frames[:, 200:] = np.where(
        truth[:, 200:, :, None], ground, np.where(np.ptp(ground, axis=3) < 9, shaded[..., 0], 0)[..., None]
    )
    frames[:, 200:, :20] = frames[:, 200:, -20:] = 255
    frames[:, 240:] = 255
    found = find_masks(video(frames))
    assert found.method == "rembg"
    assert (found.masks[:, 225:238, 30:80] < 0.5).all()  # the shadow beside the feet


def test_given_masks_are_indexed_by_frame_or_by_place(tmp_path, no_network):
    frames, truth = clip_over(scenery(), count=4)
    clip = video(frames)  # frames 10, 12, 14, 16 of its source
    of_source = np.zeros((20, *truth.shape[1:]))
    of_source[clip.frame_numbers] = truth
    for name, masks in (("one each", truth), ("all", of_source)):
        found = find_masks(clip, str(write_masks(tmp_path / name, masks)))
        assert found.method == "given"
        np.testing.assert_allclose(found.masks, truth)
    small = np.stack([mask[::2, ::2] for mask in truth])
    found = find_masks(clip, str(write_masks(tmp_path / "small", small)))
    assert overlap(found.masks, truth).min() > 0.93


def test_given_masks_that_do_not_fit_are_refused(tmp_path, no_network):
    frames, truth = clip_over(scenery(), count=4)
    cases = {"few": truth[:3], "narrow": truth[:, :, 50:200]}
    for (name, masks), code in zip(cases.items(), ("mask-count-differs", "mask-shape-differs"), strict=True):
        with pytest.raises(Motion324Error) as caught:
            find_masks(video(frames), str(write_masks(tmp_path / name, masks)))
        assert (caught.value.code, caught.value.exit_code) == (code, EXIT_BAD_VIDEO)


@pytest.mark.parametrize("mode", ["rembgg", "rembg:", "/nowhere/masks", "sam2:box=1"])
def test_an_unknown_mode_is_told_without_a_look_at_the_video(mode, no_network, box):
    gone = Path("/nowhere/clip.mp4")
    for work in (
        lambda: animate(box, gone, AnimateOptions(mask=mode)),
        lambda: examine(gone, AnimateOptions(mask=mode)),
        lambda: make_first_mesh(gone, AnimateOptions(mask=mode), MeshSettings()),
    ):
        with pytest.raises(Motion324Error, match=r"The option mask .*sam2") as caught:
            work()
        assert (caught.value.code, caught.value.exit_code) == ("bad-option", EXIT_USAGE)
        assert mode in caught.value.sentence


def test_a_network_that_is_missing_is_told_without_a_look_at_the_video(monkeypatch, tmp_path):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    modes = {"rembg:magic": "bad-option", "rembg:u2net": "model-missing"}
    if importlib.util.find_spec("transformers") is None:
        modes["sam2"] = "package-missing"
    for mode, code in modes.items():
        with pytest.raises(Motion324Error) as caught:
            examine(Path("/nowhere/clip.mp4"), AnimateOptions(mask=mode))
        assert caught.value.code == code


def test_rembgs_own_models_are_an_extra_and_its_lack_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "rembg", None)
    monkeypatch.setitem(sys.modules, "rembg.sessions", None)
    with pytest.raises(Motion324Error, match="extra 'rembg'") as caught:
        examine(Path("/nowhere/clip.mp4"), AnimateOptions(mask="rembg:u2net"))
    assert caught.value.code == "package-missing"


def test_modes_that_cannot_work_say_so(no_network):
    frames, _ = clip_over(scenery(), count=3)
    for mode in ("alpha", "plain"):
        with pytest.raises(Motion324Error, match="toy") as caught:
            find_masks(video(frames), mode)
        assert caught.value.exit_code == EXIT_USAGE


def test_frames_without_the_object_and_at_the_edge_are_named(no_network):
    frames, _ = clip_over(plain((255, 255, 255)), count=8)
    frames[2:4] = 255
    frames[5, 100:150, :60] = (10, 20, 30)
    found = find_masks(video(frames))
    warnings = {warning["code"]: warning["sentence"] for warning in found.warnings}
    assert "frames 12-14" not in warnings["mask-empty"]
    assert "frames 14, 16 " in warnings["mask-empty"]
    assert "frame 20 " in warnings["object-leaves-frame"]


@pytest.mark.parametrize("level", [255, 0])
def test_a_video_without_an_object_is_refused_with_the_remedy(level):
    with pytest.raises(Motion324Error) as caught:
        find_masks(video(np.full((3, 64, 64, 3), level, np.uint8)))
    assert (caught.value.code, caught.value.exit_code) == ("no-foreground", EXIT_NO_FOREGROUND)
    assert "toy.mp4" in caught.value.sentence and "rembg" in caught.value.sentence and "--mask" in caught.value.hint


def test_masks_that_cover_everything_are_refused(tmp_path):
    frames, truth = clip_over(scenery(), count=3)
    with pytest.raises(Motion324Error) as caught:
        find_masks(video(frames), str(write_masks(tmp_path / "all", np.ones_like(truth))))
    assert caught.value.exit_code == EXIT_NO_FOREGROUND
