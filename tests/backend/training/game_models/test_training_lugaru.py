"""Rigs from the files of Lugaru: its formats, and parts that follow two joints and face where a limb bends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_lugaru import CLOTH, FUR, JOINTS, LABELS, LIMB, PARTS, animation, punching, skeleton, small_lugaru, solid

from motion324.core.errors import Motion324Error
from motion324.training.game_models.chosen_motion import posed
from motion324.training.game_models.lugaru.files import read_animation, read_skeleton, read_solid
from motion324.training.game_models.lugaru.models import LONGEST, SHORTEST, at_even_times, frames, models
from motion324.training.game_models.textured_model import TexturedModel


def rabbit(folder: Path, name: str = "lugaru_rabbit__bare") -> TexturedModel:
    model = dict(models(folder))[name]()
    assert model is not None
    return model


def test_a_body_stands_on_its_feet_about_its_skeleton() -> None:
    body, bones = read_solid(solid(), "Body.solid"), read_skeleton(skeleton(), "BasicFigure")
    assert np.allclose(bones.places, JOINTS)
    assert list(bones.labels) == LABELS
    for part, (vertices, (a, b)) in enumerate(zip(bones.vertices, bones.ends, strict=True)):
        assert (LABELS[a], LABELS[b]) == PARTS[part]
        middle = body.vertices[vertices].mean(axis=0)
        assert np.abs(middle - (bones.places[a] + bones.places[b]) / 2).max() < 0.11


@pytest.mark.parametrize(
    ("read", "data"),
    [(read_solid, solid()[:-8]), (read_skeleton, skeleton()[:-4]), (read_animation, animation(JOINTS[None], 1)[:60])],
)
def test_what_is_no_file_of_the_game_is_named(read: object, data: bytes) -> None:
    assert callable(read)
    for broken in (data, b""):
        with pytest.raises(Motion324Error, match="'thing'"):
            read(broken, "thing")


def test_parts_keep_their_shape_and_go_with_their_joints(tmp_path: Path) -> None:
    model = rabbit(small_lugaru(tmp_path))
    punch = max(model.clips, key=lambda clip: np.abs(clip[-1] - clip[0]).max())
    moved = posed(model.vertices, model.joints, model.weights, punch)
    assert np.allclose(moved[0], model.vertices, atol=1e-5)
    arm = PARTS.index(LIMB[:2])
    part = slice(8 * arm, 8 * arm + 8)
    assert np.allclose(
        np.linalg.norm(moved[:, part] - moved[:, part].mean(axis=1, keepdims=True), axis=2),
        np.linalg.norm(model.vertices[part] - model.vertices[part].mean(axis=0), axis=1),
        atol=1e-5,
    )
    ends = [LABELS.index(label) for label in LIMB[:2]]
    assert np.abs(moved[-1, part].mean(axis=0) - punching(-1.0)[ends].mean(axis=0)).max() < 0.15
    leg = PARTS.index((11, 14))
    assert np.allclose(moved[:, 8 * leg : 8 * leg + 8], model.vertices[8 * leg : 8 * leg + 8], atol=1e-5)


def test_an_arm_faces_where_its_elbow_points() -> None:
    bones = read_skeleton(skeleton(), "BasicFigure")
    bent = JOINTS.copy()
    bent[LABELS.index(LIMB[1])] += (0.8, 0, 0)
    upper = PARTS.index(LIMB[:2])
    facing = frames(bones, bent[None])[0, upper, :3, 2]
    straight = frames(bones, JOINTS[None])[0, upper, :3, 2]
    assert abs(facing[0]) > abs(straight[0]) + 0.3
    assert np.allclose(np.linalg.det(frames(bones, bent[None])[..., :3, :3]), 1)


def test_key_poses_take_the_time_that_they_say_and_loops_come_back() -> None:
    poses = np.stack([punching(angle) for angle in (0.0, -0.5, -1.0)])
    hit = read_animation(animation(poses, 4.0), "Punch")
    once, again = at_even_times(hit, goes_round=False), at_even_times(hit, goes_round=True)
    assert (len(once), len(again)) == (12, 18)  # half a second, and the way back
    assert np.allclose(once[[0, -1]], poses[[0, 2]], atol=1e-5)
    assert np.allclose(again[[0, 6, 12]], poses, atol=1e-5)
    assert len(at_even_times(read_animation(animation(poses, 99), "Fast"), False)) == SHORTEST
    assert len(at_even_times(read_animation(animation(poses, 0.01), "Slow"), False)) == LONGEST


def test_looks_of_one_body_share_its_animations_out(tmp_path: Path) -> None:
    folder = small_lugaru(tmp_path)
    clips = {name: len(rabbit(folder, name).clips) for name, _ in models(folder)}
    assert sum(count for name, count in clips.items() if "rabbit" in name) == 5
    assert sum(count for name, count in clips.items() if "wolf" in name) == 5
    assert min(clips.values()) > 0


def test_clothes_lie_over_the_fur(tmp_path: Path) -> None:
    folder = small_lugaru(tmp_path)
    assert np.abs(rabbit(folder).textures[0].astype(int) - FUR).max() < 3
    assert np.abs(rabbit(folder, "lugaru_rabbit__gi").textures[0].astype(int) - CLOTH).max() < 3


def test_a_folder_without_the_game_is_told(tmp_path: Path) -> None:
    with pytest.raises(Motion324Error, match="lugaru-data"):
        list(models(tmp_path))
