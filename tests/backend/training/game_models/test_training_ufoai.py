"""Rigs from Quake II's format, as UFO: Alien Invasion stores its robots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_megaglest import FACES, nodding
from small_ufoai import PAINT, TABLE, md2, small_ufoai, walking

from motion324.core.errors import Motion324Error
from motion324.training.game_models.chosen_motion import posed
from motion324.training.game_models.ufoai.md2_files import read_md2
from motion324.training.game_models.ufoai.models import BODIES, animations, models


def test_a_model_is_read_with_y_up_and_its_outside_outside() -> None:
    poses = nodding([0, 0.5])
    model = read_md2(md2(poses), "spider.md2")
    assert np.abs(model.positions - poses).max() < 2 / 255
    assert (model.faces == FACES).all()
    assert (model.uv == 0.5).all()


@pytest.mark.parametrize("data", [b"", b"IDP2" + bytes(80), md2(nodding([0]))[:-9]])
def test_what_is_no_such_model_is_named(data: bytes) -> None:
    with pytest.raises(Motion324Error, match=r"'thing\.md2'"):
        read_md2(data, "thing.md2")


def test_each_piece_of_the_frames_is_one_animation() -> None:
    assert animations(TABLE, 24) == [(1, 12, 24.0, True), (13, 23, 12.0, False)]
    assert animations(TABLE, 20) == [(1, 12, 24.0, True)]  # too little is left of the other


def test_a_robot_becomes_a_skinned_model(tmp_path: Path) -> None:
    made = dict(models(small_ufoai(tmp_path)))
    assert set(made) == {f"ufoai__{name}" for name in BODIES}
    model = made["ufoai__alientank"]()
    assert model is not None
    assert [len(clip) for clip in model.clips] == [11, 20]
    assert (model.textures[0] == PAINT).all()
    fall = posed(model.vertices, model.joints, model.weights, model.clips[1])
    assert np.abs(fall[-1] - walking()[23]).max() < 0.05


def test_what_may_not_be_taken_is_left(tmp_path: Path) -> None:
    assert not list(models(small_ufoai(tmp_path, licence="GPL-2")))


def test_a_folder_without_the_game_is_told(tmp_path: Path) -> None:
    folder = small_ufoai(tmp_path)
    next(folder.rglob("*.pk3")).unlink()
    with pytest.raises(Motion324Error, match="ufoai-data"):
        list(models(folder))
