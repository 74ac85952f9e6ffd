"""Turntables: the object moves, the camera goes around it, and the scene stays as it is."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from addon.shapes import ball, finish, rest
from addon.wobble import wobble


@pytest.fixture
def turntable(addon):
    module = addon("scene.showing.turntable")
    try:
        module.check_renderer("WORKBENCH")
    except Exception as error:
        pytest.skip(str(error))
    return module


@pytest.fixture
def moving_ball(addon, tmp_path):
    obj = ball()
    addon("scene.playing.point_cache").keep(
        obj, wobble(rest(obj), 9), addon("scene.playing.timing").Timing(5, 1, 9), tmp_path / "cache.pc2"
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


def test_four_views_lie_in_one_picture(addon, turntable, tmp_path):
    obj = ball()
    obj.scale = (1, 0.2, 1)  # wide from the front and behind, narrow from both sides
    settings = turntable.Turntable(size=64, elevation=0, layout="FOUR_VIEWS")
    finish(turntable.render_turntable(obj, tmp_path / "pictures", 1, 2, settings))
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["0001.png", "0002.png"]
    whole = pixels_of(tmp_path / "pictures" / "0001.png")
    assert whole.shape == (128, 128, 3)
    front, right, back, left = whole[:64, :64], whole[:64, 64:], whole[64:, :64], whole[64:, 64:]
    assert covered(front) == pytest.approx(covered(back), rel=0.1)
    assert covered(right) == pytest.approx(covered(left), rel=0.1)
    assert 50 < covered(right) < 0.4 * covered(front)


def test_the_benchmark_preset_leaves_a_white_video_of_each_side(addon, turntable, moving_ball, tmp_path):
    from motion324.core.options.turntable_settings import BENCHMARK, Turntable

    sides = Turntable(size=512, look="WHITE", layout="SEPARATE", elevation=0, azimuth=0, fps=16)
    assert sides == BENCHMARK
    small = dataclasses.replace(sides, size=32)
    finish(turntable.render_turntable(moving_ball, tmp_path / "out" / "ball.mp4", 5, 8, small))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [path.name for path in turntable.written(tmp_path / "out" / "ball.mp4", small)]
    assert names == ["ball_000.mp4", "ball_090.mp4", "ball_180.mp4", "ball_270.mp4"]
    for name in names:
        clip = bpy.data.movieclips.load(str(tmp_path / "out" / name))
        assert (clip.frame_duration, tuple(clip.size), round(clip.fps)) == (4, (32, 32), 16)
    finish(turntable.render_turntable(moving_ball, tmp_path / "pictures", 5, 6, small))
    assert [p.name for p in sorted((tmp_path / "pictures" / "270").iterdir())] == ["0005.png", "0006.png"]


def test_seconds_decide_how_long_it_lasts_and_the_animation_begins_anew(turntable, moving_ball, tmp_path):
    bpy.context.scene.render.fps = 10
    settings = turntable.Turntable(size=32, seconds=0.5, turns=0)
    finish(turntable.render_turntable(moving_ball, tmp_path / "pictures", 5, 7, settings))
    pictures = [pixels_of(path) for path in sorted((tmp_path / "pictures").iterdir())]
    assert len(pictures) == 5
    np.testing.assert_array_equal(pictures[3], pictures[0])
    assert np.abs(pictures[2] - pictures[0]).max() > 0.1


def test_transparent_pictures_have_an_alpha_and_videos_cannot(turntable, moving_ball, tmp_path):
    from motion324.core.errors import Motion324Error

    settings = turntable.Turntable(size=32, look="TRANSPARENT", layout="FOUR_VIEWS")
    finish(turntable.render_turntable(moving_ball, tmp_path / "pictures", 5, 5, settings))
    image = bpy.data.images.load(str(tmp_path / "pictures" / "0005.png"))
    alpha = np.array(image.pixels[:]).reshape(64, 64, 4)[..., 3]
    assert alpha[0, 0] == 0 and alpha[16, 16] > 0.99
    with pytest.raises(Motion324Error, match=r"An MP4 cannot be transparent\. Choose a folder"):
        finish(turntable.render_turntable(moving_ball, tmp_path / "turn.mp4", 5, 5, settings))


def test_three_lights_before_grey(turntable, moving_ball, tmp_path):
    settings = turntable.Turntable(size=32, look="THREE_POINT")
    finish(turntable.render_turntable(moving_ball, tmp_path / "pictures", 5, 5, settings))
    pixels = pixels_of(tmp_path / "pictures" / "0005.png")
    assert 0.2 < pixels[0, 0].mean() < 0.5
    assert not bpy.data.lights and not bpy.data.cameras


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"look": "GREEN"}, r"option look is 'GREEN'; it must be one of WHITE, TRANSPARENT, THREE_POINT"),
        ({"layout": 4}, r"layout is 4; it must be a text"),
        ({"engine": "POVRAY"}, r"engine is 'POVRAY'; it must be one of WORKBENCH, EEVEE, CYCLES"),
        ({"seconds": -1}, "seconds is -1; it must lie between 0 and 86400"),
        ({"size": "large"}, "size is 'large'; it must be a whole number"),
        ({"size": 10**400}, "size is a number of more than 80 digits; it must lie between 1 and 4096"),
        ({"turns": float("inf")}, "turns is inf; it must be a finite number"),
        ({"look": "TRANSPARENT"}, "An MP4 cannot be transparent"),
        ({"wobble": 1}, "The turntable's option wobble is not known"),
        (["look"], "The turntable's option"),
    ],
)
def test_a_batch_is_told_about_wrong_settings_before_it_begins(addon, tmp_path, settings, text):
    from motion324.core.errors import Motion324Error
    from motion324.core.jobs.job_item import parse_item

    line = {"mesh": "Ball", "video": "ball.mp4", "outputs": {"turntable": "ball_turn.mp4"}, "turntable": settings}
    with pytest.raises(Motion324Error, match=text):
        parse_item(json.dumps(line), tmp_path)


def test_several_objects_are_shown_together(turntable, tmp_path):
    one, other = ball("One"), ball("Other")
    other.location.x = 3
    settings = turntable.Turntable(size=64, elevation=0)
    finish(turntable.render_turntable(one, tmp_path / "pictures", 1, 1, settings, [other]))
    pixels = pixels_of(tmp_path / "pictures" / "0001.png")
    assert covered(pixels[:, :32]) > 100 and covered(pixels[:, 32:]) > 100


def test_the_button_takes_its_settings_or_the_preset(addon, turntable, moving_ball, tmp_path):
    moving_ball["motion324_frames"] = [5, 6]
    done = bpy.ops.motion324.turntable(
        filepath=str(tmp_path / "own"), size=32, look="TRANSPARENT", layout_kind="FOUR_VIEWS", seconds=0.125
    )
    assert done == {"FINISHED"} and len(list((tmp_path / "own").iterdir())) == 3
    with pytest.raises(RuntimeError, match=r"cannot be written as 'turn\.gif'"):
        bpy.ops.motion324.turntable(filepath=str(tmp_path / "turn.gif"))


def test_the_files_can_be_chosen_and_a_transparent_background_chooses_pictures(addon):
    module = addon("operators.showing")
    assert bpy.ops.motion324.turntable.get_rna_type().properties["file_format"].enum_items.keys() == ["MP4", "PNG"]

    def checked(**chosen):
        browser = SimpleNamespace(**{"preset": "NONE", "look": "WHITE", "file_format": "MP4", **chosen})
        changed = module.MOTION324_OT_turntable.check(browser, bpy.context)
        return browser.filepath, browser.file_format, changed

    assert checked(filepath="/tmp/turn", file_format="MP4") == ("/tmp/turn.mp4", "MP4", True)
    assert checked(filepath="/tmp/turn.mp4", file_format="PNG") == ("/tmp/turn", "PNG", True)
    assert checked(filepath="/tmp/shots.v2", file_format="PNG") == ("/tmp/shots.v2", "PNG", False)
    assert checked(filepath="/tmp/turn.mp4", look="TRANSPARENT") == ("/tmp/turn", "PNG", True)
    assert checked(filepath="/tmp/turn.mp4", look="TRANSPARENT", preset="BENCHMARK") == ("/tmp/turn.mp4", "MP4", False)


def test_chosen_pictures_are_written_whatever_the_name_says(addon, turntable, moving_ball, tmp_path):
    moving_ball["motion324_frames"] = [5, 5]
    path = str(tmp_path / "turn.mp4")
    done = bpy.ops.motion324.turntable(filepath=path, file_format="PNG", size=32, look="TRANSPARENT")
    assert done == {"FINISHED"} and [entry.name for entry in (tmp_path / "turn").iterdir()] == ["0005.png"]


def test_cycles_renders_without_a_graphics_driver(addon, moving_ball, tmp_path):
    module = addon("scene.showing.turntable")
    settings = module.Turntable(engine="CYCLES", size=32, samples=1)
    finish(module.render_turntable(moving_ball, tmp_path / "pictures", 5, 5, settings))
    assert covered(pixels_of(tmp_path / "pictures" / "0005.png")) > 50


def test_what_cannot_be_rendered_is_told(addon, moving_ball, tmp_path, monkeypatch):
    from motion324.core.errors import Motion324Error

    module = addon("scene.showing.turntable")
    with pytest.raises(Motion324Error, match=r"cannot be written as 'turn\.gif'. Use a name that ends in \.mp4"):
        finish(module.render_turntable(moving_ball, tmp_path / "turn.gif", 1, 2))

    def no_library(name):
        raise OSError(name)

    monkeypatch.setattr(module.ctypes, "CDLL", no_library)
    monkeypatch.setattr(module.sys, "platform", "linux")
    with pytest.raises(Motion324Error, match=r"libEGL is missing. Install it .* or choose Cycles"):
        finish(module.render_turntable(moving_ball, tmp_path / "turn.mp4", 1, 2))
