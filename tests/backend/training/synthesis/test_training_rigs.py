"""Rigs are read as they are meant, their skeletons are guessed, and the split by model holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training_rig import bar_rig, write_rigs

from motion324.core.errors import Motion324Error
from motion324.training.clips.split import (
    BOXES_COUNT,
    HELD_OUT,
    MANY_BODIES_COUNT,
    MANY_PARTS_COUNT,
    draw_weights,
    family,
)
from motion324.training.synthesis.rigs import read_rig, read_rigs, skinned

RIGS = Path(__file__).parents[5] / "shared" / "train_rigs"


def test_a_rig_is_normalised_by_its_first_pose(tmp_path):
    folder = write_rigs(tmp_path / "rigs", ["a__one", "b__two"])
    for rig in read_rigs(folder):
        posed = skinned(rig.vertices, rig.joints, rig.weights, rig.clips[0][0])
        assert np.allclose(posed, rig.rest, atol=1e-6)
        assert np.ptp(rig.rest, axis=0).max() == pytest.approx(1, abs=1e-5)
        assert np.allclose(rig.rest.max(axis=0), -rig.rest.min(axis=0), atol=1e-5)


def test_the_skeleton_is_a_chain_that_turns_where_the_boxes_meet(tmp_path):
    np.savez(tmp_path / "bar.npz", **bar_rig(4, 0))
    rig = read_rig(tmp_path / "bar.npz")
    skeleton = rig.skeleton
    links = {tuple(sorted((j, int(p)))) for j, p in enumerate(skeleton.parents) if p < 4}
    assert links == {(0, 1), (1, 2), (2, 3)}
    for joint, parent in enumerate(skeleton.parents):
        if parent < 4:
            assert np.allclose(skeleton.pivots[joint], [0, max(joint, parent), 0], atol=0.15)


def test_joints_that_always_move_alike_are_one(tmp_path):
    arrays = bar_rig(3, 0)
    for key in ("clip0", "clip1"):
        arrays[key][:, 2] = arrays[key][:, 1]
    np.savez(tmp_path / "bar.npz", **arrays)
    assert read_rig(tmp_path / "bar.npz").skeleton.leaders.tolist() == [0, 1, 1]


def test_files_that_are_no_rigs_are_named(tmp_path):
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(Motion324Error) as caught:
        read_rig(tmp_path / "broken.npz")
    assert caught.value.code == "rig-broken" and "broken.npz" in str(caught.value)
    (tmp_path / "empty.npz").write_bytes(b"")
    with pytest.raises(Motion324Error):
        read_rig(tmp_path / "empty.npz")
    arrays = bar_rig(2, 0)
    arrays["clip0"][3, 1, 0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", **arrays)
    with pytest.raises(Motion324Error):
        read_rig(tmp_path / "nan.npz")
    with pytest.raises(Motion324Error) as caught:
        read_rigs(tmp_path / "nothing")
    assert caught.value.code == "rigs-missing"


def test_large_families_are_drawn_less_often_per_model():
    weights = draw_weights(["fish__a", "fish__b", "fish__c", "fish__d", "dog__a"])
    assert sum(weights) == pytest.approx(1)
    assert weights[4] == pytest.approx(2 * weights[0])


def test_models_with_one_body_are_drawn_as_often_as_one_and_those_of_boxes_less():
    weights = draw_weights(["dog__a", *(f"kaykit__{name}" for name in "abcd"), "people__a"])
    assert sum(weights[1:5]) == pytest.approx(weights[0])
    assert weights[5] == pytest.approx(BOXES_COUNT * weights[0])


def test_many_procedural_creatures_are_drawn_no_more_often_than_some():
    weights = draw_weights(["dog__a", *(f"creature_snake__{number:03d}" for number in range(64))])
    assert sum(weights[1:]) == pytest.approx(3 * weights[0])
    few = draw_weights(["dog__a", *(f"creature_snake__{number:03d}" for number in range(4))])
    assert sum(few[1:]) == pytest.approx(2 * few[0])


@pytest.mark.skipif(not RIGS.is_dir(), reason="the training rigs are not here")
def test_the_models_held_out_exist_and_share_no_animated_family_with_the_others():
    names = {path.stem for path in RIGS.glob("*.npz")}
    assert names >= HELD_OUT
    whole = {"animated_men_characters", "animated_women_characters", "kaykit_adventurers", "cute_fish_pack"}
    whole |= {"kaykit_character_animations", "fruit_characters_animated", "ultimate_space_pack"}
    assert not whole & {family(name) for name in HELD_OUT}


def test_many_bodies_count_more_and_machines_of_many_parts_less():
    usual, animal, ship = draw_weights(["a__1", "zeroad__bear", "zeroad_ship__trireme"])
    assert animal == pytest.approx(MANY_BODIES_COUNT * usual) and ship == pytest.approx(MANY_PARTS_COUNT * usual)
