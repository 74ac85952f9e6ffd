"""What a quick look finds: the same as the whole pipeline would, from a few frames."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from foreground_clips import clip_over, scenery

from motion324.cli.commands.animate import _write_pictures
from motion324.cli.main import main
from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BAD_VIDEO, EXIT_NO_FOREGROUND, Cancelled, Motion324Error
from motion324.core.options.animate_options import AnimateOptions
from motion324.core.progress import silent
from motion324.mesh.files.reading import read_mesh
from motion324.pipeline import neighbouring_frames
from motion324.pipeline.examine import examine
from motion324.video.decoding import read_video
from motion324.video.foreground import find_masks
from motion324.video.sampling import sample_video, spread_indices

SHIBA = Path(__file__).resolve().parents[3] / "examples" / "shiba.glb"
CASES = Path(__file__).resolve().parents[3].parent / "shared" / "cases"


@pytest.fixture(scope="module")
def greys(tmp_path_factory):
    """A video of 90 frames of 320 x 240 pixels; frame t is grey t on the left, and white on the right."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    frames = np.full((90, 240, 320, 3), 255, np.uint8)
    frames[:, :, :160] = np.arange(90, dtype=np.uint8)[:, None, None, None] * 2 + 20
    write_video(path, frames)
    return path


def write_video(path, frames, fps=25.0):
    out = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, frames.shape[2:0:-1])
    for frame in frames:
        out.write(frame[..., ::-1])
    out.release()


def shade(frame):
    return (float(frame[100:140, 40:120].mean()) - 20) / 2


def test_the_sample_holds_the_first_used_frame_and_frames_all_over_the_range(greys):
    sample = sample_video(greys, (10, 80, 2), 8, lambda *_: None)
    assert (sample.frame_count, sample.used, sample.size, sample.fps) == (90, 35, (320, 240), 25.0)
    numbers = sample.clip.frame_numbers
    assert numbers[0] == 10
    assert numbers[-1] == 78
    assert len(numbers) == 8
    assert np.diff(numbers).max() <= 2 * 35 / 5 + 2
    for number, frame in zip(numbers, sample.clip.frames, strict=True):
        assert shade(frame) == pytest.approx(number, abs=2)


def test_frames_of_the_sample_are_those_that_the_whole_would_be_read_as(greys):
    whole = read_video(greys, (3, None, 1))
    sample = sample_video(greys, (3, None, 1), 6, lambda *_: None).clip
    for number, frame in zip(sample.frame_numbers, sample.frames, strict=True):
        np.testing.assert_array_equal(frame, whole.frames[list(whole.frame_numbers).index(number)])
    assert sample.fps == whole.fps


@pytest.mark.parametrize("count", [1, 5, 8, 9, 30, 1000])
def test_spread_indices_begin_with_the_first_and_reach_the_last(count):
    indices = spread_indices(count, 8)
    assert len(set(indices.tolist())) == len(indices) == min(count, 8)
    assert indices[0] == 0
    assert indices.max() == count - 1


def test_a_list_that_is_cut_off_early_still_reaches_over_the_whole_range():
    indices = spread_indices(1000, 12)
    assert 999 in indices[:5]
    assert any(300 < index < 700 for index in indices[:6])


def test_a_search_that_takes_too_long_ends_with_what_there_is(greys, monkeypatch):
    from motion324.video import sampling

    monkeypatch.setattr(sampling, "SPREAD_SECONDS", 0.0)
    slow = sampling._Search._go_to

    def slowly(self, *arguments, **more):
        time.sleep(0.3)
        return slow(self, *arguments, **more)

    monkeypatch.setattr(sampling._Search, "_go_to", slowly)
    sample = sample_video(greys, (None, None, 1), 8, lambda *_: None)
    assert sample.clip.frame_numbers[0] == 0
    assert len(sample.clip.frames) < 8


def test_a_search_is_cancelled_at_once(greys, monkeypatch):
    from motion324.video import sampling

    monkeypatch.setattr(sampling._Search, "_go_to", lambda *_, **__: time.sleep(5))
    asked = time.monotonic() + 0.3

    def progress(stage, done, total):
        if time.monotonic() > asked:
            raise Cancelled()

    with pytest.raises(Cancelled):
        sample_video(greys, (None, None, 1), 8, progress)
    assert time.monotonic() - asked < 4


def test_the_mask_is_the_first_of_those_that_the_job_will_use():
    frames, _ = clip_over(scenery(), count=6)
    clip = VideoClip(frames, 25.0, np.arange(6))
    found = examine(clip, AnimateOptions())
    wanted = find_masks(clip)
    assert found.mask_method == wanted.method == "rembg"
    solid, truth = found.mask > 0.5, wanted.masks[0] > 0.5
    assert (solid & truth).sum() / (solid | truth).sum() > 0.97
    assert np.abs(found.mask - wanted.masks[0]).mean() < 0.01


def test_given_masks_are_read_at_the_first_used_frame(tmp_path, greys):
    masks = np.zeros((90, 120, 160, 3), np.uint8)
    for index, mask in enumerate(masks):
        mask[:, : 20 + index] = 255
    write_video(tmp_path / "masks.mp4", masks)
    found = examine(greys, AnimateOptions(frames=(40, None, 1), mask=str(tmp_path / "masks.mp4")))
    assert found.mask_method == "given"
    assert (found.mask > 0.5).mean() == pytest.approx(60 / 160, abs=0.02)
    write_video(tmp_path / "few.mp4", masks[:30])
    with pytest.raises(Motion324Error) as caught:
        examine(greys, AnimateOptions(mask=str(tmp_path / "few.mp4")))
    assert caught.value.exit_code == EXIT_BAD_VIDEO


