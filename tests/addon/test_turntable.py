"""Turntables: the object moves, the camera goes around it, and the scene stays as it is."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.shapes import ball, finish, rest
from addon.wobble import wobble


@pytest.fixture
def turntable(addon):
    module = addon("scene.turntable")
    try:
        module.check_renderer("WORKBENCH")
    except Exception as error:
        pytest.skip(str(error))
    return module


@pytest.fixture
def moving_ball(addon, tmp_path):
    obj = ball()
    addon("scene.point_cache").keep(
        obj, wobble(rest(obj), 9), addon("scene.timing").Timing(5, 1, 9), tmp_path / "cache.pc2"
    )
    return obj


def pixels_of(path):
    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)[::-1, :, :3]
    bpy.data.images.remove(image)
    return pixels


def covered(pixels):
    """How many pixels are not background."""
    return int((pixels.min(axis=2) < 0.9).sum())


def test_pictures_show_the_object_at_its_frames_on_a_plain_background(turntable, moving_ball, tmp_path):
    bpy.context.scene.frame_set(7)
    before = sorted(scene.name for scene in bpy.data.scenes), sorted(obj.name for obj in bpy.data.objects)
    settings = turntable.Turntable(size=64)
    steps = list(turntable.render_turntable(moving_ball, tmp_path / "pictures", 5, 13, settings))
    assert steps == [(index, 9) for index in range(1, 10)]
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in pictures] == [f"{frame:04d}.png" for frame in range(5, 14)]
    first, last = pixels_of(pictures[0]), pixels_of(pictures[-1])
    assert first.shape == (64, 64, 3) and (first[0, 0] > 0.99).all()
    assert covered(last) > 1.2 * covered(first) > 200  # it grows
    edge = np.ones((64, 64), bool)
    edge[1:-1, 1:-1] = False
    assert (last[edge] > 0.9).all()  # and stays in the picture
    after = sorted(scene.name for scene in bpy.data.scenes), sorted(obj.name for obj in bpy.data.objects)
    assert after == before and bpy.context.scene.frame_current == 7


def test_the_camera_goes_around(turntable, tmp_path):
    obj = ball()
    obj.scale = (1, 0.2, 1)
    settings = turntable.Turntable(size=64, elevation=0, turns=0.5)
    finish(turntable.render_turntable(obj, tmp_path / "pictures", 1, 4, settings))
    front, _, side, _ = (covered(pixels_of(path)) for path in sorted((tmp_path / "pictures").iterdir()))
    assert side < 0.4 * front


def test_a_video_has_all_frames_at_the_scenes_rate(turntable, moving_ball, tmp_path):
    bpy.context.scene.render.fps = 16
    path = tmp_path / "turn.mp4"
    finish(turntable.render_turntable(moving_ball, path, 5, 13, turntable.Turntable(size=63)))
    clip = bpy.data.movieclips.load(str(path))
    assert (clip.frame_duration, tuple(clip.size), round(clip.fps)) == (9, (64, 64), 16)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cache.pc2", "turn.mp4"]


def test_a_turntable_that_is_stopped_leaves_nothing(turntable, moving_ball, tmp_path):
    steps = turntable.render_turntable(moving_ball, tmp_path / "turn.mp4", 5, 13, turntable.Turntable(size=64))
    next(steps)
    steps.close()
    assert not (tmp_path / "turn.mp4").exists()
    assert len(bpy.data.scenes) == 1 and len(bpy.data.objects) == 1 and not bpy.data.worlds


def test_cycles_renders_without_a_graphics_driver(addon, moving_ball, tmp_path):
    module = addon("scene.turntable")
    settings = module.Turntable(engine="CYCLES", size=32, samples=1)
    finish(module.render_turntable(moving_ball, tmp_path / "pictures", 5, 5, settings))
    assert covered(pixels_of(tmp_path / "pictures" / "0005.png")) > 50


def test_what_cannot_be_rendered_is_told(addon, moving_ball, tmp_path, monkeypatch):
    from motion324.errors import Motion324Error

    module = addon("scene.turntable")
    with pytest.raises(Motion324Error, match=r"cannot be written as 'turn\.gif'. Use a name that ends in \.mp4"):
        finish(module.render_turntable(moving_ball, tmp_path / "turn.gif", 1, 2))

    def no_library(name):
        raise OSError(name)

    monkeypatch.setattr(module.ctypes, "CDLL", no_library)
    monkeypatch.setattr(module.sys, "platform", "linux")
    with pytest.raises(Motion324Error, match=r"libEGL is missing. Install it .* or choose Cycles"):
        finish(module.render_turntable(moving_ball, tmp_path / "turn.mp4", 1, 2))
