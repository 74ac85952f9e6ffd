"""SAM 2.1's real code, with a small network of random weights, follows a prompt; without it, there is a remedy."""

from __future__ import annotations

import numpy as np
import pytest
from foreground_clips import clip_over, scenery

from motion324.core.errors import EXIT_USAGE, Cancelled, Motion324Error
from motion324.core.progress import silent
from motion324.video.foreground.sam2_model import REPOSITORY_VARIABLE, Prompt, parse_prompt, sam2_masks


@pytest.fixture(scope="module")
def small_network(tmp_path_factory):
    """A folder with a network of the right architecture and the smallest widths."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    folder = tmp_path_factory.mktemp("sam2")
    torch.manual_seed(0)
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        blocks_per_stage=[1, 1, 1, 1],
        global_attention_blocks=[],
    )
    vision = transformers.Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8])
    model = transformers.Sam2VideoModel(transformers.Sam2VideoConfig(vision_config=vision.to_dict()))
    model.save_pretrained(folder)
    pictures = getattr(transformers, "Sam2ImageProcessor", None) or transformers.Sam2ImageProcessorFast
    transformers.Sam2VideoProcessor(pictures(), transformers.Sam2VideoVideoProcessor()).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "prompt", [Prompt(), Prompt(box=(0.3, 0.2, 0.7, 0.9)), Prompt(points=((0.5, 0.5), (0.5, 0.3)))]
)
def test_every_kind_of_prompt_is_followed_through_the_frames(small_network, monkeypatch, prompt):
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(small_network))
    frames, truth = clip_over(scenery(), count=3)
    told = []
    masks = sam2_masks(frames, prompt, truth[0].astype(np.float32), lambda stage, done, total: told.append(done))
    assert masks.shape == truth.shape and masks.dtype == np.float32
    assert masks.min() >= 0 and masks.max() <= 1  # random weights may well see nothing
    assert told[-1] == 2
    if prompt == Prompt():  # a given mask is returned as it is in the frame that it was given for
        assert ((masks[0] > 0.5) == truth[0]).mean() > 0.97


def test_cancelling_stops_between_frames(small_network, monkeypatch):
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(small_network))

    def cancel(stage: str, done: int, total: int) -> None:
        if done >= 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        sam2_masks(clip_over(scenery(), count=3)[0], Prompt(points=((0.5, 0.5),)), None, cancel)


def test_what_is_missing_is_said_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv(REPOSITORY_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(Motion324Error) as caught:
        sam2_masks(np.zeros((2, 8, 8, 3), np.uint8), Prompt(), np.zeros((8, 8), np.float32), silent)
    assert caught.value.code in ("package-missing", "model-missing") and "--mask rembg" in caught.value.hint


def test_prompts_are_parts_of_the_picture():
    assert parse_prompt("") == Prompt()
    assert parse_prompt("box=0.1,0.2,0.9,1") == Prompt(box=(0.1, 0.2, 0.9, 1.0))
    assert parse_prompt("points=0.5,0.5;0,1") == Prompt(points=((0.5, 0.5), (0.0, 1.0)))
    for wrong in ("box=1,2,3,4", "box=0.5,0.5,0.5,0.6", "points=0.1", "mask=1", "points=a,b", "box"):
        with pytest.raises(Motion324Error) as caught:
            parse_prompt(wrong)
        assert (caught.value.code, caught.value.exit_code) == ("bad-option", EXIT_USAGE)
