"""Videos as cameras, editors and phones write them: alpha, shapes of pixels, mirrors, codecs, HDR, fields."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, features

from motion324.core.clip import VideoClip
from motion324.core.errors import EXIT_BAD_VIDEO, Motion324Error
from motion324.core.progress import silent
from motion324.video.decoding import read_video
from motion324.video.foreground.given_or_plain import given_masks
from motion324.video.foreground.provider import find_masks
from motion324.video.sampling import sample_video
from motion324.video.thumbnail import thumbnail

CASES = Path(__file__).resolve().parents[3].parent / "shared" / "cases"
ROWS, COLUMNS = np.mgrid[:96, :128]


def case(name: str) -> Path:
    path = CASES / name
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str,
    pix_fmt: str,
    kind: str = "rgb24",
    times: list[int] | None = None,
    **context: object,
) -> Path:
    """frames (H, W, C); times: in hundredths of a second; context: attributes of the encoder's context."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.pix_fmt = pix_fmt
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 100)
        frames = list(frames)
        stream.height, stream.width = frames[0].shape[:2]
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format=kind)
            if kind in ("gray", "gray16le"):
                frame = frame.reformat(format=pix_fmt)
            frame.color_range = 1
            for name in ("colorspace", "color_trc", "color_primaries"):
                if name in context:
                    setattr(frame, name, context[name])
            frame.pts, frame.time_base = (index, Fraction(1, 10)) if times is None else (times[index], Fraction(1, 100))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def disc(index: int) -> np.ndarray:
    """(96, 128) bool, as in the shared cases: it moves right by 6 pixels a frame."""
    return (COLUMNS - 30 - 6 * index) ** 2 + (ROWS - 48) ** 2 < 20**2


def hidden_red(index: int) -> np.ndarray:
    """A blue disc; around it alpha 0 over red."""
    image = np.zeros((96, 128, 4), np.uint8)
    image[..., 0] = 255
    image[disc(index)] = (0, 0, 255, 255)
    return image


def check_discs(clip: VideoClip, count: int, colour: tuple[int, int, int]) -> None:
    assert clip.frames.shape == (count, 96, 128, 3) and clip.alpha is not None
    for mode in ("auto", "alpha"):
        found = find_masks(clip, mode)
        assert found.method == "alpha"
        for index, mask in enumerate(found.masks):
            assert np.mean((mask > 0.5) != disc(index)) < 0.005
    assert (clip.frames[0][~disc(0) & (clip.alpha[0] == 0)] == 255).all()
    np.testing.assert_allclose(clip.frames[3, 48, 48], colour, atol=6)


@pytest.mark.parametrize("name", ["alpha_prores4444.mov", "alpha_animation.mov"])
def test_alpha_of_editors_files_is_the_mask(name):
    clip = read_video(case(name))
    check_discs(clip, 10, (40, 160, 220))
    assert clip.fps == pytest.approx(10) and clip.warnings == ()
    few = sample_video(case(name), (2, None, 1), 4, silent).clip
    assert few.alpha is not None and np.array_equal(few.alpha, clip.alpha[few.frame_numbers])
    assert thumbnail(case(name), 4)[0, 0, 3] == 0


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.webm", "libvpx-vp9", "yuva420p"), ("a.mkv", "ffv1", "yuva444p"), ("a.mov", "png", "rgba")],
)
def test_alpha_of_other_codecs_is_the_mask(tmp_path, name, codec, pix_fmt):
    clip = read_video(encode(tmp_path / name, map(hidden_red, range(8)), codec, pix_fmt, "rgba"))
    check_discs(clip, 8, (0, 0, 255))


