"""Videos that are not as they should be, on the whole way from a video alone; the files are made here."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from foreground_clips import scenery
from from_video_harness import run, without_reconstruction

from motion324.cli.main import main
from motion324.core.errors import EXIT_BAD_VIDEO, EXIT_NO_FOREGROUND
from motion324.mesh.files.reading import read_mesh
from motion324.video import source

WIDTH, HEIGHT, COUNT = 160, 120, 8


@pytest.fixture(autouse=True)
def reconstructor(monkeypatch):
    return without_reconstruction(monkeypatch)


def picture(*squares: tuple[int, int, int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """(left, top, side) each, red on white."""
    frame = np.full((size[1], size[0], 3), 255, np.uint8)
    for left, top, side in squares:
        frame[max(0, top) : top + side, max(0, left) : max(0, left + side)] = (200, 30, 20)
    return frame


def write(path: Path, frames: list[np.ndarray], codec: str = "MJPG", fps: float = 12.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, frames[0].shape[1::-1])
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame[..., ::-1])
    writer.release()
    return path


def refused(video: Path, out: Path, capsys, code: int, *options: str) -> str:
    """The one sentence on stderr; nothing but the stages before lies in the folder."""
    assert main(["from-video", str(video), "-o", str(out), *options]) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert not (out / "mesh.glb").exists() and not (out / "index.html").exists()
    return line


def codes(summary: dict) -> set[str]:
    return {warning["code"] for warning in summary["warnings"]}


@pytest.mark.parametrize("mask", ["auto", "plain", "rembg"])
def test_no_object_in_an_empty_picture(tmp_path, capsys, mask):
    video = write(tmp_path / "white.avi", [picture()] * COUNT)
    line = refused(video, tmp_path / "out", capsys, EXIT_NO_FOREGROUND, "--mask", mask)
    assert "No object was found in 'white.avi'" in line


def test_no_object_in_scenery(tmp_path, capsys):
    noise = np.random.default_rng(0).normal(0, 6, (COUNT, HEIGHT, WIDTH, 3))
    land = np.where(np.arange(HEIGHT)[:, None, None] < HEIGHT // 2, [150, 180, 230], [90, 120, 60])
    video = write(tmp_path / "landscape.avi", list(np.clip(land + noise, 0, 255).astype(np.uint8)))
    assert "landscape.avi" in refused(video, tmp_path / "out", capsys, EXIT_NO_FOREGROUND)


def test_several_objects_are_told_and_the_mesh_shows_what_the_mask_does(tmp_path, capsys):
    video = write(tmp_path / "two.avi", [picture((20 + k, 20, 40), (100 + k, 60, 40)) for k in range(COUNT)])
    summary = run(video, tmp_path / "out", capsys)
    assert "several-objects" in codes(summary)
    assert "2 objects" in (tmp_path / "out/index.html").read_text()
    assert json.loads((tmp_path / "out/report.json").read_text())["silhouette_overlap"] >= 0.97


def test_an_object_that_leaves_the_picture_is_told_by_its_frames(tmp_path, capsys):
    video = write(tmp_path / "leaving.avi", [picture((40 + 30 * k, 40, 40)) for k in range(COUNT)])
    summary = run(video, tmp_path / "out", capsys)
    sentences = {warning["code"]: warning["sentence"] for warning in summary["warnings"]}
    assert "frame 3 " in sentences["object-leaves-frame"]
    assert "frames 4-7 " in sentences["mask-empty"]
    assert summary["frames"] == COUNT


def test_an_object_that_is_not_there_yet_in_the_first_frame_is_waited_for_and_told(tmp_path, capsys):
    frames = [picture(), *(picture((10 + 8 * k, 40, 40)) for k in range(COUNT - 1))]
    video = write(tmp_path / "late.avi", frames)
    told = run(video, tmp_path / "out", capsys)
    assert told["frames"] == COUNT - 1
    assert any("--frames 1:" in warning["sentence"] for warning in told["warnings"])


def test_a_video_of_one_frame(tmp_path, capsys):
    video = write(tmp_path / "single.avi", [picture((40, 40, 40))])
    line = refused(video, tmp_path / "out", capsys, EXIT_BAD_VIDEO)
    assert "only 1 frame" in line and "at least 2" in line


def test_a_portrait_video_of_a_phone_stands_upright(tmp_path, capsys):
    """Stored lying on its side, with a flag that turns it: ISO 14496-12, the matrix of the track's header."""
    upright = [picture((30, 20 + 4 * k, 60), (45, 80 + 4 * k, 30), size=(HEIGHT, WIDTH)) for k in range(4)]
    lying = [np.ascontiguousarray(np.rot90(frame)) for frame in upright]
    data = bytearray(write(tmp_path / "flat.mp4", lying, "mp4v").read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", data, place, 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    (tmp_path / "phone.mp4").write_bytes(data)
    run(tmp_path / "phone.mp4", tmp_path / "out", capsys)
    mask = cv2.imread(str(tmp_path / "out/masks/frame_0000.png"), cv2.IMREAD_GRAYSCALE)
    assert mask.shape == (WIDTH, HEIGHT)
    solid = (picture((30, 20, 60), (45, 80, 30), size=(HEIGHT, WIDTH))[..., 1] < 128) == (mask > 127)
    assert solid.mean() > 0.98
    positions = read_mesh(tmp_path / "out/mesh.glb").positions
    widths = [np.ptp(positions[np.abs(positions[:, 1] - height) < 0.1, 0]) for height in (0.25, -0.4)]
    assert widths[0] > 1.5 * widths[1]  # the broad part is above


@pytest.mark.parametrize("part", [0.4, 0.7])
def test_of_a_file_that_was_cut_off_the_readable_part_is_used_with_a_warning(tmp_path, capsys, part):
    textured = [
        np.where(picture((20 + k, 30, 60)) == 255, 255, scenery(0, 160)[:HEIGHT]).astype(np.uint8) for k in range(30)
    ]
    whole = write(tmp_path / "whole.avi", textured).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: int(len(whole) * part)])
    summary = run(tmp_path / "cut.avi", tmp_path / "out", capsys)
    assert 0.6 * part * 30 < summary["frames"] <= part * 30 + 1
    assert "video-cut-short" in codes(summary)
    assert "cut short" in (tmp_path / "out/index.html").read_text()


