"""Rigs from the files of 0 A.D.: its formats, what hangs on a body, colours, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_zero_ad import FUR, HAT, nodding, pmd, psa, small_zero_ad
from training_rig import BOX, BOX_FACES

from motion324.core.errors import Motion324Error
from motion324.training.game_models.__main__ import main
from motion324.training.game_models.chosen_motion import posed
from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.game_models.zero_ad.actors import Archive
from motion324.training.game_models.zero_ad.catalogue import models
from motion324.training.game_models.zero_ad.files import places, read_animation, read_mesh
from motion324.training.game_models.zero_ad.models import PLAYERS
from motion324.training.synthesis.rigs import read_rig


def beast(folder: Path, **options: int) -> TexturedModel:
    [(name, make)] = list(models(small_zero_ad(folder, **options)))
    assert name == "zeroad__beast"
    model = make()
    assert model is not None
    return model


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Positive where faces are counter-clockwise seen from outside."""
    return float(
        np.einsum("fa,fa->", vertices[faces[:, 0]], np.cross(vertices[faces[:, 1]], vertices[faces[:, 2]])) / 6
    )


def test_a_mesh_is_mirrored_and_keeps_its_outside_outside() -> None:
    mesh = read_mesh(pmd(BOX * (1, 1, -1) + (0, 0, 3), BOX_FACES[:, [0, 2, 1]], [0] * 8, nodding(0)[0], []), "box")
    assert np.allclose(mesh.vertices, BOX - (0, 0, 3))
    assert volume(mesh.vertices, mesh.faces) == pytest.approx(1)
    turned = read_mesh(pmd(BOX * (1, 1, -1), BOX_FACES, [0] * 8, nodding(0)[0], []), "box")
    assert volume(turned.vertices, turned.faces) == pytest.approx(1)


def test_a_bone_turns_the_other_way_in_the_mirror() -> None:
    quarter = np.sqrt(0.5)
    turn = places(np.array([1.0, 2, 3, quarter, 0, 0, quarter]))  # about x, by 90 degrees, left-handed
    moved = turn @ [0, 0, -1, 1]  # (0, 0, 1) there, which goes to (0, -1, 0)
    assert np.allclose(moved, [1, 1, -3, 1])


def test_bones_without_weight_or_name_stand_still() -> None:
    mesh = read_mesh(pmd(BOX, BOX_FACES, [255] * 8, nodding(0)[0], []), "box")
    assert (mesh.joints[:, 0] == 2).all()
    assert (mesh.weights[:, 0] == 1).all()


def test_what_is_no_file_of_the_game_is_named() -> None:
    for read, data in ((read_mesh, b"PSMD" + bytes(20)), (read_animation, b"nothing"), (read_mesh, psa(nodding(1)))):
        with pytest.raises(Motion324Error, match=r"'thing\.pmd'"):
            read(data, "thing.pmd")


def test_what_hangs_on_a_bone_and_what_is_worn_move_with_it(tmp_path: Path) -> None:
    model = beast(tmp_path)
    assert len(model.vertices) == 16 + 8 + 8  # no second hat where a projectile or nothing would be
    first, second = model.clips
    assert len(first) == 25  # one second
    assert len(second) == 13  # twice as fast
    moved = posed(model.vertices, model.joints, model.weights, first)
    upper, collar, hat = (moved[:, start : start + 8].mean(axis=1) for start in (8, 16, 24))
    assert np.allclose(hat[0], [0, 2, 0])
    for one, away in ((upper, 0.5), (collar, 0.5), (hat, 1.0)):
        from_joint = one - [0, 1, 0]
        assert np.allclose(np.linalg.norm(from_joint, axis=1), away, atol=1e-6)
        assert np.allclose(from_joint[-1] / away, [0, np.cos(1), -np.sin(1)], atol=1e-6)  # forwards there, back here
    assert np.allclose(moved[:, :8], model.vertices[:8])


def test_colours_are_the_texture_with_the_player_s_mixed_in(tmp_path: Path) -> None:
    opaque = beast(tmp_path / "a")
    assert np.abs(opaque.textures[0][4, 4].astype(int) - FUR).max() == 0
    assert np.abs(opaque.textures[2][4, 4, :3].astype(int) - HAT).max() == 0
    mixed = beast(tmp_path / "b", fur_alpha=0).textures[0][4, 4]
    assert tuple(int(value) for value in mixed) in PLAYERS


def test_faces_that_nobody_sees_are_left_out(tmp_path: Path) -> None:
    model = beast(tmp_path, hat_alpha=0)
    assert len(model.vertices) == 16 + 8
    assert len(model.faces) == 24 + 12


def test_of_animals_with_one_body_one_is_taken(tmp_path: Path) -> None:
    assert len(list(models(small_zero_ad(tmp_path, with_twin=True)))) == 1


def test_people_come_a_second_time_with_empty_hands(tmp_path: Path) -> None:
    made = {name: make() for name, make in models(small_zero_ad(tmp_path, with_people=True))}
    counts = {name: len(model.vertices) for name, model in made.items() if model is not None}
    assert counts == {"zeroad__beast": 32, "zeroad_people__ours_man": 32, "zeroad_unarmed__ours_man": 24}


def test_the_command_writes_rigs_and_pictures_and_keeps_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out, sheets = small_zero_ad(tmp_path / "data"), tmp_path / "rigs", tmp_path / "sheets"
    arguments = ["--data", str(data), "--game", "0ad", "--out", str(out), "--sheets", str(sheets)]
    assert main(arguments) == 0
    rig = read_rig(out / "zeroad__beast.npz")
    assert len(rig.clips) == 2
    hat = rig.rest[:, 1] == rig.rest[:, 1].max()
    assert np.abs(rig.colours[hat] * 255 - HAT).max() < 2
    assert (sheets / "sheet0.png").stat().st_size > 0
    (out / "zeroad__beast.npz").write_bytes(b"kept")
    assert main(arguments[:-2]) == 0
    assert (out / "zeroad__beast.npz").read_bytes() == b"kept"
    assert "1 rigs" in capsys.readouterr().out


def test_a_folder_without_the_game_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Motion324Error, match=r"public\.zip"):
        Archive(tmp_path)
    assert main(["--data", str(tmp_path), "--game", "0ad", "--out", str(tmp_path / "out")]) != 0
    assert "0ad-data" in capsys.readouterr().err