def test_an_animated_png_is_a_video_and_its_alpha_the_mask(tmp_path):
    path = encode(tmp_path / "a.apng", map(hidden_red, range(8)), "apng", "rgba", "rgba")
    check_discs(read_video(path.rename(tmp_path / "a.png")), 8, (0, 0, 255))


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_an_animated_picture_is_a_video_and_its_alpha_the_mask(tmp_path, suffix):
    if not features.check(suffix[1:]):
        pytest.skip("this Pillow was built without it")
    path = tmp_path / f"a{suffix}"
    first, *rest = [Image.fromarray(hidden_red(index)) for index in range(8)]
    lossless = {"lossless": True} if suffix == ".webp" else {"quality": 100, "subsampling": "4:4:4"}
    first.save(path, save_all=True, append_images=rest, duration=100, **lossless)
    clip = read_video(path)
    check_discs(clip, 8, (0, 0, 255))
    assert clip.fps == pytest.approx(10) and clip.warnings == ()
    few = sample_video(path, (2, None, 1), 4, silent)
    assert (few.frame_count, few.used) == (8, 6)
    assert np.array_equal(few.clip.alpha, clip.alpha[few.clip.frame_numbers])
    assert thumbnail(path, 4)[0, 0, 3] == 0
    first.save(path, save_all=True, append_images=rest, duration=[100, 100, 600, *[100] * 5])
    uneven = read_video(path)
    assert uneven.fps == pytest.approx(7 / 1.2, rel=0.01) and uneven.warnings[0]["code"] == "video-frame-rate-varies"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(Motion324Error) as caught:
        read_video(path)
    assert caught.value.exit_code == EXIT_BAD_VIDEO


def test_a_still_picture_is_named_as_one(tmp_path):
    for name in ("b.webp", "b.png", "b.jpg"):
        Image.fromarray(hidden_red(0)).convert("RGB").save(tmp_path / name)
        with pytest.raises(Motion324Error, match="is a single image"):
            read_video(tmp_path / name)


def with_sound(path: Path, frames: int, seconds: float, begins: float = 0.0, poster: bool = False) -> Path:
    """A video of 10 frames per second that begins after so many seconds, and sound of so many from 0 on."""
    with av.open(str(path), "w") as container:
        still = container.add_stream("mjpeg", rate=10, width=64, height=48, pix_fmt="yuvj420p") if poster else None
        video = container.add_stream("mpeg4", rate=10, width=64, height=48, pix_fmt="yuv420p")
        sound = container.add_stream("mp3" if path.suffix == ".flv" else "mp2", rate=44100)
        sound.layout = "mono"
        if still is not None:
            container.mux(still.encode(av.VideoFrame(64, 48, "yuvj420p")))
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * index, np.uint8), format="rgb24")
            frame.pts = index + round(10 * begins)
            frame.time_base = Fraction(1, 10)
            container.mux(video.encode(frame))
        for index in range(round(seconds * 44100 / 1152)):
            kind = "fltp" if path.suffix == ".flv" else "s16"
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), {"fltp": "f4", "s16": "i2"}[kind]), kind, "mono")
            frame.sample_rate, frame.pts = 44100, 1152 * index
            container.mux(sound.encode(frame))
        for stream in filter(None, (still, video, sound)):
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("begins", [0.0, 1.5])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_sound_that_lasts_longer_makes_no_video_that_is_cut_short(tmp_path, suffix, begins):
    path = with_sound(tmp_path / f"a{suffix}", 9, 4.0, begins)
    clip = read_video(path)
    assert len(clip.frames) == 9 and clip.warnings == ()
    sample = sample_video(path, (None, None, 1), 5, silent)
    assert sample.frame_count == 9 and len(sample.clip.frames) == 5 and sample.clip.warnings == ()