def test_nothing_to_see_is_said():
    clip = VideoClip(np.full((5, 64, 64, 3), 255, np.uint8), 25.0, np.arange(5))
    with pytest.raises(Motion324Error) as caught:
        examine(clip, AnimateOptions())
    assert caught.value.exit_code == EXIT_NO_FOREGROUND


def test_the_command_leaves_both_pictures_and_tells_what_it_found(tmp_path, example, capsys):
    mesh, video = example
    status = main(["examine", str(video), "--mesh", str(mesh), "-o", str(tmp_path / "out"), "--json"])
    assert status == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frame_count"], told["used_count"], told["size"], told["fps"]) == (29, 29, [512, 512], 15.0)
    assert told["mask_method"] == "plain"
    assert told["view"]["azimuth"] == pytest.approx(40.0, abs=2)
    assert told["view"]["elevation"] == pytest.approx(12.0, abs=2)
    assert told["silhouette_overlap"] > 0.95
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["frame.png", "mask.png"]
    mask = cv2.imread(str(tmp_path / "out" / "mask.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (512, 512)
    wanted = find_masks(read_video(video)).masks[0]
    np.testing.assert_allclose(mask / 255, wanted, atol=0.01)


def test_cuts_and_the_cameras_motion_are_told_as_the_job_tells_them():
    noise = np.random.default_rng(1).uniform(40, 220, (32, 50, 3)).astype(np.float32)
    wide = cv2.resize(noise, (400, 256), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    frames, _ = clip_over(np.stack([wide[:, 8 * k : 8 * k + 256] for k in range(12)]), count=12)
    panning = VideoClip(frames, 25.0, np.arange(3, 15), name="pan.mp4")
    codes = {warning["code"] for warning in examine(panning, AnimateOptions()).warnings}
    assert "camera-motion-removed" in codes
    still = examine(panning, AnimateOptions(camera="still")).warnings
    assert not {warning["code"] for warning in still} & {"camera-motion-removed", "camera-moves"}


def test_what_only_neighbours_tell_takes_no_longer_than_some_seconds(greys, monkeypatch):
    """Also where the first frame lies far behind the beginning, which has to be decoded up to it."""
    few = sample_video(greys, (0, None, 1), 4, silent).clip
    masks = np.zeros((1, *few.frames.shape[1:3]), np.float32)
    monkeypatch.setattr(neighbouring_frames, "SECONDS", 0.0)
    assert neighbouring_frames.passing_remarks(greys, few, masks, AnimateOptions(), silent) == ()
    seen = []

    def slowly(stage, done, total):
        seen.append(stage)
        time.sleep(0.02)

    monkeypatch.setattr(neighbouring_frames, "SECONDS", 0.3)
    late = sample_video(greys, (80, None, 1), 4, silent).clip
    assert neighbouring_frames.passing_remarks(greys, late, masks, AnimateOptions(), slowly) == ()
    assert len(seen) < 40


@pytest.mark.parametrize(
    ("name", "said"),
    [("hard_cut.mp4", "The picture jumps in frame 8"), ("camera_pans_dog_stands.mp4", "The camera moves in frames")],
)
def test_a_case_is_told_before_the_job(name, said):
    if not (CASES / name).is_file():
        pytest.skip(f"shared/cases/{name} is not here")
    began = time.monotonic()
    told = [warning["sentence"] for warning in examine(CASES / name, AnimateOptions()).warnings]
    assert any(sentence.startswith(said) for sentence in told), told
    assert time.monotonic() - began < 60


def test_the_view_of_a_dog_of_30_pixels_is_right_or_told_to_be_rough():
    if not (CASES / "dog_30_pixels_wide.mp4").is_file():
        pytest.skip("shared/cases/dog_30_pixels_wide.mp4 is not here")
    found = examine(CASES / "dog_30_pixels_wide.mp4", AnimateOptions(), read_mesh(SHIBA))
    off = (found.view.azimuth - 40 + 180) % 360 - 180, found.view.elevation - 12
    told = [warning["sentence"] for warning in found.warnings]
    assert np.abs(off).max() < 12 or any("pixels" in sentence and "rough" in sentence for sentence in told), (off, told)


def test_the_command_leaves_nothing_where_it_fails(tmp_path, capsys):
    assert main(["examine", str(tmp_path / "none.mp4"), "-o", str(tmp_path / "out")]) == EXIT_BAD_VIDEO
    assert not (tmp_path / "out").exists()
    assert "none.mp4" in capsys.readouterr().err


@pytest.fixture
def example(request):
    folder = request.config.rootpath / "examples"
    return folder / "shiba.glb", folder / "shiba.mp4"


@pytest.mark.parametrize("blank", [1, 2, 7, 20])
def test_the_look_begins_at_the_first_frame_that_shows_something_as_the_job_does(tmp_path, blank):
    frames = clip_over(np.full((256, 256, 3), 240, np.float32), count=30)[0]
    frames[:blank] = 0
    write_video(tmp_path / "late.mp4", frames)
    found = examine(tmp_path / "late.mp4", AnimateOptions())
    assert found.frame_number == blank
    assert found.used_count == 30 - blank
    assert found.mask_method == "plain"
    (warning,) = found.warnings
    assert warning["code"] == "first-frame-without-object"
    assert f"--frames {blank}:" in warning["sentence"]


def test_pictures_that_find_no_room_are_told_by_their_names(tmp_path, full_disk):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    found = SimpleNamespace(frame=noise, mask=np.ones((64, 64), np.float32))
    with full_disk(), pytest.raises(Motion324Error, match=r"no room for '.*/frame\.png'"):
        _write_pictures(tmp_path, found)
