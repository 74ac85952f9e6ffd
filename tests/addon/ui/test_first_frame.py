"""The picture of the frame that a job begins with: made by a program of the backend's, never waited for."""

from __future__ import annotations

import os
import sys
import time

import bpy
import pytest

PROGRAM = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[0]).parent
module, video, number = sys.argv[-3:]
with (folder / "asked").open("a") as asked:
    print(module, number, file=asked)
time.sleep(0.2)
if number == "9":
    sys.exit("no such frame")
sys.stdout.buffer.write(b"2 1\\n" + bytes([int(number), 0, 0, 255, 0, 0, 255, 255]))
"""


@pytest.fixture
def first_frame(addon, tmp_path, monkeypatch):
    """The module, in a window whose timers a test runs; the backend's Python is a program that notes what is asked."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    launcher = tmp_path / "python"
    launcher.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n")
    launcher.chmod(0o755)
    monkeypatch.setenv("MOTION324_BACKEND_PYTHON", str(launcher))
    module = addon("ui.first_frame")
    monkeypatch.setattr(module, "is_background", lambda: False)
    monkeypatch.setattr(addon("ui.thumbnails"), "icon_of", lambda name: 1)  # Blender gives no icons without a window
    yield module
    module.forget()


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "fox.mp4"
    path.write_bytes(b"frames")
    return path


def settle(module) -> None:
    """Runs the timer until it ends."""
    until = time.monotonic() + 10
    while module._tick() is not None:
        assert time.monotonic() < until
        time.sleep(0.02)


def asked(tmp_path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


def first_pixel(addon) -> list[int]:
    preview = addon("ui.thumbnails")._previews[addon("ui.first_frame").NAME]
    return [round(255 * value) for value in preview.image_pixels_float[:4]]


def test_the_first_used_frame_is_shown_when_it_has_come(addon, first_frame, video, tmp_path):
    assert first_frame.icon_of(str(video), 3) == 0
    settle(first_frame)
    assert first_frame.icon_of(str(video), 3) != 0
    assert first_pixel(addon) == [3, 0, 0, 255]
    settle(first_frame)
    assert asked(tmp_path) == ["motion324.video.thumbnail 3"]


def test_while_another_one_is_chosen_the_last_one_stays_and_only_the_newest_is_made(
    addon, first_frame, video, tmp_path
):
    first_frame.icon_of(str(video), 0)
    settle(first_frame)
    for number in (1, 2, 3, 4):
        assert first_frame.icon_of(str(video), number) != 0
        first_frame._tick()
    settle(first_frame)
    assert asked(tmp_path) == [f"motion324.video.thumbnail {number}" for number in (0, 1, 4)]
    assert first_pixel(addon) == [4, 0, 0, 255]


def test_a_file_that_was_replaced_is_shown_anew(first_frame, video, tmp_path):
    first_frame.icon_of(str(video), 3)
    settle(first_frame)
    os.utime(video, (1, 1))
    assert first_frame.icon_of(str(video), 3) == 0
    settle(first_frame)
    assert first_frame.icon_of(str(video), 3) != 0 and len(asked(tmp_path)) == 2


def test_what_cannot_be_shown_is_not_tried_again(first_frame, video, tmp_path):
    for _ in range(2):
        assert first_frame.icon_of(str(video), 9) == 0
        settle(first_frame)
    assert len(asked(tmp_path)) == 1
    assert first_frame.icon_of(str(tmp_path / "none.mp4"), 0) == 0


def test_without_a_backend_on_this_machine_there_is_none(addon, first_frame, video, tmp_path, monkeypatch):
    monkeypatch.delenv("MOTION324_BACKEND_PYTHON")
    preferences = bpy.context.preferences.addons[addon("job.storage").ADDON].preferences
    preferences.backend, preferences.remote_address, preferences.remote_token = "REMOTE", "there:1", "secret"
    try:
        assert first_frame.icon_of(str(video), 3) == 0
        settle(first_frame)
        assert first_frame.icon_of(str(video), 3) == 0 and not (tmp_path / "asked").exists()
    finally:
        preferences.backend, preferences.remote_address, preferences.remote_token = "INSTALLED", "", ""
