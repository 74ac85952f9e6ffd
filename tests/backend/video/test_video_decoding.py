"""Videos and folders of images are read frame by frame, in order, at a size that fits into memory."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from motion324.cli.main import main
from motion324.core.errors import EXIT_BAD_VIDEO, Cancelled, Motion324Error
from motion324.core.files.input_files import natural_order
from motion324.video import source
from motion324.video.decoding import read_video


def write_video(
    path: Path, count: int, fps: float = 12.0, size: tuple[int, int] = (64, 48), codec: str = "MJPG"
) -> Path:
    """Frame k is a plain grey of 10 k + 20 with a red left half."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for index in range(count):
        frame = np.full((size[1], size[0], 3), 10 * (index % 20) + 20, np.uint8)
        frame[:, : size[0] // 2] = (0, 0, 255)
        writer.write(frame)
    writer.release()
    return path


def write_images(folder: Path, count: int, shape: tuple[int, ...] = (48, 64, 3), suffix: str = ".png") -> Path:
    folder.mkdir()
    for index in range(count):
        Image.fromarray(np.full(shape, 20 * index, np.uint8)).save(folder / f"f{index}{suffix}")
    return folder


def shown(clip) -> list[int]:
    """Which frames of write_video these are."""
    return np.round((clip.frames[:, 24, -8].mean(axis=1) - 20) / 10).astype(int).tolist()


def refused(code: str, path: Path, frames=(None, None, 1)) -> Motion324Error:
    with pytest.raises(Motion324Error) as caught:
        read_video(path, frames)
    assert (caught.value.code, caught.value.exit_code) == (code, EXIT_BAD_VIDEO)
    assert str(path) in caught.value.sentence or str(path.name) in caught.value.sentence
    return caught.value


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mov", "mp4v"), ("a.mkv", "mp4v"), ("a.webm", "VP80")]
)
def test_containers_are_read_in_rgb(tmp_path, name, codec):
    clip = read_video(write_video(tmp_path / name, 6, codec=codec))
    assert clip.frames.shape == (6, 48, 64, 3) and clip.frames.dtype == np.uint8
    assert clip.fps == pytest.approx(12, rel=0.01)
    assert shown(clip) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(clip.frames[0, 24, 10], [255, 0, 0], atol=12)
    assert clip.alpha is None and clip.warnings == ()


def test_animated_gif_is_read(tmp_path):
    pages = [Image.fromarray(np.full((48, 64, 3), 60 * k, np.uint8)) for k in range(4)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=100, loop=0)
    clip = read_video(tmp_path / "a.gif")
    np.testing.assert_allclose(clip.frames[:, 20, 20, 0], [0, 60, 120, 180], atol=4)
    assert clip.fps == pytest.approx(10)


@pytest.mark.parametrize(
    "frames",
    [(2, None, 3), (None, 5, 1), (3, 4, 1), (4, 9, 2), (-4, None, 1), (-5, -1, 2), (None, 100, 4), (1, -1, 3)],
)
def test_ranges_are_those_of_a_python_slice(tmp_path, frames):
    expected = list(range(12))[slice(*frames)]
    write_video(tmp_path / "a.avi", 12)
    if len(expected) == 1:
        assert "only 1 frame in the range" in refused("video-one-frame", tmp_path / "a.avi", frames).sentence
        return
    clip = read_video(tmp_path / "a.avi", frames)
    assert clip.frame_numbers.tolist() == shown(clip) == expected
    assert clip.fps == pytest.approx(12 / frames[2])


def test_folders_are_read_in_natural_order(tmp_path, caplog):
    folder = write_images(tmp_path / "shots", 12)
    (folder / "notes.txt").write_text("not a frame")
    clip = read_video(folder, (1, None, 5))
    assert clip.frames[:, 0, 0, 0].tolist() == [20, 120, 220]
    assert clip.frame_numbers.tolist() == [1, 6, 11]
    assert clip.fps == pytest.approx(24 / 5) and "24 frames per second are assumed" in caplog.text
    names = [Path(name) for name in ("b1", "a10", "A9", "a9b", "2", "10")]
    assert [path.name for path in sorted(names, key=natural_order)] == ["2", "10", "A9", "a9b", "a10", "b1"]


@pytest.mark.parametrize("suffix", [".webp", ".jpg", ".bmp", ".tiff"])
def test_images_of_all_kinds_are_read(tmp_path, suffix):
    clip = read_video(write_images(tmp_path / "shots", 3, suffix=suffix))
    np.testing.assert_allclose(clip.frames[:, 20, 20], np.repeat([[0], [20], [40]], 3, axis=1), atol=2)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_alpha_is_kept_and_what_it_hides_is_white(tmp_path, suffix):
    image = np.full((40, 40, 4), (200, 100, 50, 255), np.uint8)
    image[:, 20:] = (7, 7, 7, 0)
    image[:10, :10, 3] = 128
    folder = tmp_path / "cut"
    folder.mkdir()
    for index in range(2):
        Image.fromarray(image).save(folder / f"{index}{suffix}", lossless=True)
    clip = read_video(folder)
    np.testing.assert_array_equal(clip.alpha[1], image[..., 3])
    assert clip.frames[0, 30, 30].tolist() == [255, 255, 255]
    assert clip.frames[0, 5, 5].tolist() == [200, 100, 50]


