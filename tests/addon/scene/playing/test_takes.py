"""Takes are written in parts, between which Blender's window lives on, and before anything of their object changes."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from addon.rigged_bodies import animation_of
from addon.shapes import ball, finish, rest
from addon.wobble import wobble

FRAMES = 12


@pytest.fixture
def takes(addon, monkeypatch, tmp_path):
    """All takes are long here."""
    module = addon("scene.playing.takes")
    monkeypatch.setattr(module, "LONG", 1)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    return module


@pytest.fixture
def animation(addon):
    obj = ball()
    return animation_of(addon, obj, wobble(rest(obj), FRAMES))


@pytest.fixture(params=["shape keys", "point cache"])
def keep(addon, request, tmp_path):
    """keep(animation): the steps of keeping it."""
    keeping = addon("scene.playing.keeping")
    if request.param == "shape keys":
        return lambda animation: keeping.keep_all_as_shape_keys([animation])
    return lambda animation: keeping.keep_all_as_point_caches([animation], [tmp_path / "cache/ball.pc2"])


def _files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_take_is_written_in_parts_that_numpy_reads_as_one(takes, animation, tmp_path, monkeypatch):
    monkeypatch.setattr(takes, "STEP_BYTES", 2 * animation.positions[0].nbytes)
    steps = list(takes.write_all_in_steps([animation]))
    assert len(steps) == FRAMES / 2
    written = finish(takes.write_all_in_steps([animation]))
    takes.store(animation.target.get(), animation, written[0])
    (take,) = takes.takes_of(animation.target.get())
    np.testing.assert_array_equal(takes.read(animation.target.get(), take).positions, animation.positions)
    with np.load(tmp_path / "scene_motion324" / take.file) as found:
        assert found["frame_numbers"].tolist() == list(range(FRAMES))


def test_what_is_stopped_before_its_end_leaves_no_take(takes, keep, animation, tmp_path, monkeypatch):
    monkeypatch.setattr(takes, "STEP_BYTES", 1)
    obj, before = animation.target.get(), _files(tmp_path)
    for stopped in (1, 5, FRAMES + 3, 2 * FRAMES):
        steps = keep(animation)
        for _ in range(stopped):
            next(steps)
        steps.close()
        assert _files(tmp_path) == before and not takes.takes_of(obj) and not obj.modifiers
        assert obj.data.shape_keys is None
    finish(keep(animation))
    assert len(takes.takes_of(obj)) == 1 and len(_files(tmp_path)) > len(before)


def test_a_take_that_cannot_be_written_leaves_the_object_as_it_was(takes, keep, animation, tmp_path):
    from motion324.core.errors import Motion324Error

    (tmp_path / "scene_motion324").write_text("a file is in the way")
    obj, before = animation.target.get(), _files(tmp_path)
    with pytest.raises(Motion324Error, match="could not be written"):
        finish(keep(animation))
    assert _files(tmp_path) == before and not obj.modifiers and obj.data.shape_keys is None
    assert not list(obj.keys())


def test_a_long_take_without_a_place_leaves_none_noted_whose_data_went(takes, keep, animation, monkeypatch):
    monkeypatch.setattr(takes, "LONG", 1 << 30)
    finish(keep(animation))
    obj = animation.target.get()
    assert len(takes.takes_of(obj)) == 1
    takes.store(obj, animation, None)
    assert takes.takes_of(obj) == [] and not [name for name in list(obj.keys()) if name.startswith(takes.DATA)]
