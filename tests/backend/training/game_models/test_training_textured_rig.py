"""Models with image textures become rigs with colours at vertices: what is divided, left out, merged and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motion324.training.game_models.chosen_motion import MOST_CLIPS, posed
from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.game_models.textured_rig import MOST_VERTICES, coloured, write_rig
from motion324.training.synthesis.rigs import read_rig

RED, BLUE = (220, 20, 20), (20, 20, 220)
SIDES = ((0, -1), (0, 1), (1, 0), (1, 0.5))  # of the strip: axis and place


def turning(angle: float, poses: int = 12) -> np.ndarray:
    """(T, 3, 4): about x, from 0 to the angle."""
    clip = np.tile(np.eye(3, 4), (poses, 1, 1))
    for pose, a in zip(clip, np.linspace(0, angle, poses), strict=True):
        pose[1:, 1:3] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    return clip


def strip(cuts: int = 1, border: int = 21, rows: int = 1) -> TexturedModel:
    """2 x 0.5 in quads, red on the left of texel `border` of 64 and blue on its right; the upper edge turns away."""
    xs, ys = np.linspace(-1, 1, cuts + 1), np.linspace(0, 0.5, rows + 1)
    vertices = np.array([[x, y, 0.1 * x * x] for y in ys for x in xs])
    corners = [row * (cuts + 1) + i for row in range(rows) for i in range(cuts)]
    quads = [(i, i + 1, cuts + 2 + i, cuts + 1 + i) for i in corners]
    faces = np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])
    uv = np.c_[(vertices[:, 0] + 1) / 2, 1 - vertices[:, 1] * 2][faces]
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :border], picture[:, border:] = RED, BLUE
    upper = vertices[:, 1] > 0.4
    still = np.tile(np.eye(3, 4), (12, 1, 1))
    return TexturedModel(
        name="strip",
        vertices=vertices,
        faces=faces,
        uv=uv,
        texture=np.zeros(len(faces), np.int64),
        textures=[picture],
        joints=np.c_[np.where(upper, 2, 0), np.ones(len(vertices)), np.zeros((len(vertices), 2))].astype(np.int64),
        weights=np.c_[np.full(len(vertices), 0.75), np.full(len(vertices), 0.25), np.zeros((len(vertices), 2))],
        clips=[np.stack([still, still, turning(1.0), turning(2.0)], axis=1)],
    )


def test_a_written_rig_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "game__strip.npz"
    assert write_rig(path, strip())
    rig = read_rig(path)
    assert np.abs(rig.weights.sum(axis=1) - 1).max() == 0
    assert len(rig.clips) == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_faces_are_divided_where_their_texture_changes_and_nowhere_else() -> None:
    vertices, faces, colours, _, _ = coloured(strip())
    assert 100 < len(vertices) <= MOST_VERTICES
    border = -1 + 2 * 21 / 64
    left, right = np.abs(vertices[:, 0] + 0.7) < 0.2, np.abs(vertices[:, 0] - 0.3) < 0.5  # textures repeat beyond 1
    assert np.abs(colours[left] * 255 - RED).max() < 2
    assert np.abs(colours[right] * 255 - BLUE).max() < 2
    near = np.abs(vertices[faces].mean(axis=1)[:, 0] - border) < 0.25
    assert near.mean() > 0.7
    one_colour = replace(strip(), textures=[np.full((8, 8, 3), 90, np.uint8)])
    assert len(coloured(one_colour)[0]) == 4


def test_colours_that_differ_clearly_at_one_place_have_vertices_of_their_own() -> None:
    model = strip(2, border=32)  # its middle edge lies on the border of the colours
    vertices, _, colours, _, _ = coloured(model)
    assert len(vertices) == 8
    assert min(np.abs(colours * 255 - RED).max(axis=1).min(), np.abs(colours * 255 - BLUE).max(axis=1).min()) < 2
    middle = colours[np.abs(vertices[:, 0]) < 1e-9]
    assert len(middle) == 4
    assert np.abs(middle[:, None] - middle[None]).max() > 0.7


def test_what_is_transparent_is_cut_away() -> None:
    model = strip()
    opacity = np.full((32, 64, 1), 255, np.uint8)
    opacity[:, 40:] = 0
    vertices, faces, _, _, _ = coloured(replace(model, textures=[np.dstack([model.textures[0], opacity])]))
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    whole = np.linalg.norm(np.cross([2, 0, 0], [0, 0.5, 0]))
    assert areas.sum() == pytest.approx(whole * 40 / 64, rel=0.02)
    assert vertices[np.unique(faces), 0].max() < -1 + 2 * 40 / 64 + 0.05


def test_no_gaps_open_where_faces_were_divided() -> None:
    model = strip(3)
    vertices, faces, _, joints, weights = coloured(model)
    moved = posed(vertices, joints, weights, model.clips[0])[-1]
    _, first, place = np.unique(np.round(np.c_[vertices, moved], 6), axis=0, return_index=True, return_inverse=True)
    at = place.reshape(-1)[faces]
    edges, count = np.unique(
        np.sort(np.concatenate([at[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1), axis=0, return_counts=True
    )
    ends = vertices[first][edges]
    sides = [(np.abs(ends[:, :, axis] - value) < 1e-9).all(axis=1) for axis, value in SIDES]
    assert len(edges) > 100
    assert (count == np.where(np.any(sides, axis=0), 1, 2)).all()


def test_what_does_not_move_or_falls_apart_is_no_rig(tmp_path: Path) -> None:
    model = strip()
    still = np.tile(np.eye(3, 4), (10, 4, 1, 1))
    apart = model.clips[0].copy()
    apart[:, 2:, 0, 3] += np.linspace(0, 9, 12)[:, None]
    assert not write_rig(tmp_path / "a.npz", replace(model, clips=[still]))
    assert not write_rig(tmp_path / "b.npz", replace(model, clips=[apart]))
    assert not write_rig(tmp_path / "c.npz", replace(model, clips=[model.clips[0] * np.nan]))
    assert list(tmp_path.iterdir()) == []
    assert write_rig(tmp_path / "d.npz", replace(model, clips=[still, apart, *model.clips]))
    assert len(read_rig(tmp_path / "d.npz").clips) == 1


def test_joints_that_move_alike_become_one_and_unused_ones_go(tmp_path: Path) -> None:
    assert write_rig(tmp_path / "a.npz", strip())
    with np.load(tmp_path / "a.npz") as file:
        assert file["clip0"].shape == (12, 2, 3, 4)  # joints 0 and 1 stand still alike; joint 3 moves nothing


def test_of_many_clips_those_that_differ_most_are_kept(tmp_path: Path) -> None:
    model = strip()
    still = model.clips[0][:, 0]
    clips = [np.stack([still, still, turning(a), still], axis=1) for a in [0.5] * 30 + list(np.linspace(0.6, 2.5, 11))]
    assert write_rig(tmp_path / "a.npz", replace(model, clips=clips))
    found = read_rig(tmp_path / "a.npz").clips
    assert len(found) == MOST_CLIPS
    assert all(np.abs(a[-1] - b[-1]).max() > 0.02 for i, a in enumerate(found) for b in found[:i])


def test_models_of_very_many_vertices_are_made_smaller() -> None:
    vertices, faces, colours, joints, weights = coloured(strip(200, rows=40))
    assert len(vertices) <= MOST_VERTICES
    assert faces.max() < len(vertices) == len(colours) == len(joints) == len(weights)
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-9
    assert np.abs(colours[np.abs(vertices[:, 0] + 0.7) < 0.2] * 255 - RED).max() < 2


def test_a_pose_of_another_animation_at_an_end_is_left_out(tmp_path: Path) -> None:
    model = strip()
    strange = np.tile(np.eye(3, 4), (4, 1, 1))
    strange[2] = turning(-2.5)[-1]
    clip = np.concatenate([strange[None], model.clips[0], strange[None]])
    assert write_rig(tmp_path / "a.npz", replace(model, clips=[clip, model.clips[0]]))
    assert [len(clip) for clip in read_rig(tmp_path / "a.npz").clips] == [12, 12]