@pytest.mark.parametrize("side", [12_000, 20_000])
def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_decoded(tmp_path, side):
    """One beyond our limit, and one beyond Pillow's."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))  # the rest is never asked for
    folder = tmp_path / "shots"
    folder.mkdir()
    for index in range(2):
        picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        (folder / f"{index}.png").write_bytes(picture)
    with pytest.raises(Motion324Error, match=r"0\.png' has more than 134,217,728 pixels") as caught:
        read_video(folder)
    assert caught.value.exit_code == EXIT_BAD_VIDEO


def test_sixteen_bits_grey_and_jpeg_rotation(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    for index in range(2):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((8, 8, 3), 256 * 100 + 77, np.uint16))
    assert (read_video(folder).frames == 100).all()
    folder = tmp_path / "grey"
    folder.mkdir()
    for index in range(2):
        cv2.imwrite(str(folder / f"{index}.tif"), np.full((8, 8), 90, np.uint8))
    assert (read_video(folder).frames == 90).all()
    folder = tmp_path / "phone"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    for index in range(2):
        Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(folder / f"{index}.jpg", exif=exif)
    assert read_video(folder).frames.shape == (2, 40, 20, 3)


def test_large_frames_are_reduced_while_they_are_read(tmp_path, monkeypatch):
    clip = read_video(write_video(tmp_path / "wide.avi", 3, size=(2048, 512)))
    assert clip.frames.shape == (3, 256, 1024, 3)
    monkeypatch.setattr(source, "FRAME_BYTES", 3 * 3 * 600 * 150)
    assert read_video(tmp_path / "wide.avi").frames.shape == (3, 150, 600, 3)
    monkeypatch.setattr(source, "FRAME_BYTES", 1)
    assert read_video(tmp_path / "wide.avi").frames.shape == (3, 96, 384, 3)
    assert read_video(tmp_path / "wide.avi", reduce=False).frames.shape == (3, 512, 2048, 3)


def test_reduced_alpha_does_not_bleed(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "LONGEST_SIDE", 32)
    image = np.zeros((64, 64, 4), np.uint8)
    image[:, :31] = (200, 100, 50, 255)
    folder = tmp_path / "cut"
    folder.mkdir()
    for index in range(2):
        Image.fromarray(image).save(folder / f"{index}.png")
    clip = read_video(folder)
    assert clip.alpha[0, 0].tolist() == [255] * 15 + [128] + [0] * 16
    np.testing.assert_allclose(clip.frames[0, 0, 15], [200, 100, 50], atol=1)


def test_progress_is_told_and_cancelling_stops(tmp_path):
    seen = []
    read_video(write_video(tmp_path / "a.avi", 9), (3, None, 2), lambda *step: seen.append(step))
    assert seen[0] == ("read", 0, 3) and seen[-1] == ("read", 3, 3)
    assert all(0 <= done <= total for _, done, total in seen)

    def cancel(stage: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_video(tmp_path / "a.avi", progress=cancel)


def test_what_is_not_a_video_is_refused(tmp_path):
    refused("video-missing", tmp_path / "gone.mp4")
    (tmp_path / "text.mp4").write_text("this is no video")
    refused("video-unreadable", tmp_path / "text.mp4")
    (tmp_path / "empty").mkdir()
    refused("video-no-images", tmp_path / "empty")
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    assert "folder" in refused("video-one-frame", tmp_path / "one.png").hint
    write_video(tmp_path / "short.avi", 1)
    assert "only 1 frame; at least 2 are needed" in refused("video-one-frame", tmp_path / "short.avi").sentence
    error = refused("frames-outside-video", write_video(tmp_path / "a.avi", 5), (7, None, 1))
    assert "5 frames" in error.sentence and "7::1" in error.sentence


def test_images_that_differ_in_size_or_are_broken_are_named(tmp_path):
    folder = write_images(tmp_path / "mixed", 3)
    Image.new("RGB", (10, 10)).save(folder / "f2.png")
    assert "f2.png" in refused("video-sizes-differ", folder).sentence.replace(str(folder), folder.name)
    (folder / "f2.png").write_bytes(b"broken")
    assert "f2.png" in refused("video-unreadable", folder).sentence.replace(str(folder), folder.name)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.webm", "VP80")])
def test_a_video_cut_in_the_middle_gives_its_readable_part(tmp_path, name, codec):
    data = write_video(tmp_path / name, 60, codec=codec, size=(320, 240)).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 6 // 10])
    clip = read_video(tmp_path / name)
    assert 10 < len(clip.frames) < 50
    np.testing.assert_allclose(clip.frames[:, 120, -8, 0], [10 * (k % 20) + 20 for k in clip.frame_numbers], atol=6)
    (warning,) = clip.warnings
    assert warning["code"] == "video-cut-short" and name in warning["sentence"]
    assert read_video(tmp_path / name, (0, 5, 1)).warnings == ()


def moov_first(data: bytes) -> bytes:
    """An MP4 whose index follows its samples -> one whose index comes first, as videos for the web have it."""
    boxes, position = [], 0
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        boxes.append(data[position : position + size])
        position += size
    (moov,) = (bytearray(box) for box in boxes if box[4:8] == b"moov")
    table = moov.find(b"stco") + 8
    (count,) = struct.unpack_from(">I", moov, table)
    for entry in range(table + 4, table + 4 + 4 * count, 4):
        struct.pack_into(">I", moov, entry, struct.unpack_from(">I", moov, entry)[0] + len(moov))
    rest = [box for box in boxes[1:] if box[4:8] != b"moov"]
    return b"".join([boxes[0], bytes(moov), *rest])


def test_an_mp4_cut_in_the_middle_gives_its_readable_part(tmp_path):
    data = moov_first(write_video(tmp_path / "a.mp4", 60, codec="mp4v", size=(320, 240)).read_bytes())
    (tmp_path / "a.mp4").write_bytes(data)
    whole = read_video(tmp_path / "a.mp4")
    assert len(whole.frames) == 60 and whole.warnings == ()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) * 6 // 10])
    clip = read_video(tmp_path / "a.mp4")
    assert 10 < len(clip.frames) < 60
    assert [warning["code"] for warning in clip.warnings] == ["video-cut-short"]
    (tmp_path / "a.mp4").write_bytes(write_video(tmp_path / "b.mp4", 60, codec="mp4v").read_bytes()[:2000])
    refused("video-unreadable", tmp_path / "a.mp4")


def test_a_variable_frame_rate_becomes_an_even_one_of_the_same_length(tmp_path):
    pages = [Image.fromarray(np.full((48, 64, 3), 25 * k, np.uint8)) for k in range(8)]
    held = [100, 100, 400, 100, 100, 100, 400, 100]  # milliseconds: shown at 0, 100, 200, 600, 700, 800, 900, 1300
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=held, loop=0)
    clip = read_video(tmp_path / "a.gif")
    assert clip.fps == pytest.approx(7 / 1.3)
    assert clip.frame_numbers.tolist() == [0, 2, 2, 3, 4, 6, 7, 7]  # at 0, 186, 371, 557, 743, 929, 1114, 1300
    np.testing.assert_allclose(clip.frames[:, 20, 20, 0], 25 * clip.frame_numbers, atol=4)
    assert [warning["code"] for warning in clip.warnings] == ["video-frame-rate-varies"]


@pytest.mark.parametrize(("matrix", "shape"), [((0, 1, -1, 0), (64, 48)), ((-1, 0, 0, -1), (48, 64))])
def test_rotation_stored_by_a_phone_is_applied(tmp_path, matrix, shape):
    data = bytearray(write_video(tmp_path / "flat.mp4", 4, codec="mp4v").read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # ISO 14496-12, version 0: the matrix comes after 40 bytes
    a, b, c, d = (value << 16 for value in matrix)
    assert struct.unpack_from(">9i", data, place) == (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    clip = read_video(tmp_path / "turned.mp4")
    assert clip.frames.shape == (4, *shape, 3)
    red = clip.frames[0, :12].mean(axis=(0, 1)) if shape == (64, 48) else clip.frames[0, :, -12:].mean(axis=(0, 1))
    np.testing.assert_allclose(red, [255, 0, 0], atol=20)  # the left half has come to the top, or to the right


def test_images_become_a_video(tmp_path, capsys):
    folder = write_images(tmp_path / "shots", 11)
    assert main(["images-to-video", str(folder), "-o", str(tmp_path / "a.mp4"), "--fps", "10"]) == 0
    assert "11 frames" in capsys.readouterr().out
    clip = read_video(tmp_path / "a.mp4")
    np.testing.assert_allclose(clip.frames[:, 20, 20, 0], 20 * np.arange(11), atol=6)
    assert clip.fps == pytest.approx(10)
    Image.new("RGB", (10, 10)).save(folder / "f11.png")
    assert main(["images-to-video", str(folder), "-o", str(tmp_path / "b.mp4")]) == EXIT_BAD_VIDEO
    assert "f11.png" in capsys.readouterr().err and not (tmp_path / "b.mp4").exists()
    assert main(["images-to-video", str(folder), "-o", str(tmp_path / "b.avi")]) == 2


def test_4k_at_60_frames_a_second_is_never_in_memory_as_a_whole(tmp_path):
    path = write_video(tmp_path / "large.avi", 30, fps=60.0, size=(3840, 2160))  # 0.75 GB of pixels
    program = (
        "import sys; from motion324.core.processes.machine import peak_memory\n"
        "import motion324.video.decoding as d; before = peak_memory()\n"
        "clip = d.read_video(sys.argv[1])\n"
        "assert clip.frames.shape == (30, 576, 1024, 3) and clip.fps == 60, clip.frames.shape\n"
        "print((peak_memory() - before) / 1e6)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 500  # megabytes; the clip itself has 53
