"""Rigs from Inter-Quake models, as the free characters of Cube 2 are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_cube2 import FACES, FUR, NOTES, VERTICES, animation, model, small_cube2

from motion324.core.errors import Motion324Error
from motion324.training.game_models.chosen_motion import posed
from motion324.training.game_models.cube2.iqm_files import read_animation, read_model
from motion324.training.game_models.cube2.models import PACKAGE, models


def test_a_model_is_read_with_y_up() -> None:
    read = read_model(model(), "frankie.iqm")
    assert np.allclose(read.vertices, VERTICES)
    assert (read.faces == FACES).all()
    assert (read.joints[:, 0] == np.repeat([0, 1], 8)).all()
    assert list(read.meshes) == ["Body"]
    assert list(read.parents) == [-1, 0]


def test_bones_turn_about_where_they_stand() -> None:
    read, nod = read_model(model(), "m"), read_animation(animation([0, np.pi / 2], 30), "a")
    assert nod.rate == 30
    poses = read.skinning(nod.places)
    assert np.allclose(poses[0], np.eye(4), atol=1e-4)
    moved = posed(read.vertices, read.joints, read.weights, poses[:, :, :3])[1]
    assert np.allclose(moved[:8], VERTICES[:8], atol=1e-3)
    assert np.allclose(moved[8:].mean(axis=0), [0, 1, 0.5], atol=1e-3)  # from above the joint to before it


@pytest.mark.parametrize("data", [b"", model()[:400], b"INTERQUAKEMODEL\0" + bytes(200)])
def test_what_is_no_such_model_is_named(data: bytes) -> None:
    for read in (read_model, read_animation):
        with pytest.raises(Motion324Error, match=r"'thing\.iqm'"):
            read(data, "thing.iqm")


def test_a_character_has_each_fitting_animation_once_as_fast_as_the_game_plays_it(tmp_path: Path) -> None:
    made = {name: make() for name, make in models(small_cube2(tmp_path))}
    assert set(made) == {"cube2__frankie", "cube2__snoutx10k"}
    frankie = made["cube2__frankie"]
    assert frankie is not None
    assert [len(clip) for clip in frankie.clips] == [10]  # 20 frames at 48 a second
    assert (frankie.textures[0] == FUR).all()
    assert np.allclose(
        posed(frankie.vertices, frankie.joints, frankie.weights, frankie.clips[0])[0], VERTICES, atol=1e-3
    )


def test_characters_that_may_not_be_taken_are_none(tmp_path: Path) -> None:
    folder = small_cube2(tmp_path)
    (folder / "usr/share/doc" / PACKAGE / "copyright").write_text(NOTES.replace("CC-BY-3.0", "GPL-2"))
    assert not list(models(folder))