def test_a_file_whose_end_was_lost_with_its_index_is_refused(tmp_path, capsys):
    data = write(tmp_path / "whole.mp4", [picture((20 + k, 30, 60)) for k in range(30)], "mp4v").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    assert "cut.mp4" in refused(tmp_path / "cut.mp4", tmp_path / "out", capsys, EXIT_BAD_VIDEO)


def test_more_frames_than_memory_is_meant_to_hold_are_refused_with_a_way_out(tmp_path, capsys, monkeypatch):
    video = write(tmp_path / "long.avi", [picture((20 + k, 30, 60)) for k in range(30)])
    monkeypatch.setattr(source, "MOST_BYTES", 10 * WIDTH * HEIGHT * 3)
    line = refused(video, tmp_path / "out", capsys, EXIT_BAD_VIDEO)
    assert "30 frames" in line and "10" in line
    assert run(video, tmp_path / "out", capsys, "--video-fps", "4")["frames"] == 10


@pytest.mark.long
def test_4k_at_60_frames_a_second_takes_bounded_memory_up_to_the_mesh(tmp_path):
    """1.2 GB of pixels before scenery, so that the network looks at them: frames, masks and crops are made."""
    behind = cv2.resize(scenery(0, 256), (3840, 2160)).astype(np.uint8)
    writer = cv2.VideoWriter(str(tmp_path / "large.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 60.0, (3840, 2160))
    for index in range(48):
        frame = behind.copy()
        cv2.circle(frame, (1500 + 12 * index, 1100), 600, (20, 40, 220), -1)
        writer.write(frame)
    writer.release()
    program = (
        "import sys; from pathlib import Path\n"
        "from motion324.core.errors import Cancelled; from motion324.from_video import chain, run\n"
        "from motion324.core.processes.machine import peak_memory\n"
        "from motion324.core.options.mesh_settings import MeshSettings\n"
        "from motion324.core.options.animate_options import AnimateOptions\n"
        "from motion324.video.foreground.saliency import load_network; load_network(); before = peak_memory()\n"
        "def stop(*_, **__): raise Cancelled\n"
        "chain.animate = stop\n"
        "try: run.from_video(Path(sys.argv[1]), Path(sys.argv[2]), AnimateOptions(), MeshSettings())\n"
        "except Cancelled: print((peak_memory() - before) / 1e6)\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "large.avi"), str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / "out/frames/frame_0047.png")).shape == (576, 1024, 3)
    assert (tmp_path / "out/mesh.glb").exists()
    assert float(done.stdout) < 1000  # megabytes; the clip itself has 85, its masks 113