def test_a_video_with_sound_that_is_cut_short_is_told(tmp_path):
    path = with_sound(tmp_path / "a.mkv", 30, 3.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = read_video(path)
    assert len(clip.frames) < 25 and clip.warnings[0]["code"] == "video-cut-short"


def avi_with_dropped(path: Path, shown: list[int]) -> Path:
    """25 frames a second, of which those that are not shown are kept as empty chunks, as screen recorders do."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25, width=64, height=48, pix_fmt="yuvj420p")
        for number in shown:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_an_avi_with_dropped_frames_is_not_cut_short(tmp_path):
    path = avi_with_dropped(tmp_path / "every_third.avi", list(range(0, 50, 3)))
    clip = read_video(path)
    assert clip.warnings == () and len(clip.frames) == 17 and clip.fps == pytest.approx(25 / 3)
    sample = sample_video(path, (None, None, 1), 5, silent)
    assert sample.frame_count == 17 and len(sample.clip.frames) == 5 and sample.clip.warnings == ()
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert [each["code"] for each in read_video(path).warnings] == ["video-cut-short"]


def test_frames_that_an_avi_drops_for_a_while_last_longer(tmp_path):
    clip = read_video(avi_with_dropped(tmp_path / "a.avi", [*range(10), *range(30, 40)]))
    assert [each["code"] for each in clip.warnings] == ["video-frame-rate-varies"] and len(clip.frames) == 20
    assert clip.fps == pytest.approx(19 / (39 / 25))
    before = clip.frame_numbers[np.arange(20) / clip.fps * 25 < 19]
    assert before.max() == 9 and (before == 9).sum() > 3


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".webm"])
def test_few_frames_at_a_high_rate_are_not_cut_short(tmp_path, suffix):
    """Such files have no count of frames, and a screen recorder's last as long as each stays on the screen."""
    times = [0, 10, 11, 12, 40, 50, 51, 90, 100, 110]  # at a rate of 100
    codec, pix_fmt = ("libvpx", "yuv420p") if suffix == ".webm" else ("mpeg2video", "yuv420p")
    frames = [np.full((96, 128, 3), 20 * index, np.uint8) for index in range(10)]
    path = tmp_path / f"screen{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, width=128, height=96, pix_fmt=pix_fmt)
        for moment, image in zip(times, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = moment, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = read_video(path)
    assert len(clip.frames) == 10 and [each["code"] for each in clip.warnings] == ["video-frame-rate-varies"]
    if suffix == ".mkv":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "video-cut-short" in [each["code"] for each in read_video(path).warnings]


def test_a_matroska_that_begins_late_is_not_cut_short(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, width=64, height=48, pix_fmt="yuv420p")
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = 125 + index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = read_video(path)
    assert clip.warnings == () and len(clip.frames) == 10 and clip.fps == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_poster_before_the_video_is_not_taken_for_it(tmp_path, suffix):
    assert len(read_video(with_sound(tmp_path / f"a{suffix}", 9, 1.0, poster=True)).frames) == 9


def test_alpha_that_hides_nothing_is_none(tmp_path):
    opaque = [np.full((96, 128, 4), (9, 99, 200, 255), np.uint8)] * 3
    assert read_video(encode(tmp_path / "a.mov", opaque, "png", "rgba", "rgba")).alpha is None


def test_pixels_that_are_not_square_are_made_so():
    clip = read_video(case("pixels_twice_as_wide.mp4"))
    assert clip.frames.shape[1:] == (96, 256, 3)
    blue = clip.frames[0, :, :, 2].astype(int) - clip.frames[0, :, :, 0] > 60
    rows, columns = np.nonzero(blue)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(2, rel=0.05)
    assert thumbnail(case("pixels_twice_as_wide.mp4"), 0).shape[:2] == (96, 256)
    assert sample_video(case("pixels_twice_as_wide.mp4"), (None, None, 1), 3, silent).size == (256, 96)


def test_a_mirrored_picture_is_mirrored_and_not_turned():
    clip = read_video(case("mirrored_left_right.mp4"))
    corners = [clip.frames[0, row, column] for row in (10, -10) for column in (10, -10)]
    for corner, colour in zip(corners, [(0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 255)], strict=True):
        np.testing.assert_allclose(corner, colour, atol=6)  # green red over white blue


def test_av1_is_read():
    clip = read_video(case("av1.mp4"))
    assert clip.frames.shape == (10, 96, 128, 3) and clip.warnings == ()


@pytest.mark.parametrize("tag", ["BRAW", "icod"])  # no decoder knows the first; the second's does not know the data
def test_a_codec_that_cannot_be_decoded_is_named_with_a_remedy(tmp_path, tag):
    data = bytearray(case("av1.mp4").read_bytes())
    place = data.index(b"av01", data.index(b"stsd"))
    data[place : place + 4] = tag.encode()
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(Motion324Error) as caught:
        read_video(tmp_path / "a.mp4")
    assert caught.value.code == "video-unreadable"
    assert f"'{'aic' if tag == 'icod' else tag}'" in caught.value.sentence and "libx264" in caught.value.hint


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(Motion324Error, match="only sound"):
        read_video(tmp_path / "a.mp4")


def test_ten_bits_become_eight(tmp_path):
    greys = [np.full((48, 64), value * 257, np.uint16) for value in (30, 120, 210)]
    clip = read_video(encode(tmp_path / "a.mkv", greys, "ffv1", "yuv420p10le", "gray16le"))
    np.testing.assert_allclose(clip.frames.mean(axis=(1, 2, 3)), [30, 120, 210], atol=1.5)
    assert clip.warnings == ()


def test_colours_follow_the_matrix_that_the_file_names(tmp_path):
    """Y'CbCr (63, 102, 240) is pure red by BT.709, and another by BT.601, which counts where a file names none."""
    planes = np.concatenate([np.full((48, 64), v, np.uint8) for v in (63, 102, 240)]).astype(np.uint8)
    red = [planes.reshape(3 * 48, 64)] * 2
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.pix_fmt, stream.width, stream.height = "yuv444p", 64, 48
        stream.codec_context.colorspace = 1
        for index, image in enumerate(red):
            frame = av.VideoFrame(64, 48, "yuv444p")
            for plane, values in zip(frame.planes, image.reshape(3, 48, 64), strict=True):
                plane.update(np.pad(values, ((0, 0), (0, plane.line_size - 64))).tobytes())
            frame.pts, frame.colorspace = index, 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    np.testing.assert_allclose(read_video(tmp_path / "a.mkv").frames[0, 20, 20], [255, 0, 0], atol=4)


@pytest.mark.parametrize(("transfer", "paper"), [(18, 0.75), (16, 0.58)])  # HLG and PQ; signal of 203 cd/m2, BT.2408
def test_hdr_becomes_srgb_and_is_told(tmp_path, transfer, paper):
    greys = [np.full((48, 64), round(65535 * value), np.uint16) for value in (paper, 0.3 * paper, 1.0)]
    path = encode(
        tmp_path / "a.mkv",
        greys,
        "ffv1",
        "yuv420p10le",
        "gray16le",
        color_trc=transfer,
        color_primaries=9,
        colorspace=9,
    )
    clip = read_video(path)
    white, dark, glare = clip.frames.mean(axis=(1, 2, 3))
    assert 220 < white < 245 and dark < 90 and 253 < glare <= 255
    (warning,) = clip.warnings
    assert warning["code"] == "video-hdr" and ("HLG" if transfer == 18 else "PQ") in warning["sentence"]
    assert np.ptp(clip.frames[0].astype(int)) <= 1  # grey stays grey


def test_of_interlaced_frames_one_moment_is_shown_and_that_is_told(tmp_path):
    def woven(index: int) -> np.ndarray:
        image = np.full((96, 128, 3), 255, np.uint8)
        image[::2][disc(2 * index)[::2]] = (0, 0, 255)
        image[1::2][disc(2 * index + 1)[1::2]] = (0, 0, 255)
        return image

    path = tmp_path / "a.mpg"
    options = {"flags": "+ildct+ilme", "top": "1", "b": "4000000"}
    clip = read_video(encode(path, map(woven, range(6)), "mpeg2video", "yuv420p", options=options))
    assert clip.frames.shape[1:] == (96, 128, 3)
    assert [warning["code"] for warning in clip.warnings] == ["video-interlaced"]
    blue = clip.frames[2, :, :, 0] < 128
    assert np.mean(blue != disc(4)) < 0.01  # of both moments together it would be 0.02 and more
    assert sample_video(path, (None, None, 1), 3, silent).clip.warnings == clip.warnings


def test_masks_of_a_variable_frame_rate_belong_to_the_frames_that_are_shown(tmp_path):
    """30 frames of which the first half is shown five times as long: once by their true times, and not twice."""
    times = [10 * min(k, 15) + 2 * max(k - 15, 0) for k in range(30)]
    pictures = [np.full((96, 128, 3), 200, np.uint8) for _ in times]
    masks = [np.full((96, 128, 3), 8 * k + 8, np.uint8) for k in range(len(times))]
    video = encode(tmp_path / "a.mkv", pictures, "ffv1", "yuv444p", times=times)
    clip = read_video(video)
    assert [warning["code"] for warning in clip.warnings] == ["video-frame-rate-varies"]
    even = np.linspace(0, times[-1], len(clip.frames))
    assert np.abs(np.array(times)[clip.frame_numbers] - even).max() <= 5
    for given in (
        encode(tmp_path / "same times.mkv", masks, "ffv1", "yuv444p", times=times),
        encode(tmp_path / "even.mkv", masks, "ffv1", "yuv444p"),
    ):
        found = given_masks(clip, given, silent).mean(axis=(1, 2)) * 255
        np.testing.assert_allclose(found, 8 * clip.frame_numbers + 8, atol=1.5)


def test_the_video_is_shut_when_reading_is_cancelled_or_done(tmp_path):
    path = encode(tmp_path / "a.mkv", [np.zeros((48, 64, 3), np.uint8)] * 4, "ffv1", "yuv444p")
    read_video(path)
    open_files = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert str(path) not in open_files
