"""Rigs from the files of MegaGlest: its format, which files show one body, and skins for vertices that move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_megaglest import FACES, SKIN, UV, VERTICES, g3d, nodding, renumbered, small_megaglest
from training_rig import BOX_FACES

from motion324.core.errors import Motion324Error
from motion324.training.game_models.__main__ import main
from motion324.training.game_models.chosen_motion import posed
from motion324.training.game_models.megaglest.catalogue import MOST_ALIKE, model_of, models
from motion324.training.game_models.megaglest.g3d_files import G3DMesh, read_g3d
from motion324.training.game_models.megaglest.same_surfaces import numbered_like
from motion324.training.game_models.megaglest.units import PLAYERS, bodies, read_unit
from motion324.training.game_models.moving_skin import skin_of_motion
from motion324.training.game_models.outward_faces import inside_out
from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.synthesis.rigs import read_rig


def golem(folder: Path, alpha: int = 255) -> TexturedModel:
    [(name, make)] = list(models(small_megaglest(folder, alpha)))
    assert name == "glest__magic_golem"
    model = make()
    assert model is not None
    return model


def mesh_of(data: bytes) -> G3DMesh:
    [mesh] = read_g3d(data, "file")
    return mesh


def test_a_file_is_read_to_its_last_byte() -> None:
    poses = nodding([0, 0.5])
    mesh = mesh_of(g3d(poses, FACES, UV))
    assert np.allclose(mesh.positions, poses, atol=1e-6)
    assert mesh.uv is not None
    assert np.allclose(mesh.uv, UV, atol=1e-6)
    assert (mesh.faces == FACES).all()
    assert (mesh.texture, mesh.of_player) == ("skin.png", True)
    plain = mesh_of(g3d(poses, FACES, None, properties=0))
    assert (plain.texture, plain.uv, plain.of_player) == (None, None, False)
    assert np.allclose(plain.colour, [0.5, 0.25, 1])


@pytest.mark.parametrize("data", [b"G3D\x03" + bytes(200), g3d(nodding([0]), FACES, UV)[:-4], b""])
def test_what_is_no_model_of_the_game_is_named(data: bytes) -> None:
    with pytest.raises(Motion324Error, match=r"'thing\.g3d'"):
        read_g3d(data, "thing.g3d")


def test_a_surface_is_found_again_in_another_order() -> None:
    one, other = mesh_of(g3d(nodding([0, 0.3]), FACES, UV)), mesh_of(renumbered(nodding([0, 0.9]), 3))
    found = numbered_like(other, one)
    assert found is not None
    assert np.allclose(found.positions[1][found.faces], nodding([0.9])[0][FACES], atol=1e-6)
    elsewhere = mesh_of(g3d(nodding([0]), FACES[::-1], np.random.default_rng(9).random(UV.shape)))
    assert numbered_like(elsewhere, one) is None


def test_halves_that_show_the_same_are_told_apart_by_where_they_are() -> None:
    twins = np.tile(UV[:8], (2, 1))
    one, other = mesh_of(g3d(nodding([0]), FACES, twins)), mesh_of(g3d(nodding([0.2]), FACES[::-1], twins))
    found = numbered_like(other, one)
    assert found is not None
    assert (found.faces == FACES).all()


def test_a_skin_moves_vertices_to_where_they_were() -> None:
    keys = nodding([0, 0.4, 0.8, 1.2])
    skin = skin_of_motion(VERTICES, keys, FACES)
    assert skin.error < 1e-3
    assert np.allclose(skin.weights.sum(axis=1), 1)
    clip = skin.clip(slice(0, 4), seconds=1.0, goes_round=True)
    assert clip.shape == (24, skin.turns.shape[1], 3, 4)
    moved = posed(VERTICES, skin.joints, skin.weights, clip)
    for key in range(4):  # six poses each
        assert np.abs(moved[6 * key] - keys[key]).max() < 5e-3
    assert np.abs(moved[3] - nodding([0.2])[0]).max() < 0.02
    assert np.linalg.norm(moved[3, 15] - moved[3, 8]) == pytest.approx(np.sqrt(3), abs=0.03)  # turned, not shrunk
    assert np.abs(moved[21] - nodding([0.6])[0]).max() < 0.15  # on the way back to the first
    assert (
        np.abs(posed(VERTICES, skin.joints, skin.weights, skin.clip(slice(0, 4), 1.0, False))[-1] - keys[3]).max()
        < 5e-3
    )


def test_pieces_are_told_by_their_volume_and_open_ones_by_their_normals() -> None:
    apart = VERTICES + np.repeat([[0, 0, 0], [0, 1, 0]], 8, axis=0)
    turned = np.concatenate([BOX_FACES, BOX_FACES[:, ::-1] + 8])
    assert (inside_out(apart, turned, -VERTICES) == np.repeat([False, True], 12)).all()
    sheet, up = np.array([[0.0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]]), np.tile([0.0, 1, 0], (4, 1))
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    assert not inside_out(sheet, faces, up).any()
    assert inside_out(sheet, faces, -up).all()


def test_files_of_one_body_become_clips_of_one_model(tmp_path: Path) -> None:
    model = golem(tmp_path)
    assert [len(clip) for clip in model.clips] == [24, 12, 24]  # standing, nodding twice as fast, dying
    falls = posed(model.vertices, model.joints, model.weights, model.clips[2])
    assert np.abs(falls[-1] - nodding([1.6])[0]).max() < 0.02
    nods = posed(model.vertices, model.joints, model.weights, model.clips[1])
    assert np.abs(nods[6] - nodding([1.0])[0]).max() < 0.02


def test_what_a_skin_cannot_show_is_left_out_where_it_ends_the_body(tmp_path: Path) -> None:
    small_megaglest(tmp_path)
    [folder] = list(tmp_path.rglob("golem"))
    scattered = np.tile(VERTICES, (5, 1, 1))
    scattered[1:] += np.random.default_rng(4).normal(0, 1, scattered[1:].shape)
    (folder / "models/golem_dying.g3d").write_bytes(g3d(scattered, FACES, UV))
    [(meshes, animations)] = bodies(read_unit(folder))
    model = model_of("golem", meshes, animations)
    assert model is not None
    assert len(model.clips) == len(animations) - 1


def test_the_player_s_colour_shows_where_the_texture_is_transparent(tmp_path: Path) -> None:
    assert tuple(golem(tmp_path / "a").textures[0][4, 4]) == SKIN
    assert tuple(int(value) for value in golem(tmp_path / "b", alpha=0).textures[0][4, 4]) in PLAYERS


def test_of_one_body_with_many_looks_two_are_taken_and_buildings_none(tmp_path: Path) -> None:
    found = [
        name for name, _ in models(small_megaglest(tmp_path, units=("golem", "power_golem", "fire_golem", "farm")))
    ]
    assert len(found) == MOST_ALIKE
    assert not any("farm" in name for name in found)


def test_the_command_makes_rigs_of_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = small_megaglest(tmp_path / "data")
    assert main(["--data", str(data), "--game", "megaglest", "--out", str(tmp_path / "rigs")]) == 0
    rig = read_rig(tmp_path / "rigs/glest__magic_golem.npz")
    assert np.abs(rig.colours * 255 - SKIN).max() < 1
    assert main(["--data", str(tmp_path / "rigs"), "--game", "megaglest", "--out", str(tmp_path / "rigs")]) != 0
    assert "megaglest-data" in capsys.readouterr().err
