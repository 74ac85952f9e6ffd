"""Rigs from the files of SuperTuxKart: its format, karts, and what may be taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_supertuxkart import AT_REST, BRIGHT, NOTES, PAINT, QUARTER, small_supertuxkart, spm
from training_rig import BOX, BOX_FACES

from motion324.core.errors import Motion324Error
from motion324.training.game_models.chosen_motion import posed
from motion324.training.game_models.licences import read_copyright
from motion324.training.game_models.supertuxkart.catalogue import GAME, PACKAGE, models
from motion324.training.game_models.supertuxkart.models import PLAIN, bound, driver_of
from motion324.training.game_models.supertuxkart.spm_files import Surface, read_spm
from motion324.training.game_models.textured_model import TexturedModel


def driver(folder: Path) -> TexturedModel:
    [(name, make)] = list(models(folder))
    assert name == "stk_karts__open"
    model = make()
    assert model is not None
    return model


@pytest.mark.parametrize("colour", [None, (255, 255, 255), BRIGHT])
def test_a_file_is_mirrored_and_keeps_its_outside_outside(colour: tuple[int, ...] | None) -> None:
    model = read_spm(spm("paint.png", [(0, AT_REST)], colour=colour), "box")
    [surface] = model.surfaces
    assert np.allclose(surface.vertices, BOX)
    assert (surface.faces == BOX_FACES).all()
    assert (surface.colours[0] == (colour or (255, 255, 255))).all()
    assert surface.texture == "paint.png"


def test_bones_go_from_key_to_key_and_turn_the_other_way_in_the_mirror() -> None:
    model = read_spm(spm("", [(10, AT_REST), (30, QUARTER)]), "box")
    poses = model.skinning(np.array([0.0, 10, 20, 30, 99]))
    assert poses.shape == (5, 2, 4, 4)
    assert np.allclose(poses[:2, 0], np.eye(4))
    assert np.allclose(poses[3, 0] @ [0, 0, -1, 1], [0, -1, 0, 1], atol=1e-6)  # (0, 0, 1) there, to (0, -1, 0)
    assert np.allclose(poses[3], poses[4])
    assert np.allclose(poses[2, 0] @ poses[2, 0], poses[3, 0], atol=1e-6)  # half of the turn
    assert np.allclose(poses[:, 1], np.eye(4))


def test_a_mesh_that_was_stored_in_a_pose_is_brought_back() -> None:
    model = read_spm(spm("", [(0, AT_REST), (30, QUARTER)], still=30), "box")
    poses = model.skinning(np.array([model.still]))
    vertices, joints, weights = bound(model.surfaces[0], poses[0])
    assert not np.allclose(vertices, BOX, atol=0.1)
    assert np.allclose(posed(vertices, joints, weights, poses[:, :, :3])[0], BOX, atol=1e-6)


@pytest.mark.parametrize("data", [b"SP" + bytes(40), spm("", [(0, AT_REST)])[:-30], b""])
def test_what_is_no_model_of_the_game_is_named(data: bytes) -> None:
    with pytest.raises(Motion324Error, match=r"'thing\.spm'"):
        read_spm(data, "thing.spm")


def test_a_kart_has_clips_and_wheels_that_roll_while_it_drives(tmp_path: Path) -> None:
    model = driver(small_supertuxkart(tmp_path))
    winning, driving = sorted(model.clips, key=len)
    assert (len(driving), len(winning)) == (78, 20)
    moved = posed(model.vertices, model.joints, model.weights, driving)
    assert np.allclose(moved[0, :8], BOX, atol=1e-6)
    assert np.abs(moved[39, :8] - moved[0, :8]).max() > 0.3
    wheel = moved[:, 8:] - np.array([1, 0, -2])
    top = wheel[:, BOX[:, 1] == 1].mean(axis=1)
    assert top[1, 2] < -0.1  # forwards, which is -z
    assert np.allclose(np.linalg.norm(top, axis=1), 1, atol=1e-6)
    still = posed(model.vertices, model.joints, model.weights, winning)[:, 8:]
    assert np.allclose(still, still[0])
    colours = {tuple(int(value) for value in picture[0, 0]) for picture in model.textures}
    assert colours == {PAINT, BRIGHT}


def test_a_driver_is_what_hangs_on_joints_that_bend_it() -> None:
    kart, still = read_spm(spm("", [(0, AT_REST)]), "kart"), np.zeros(10)
    [box] = kart.surfaces
    [one] = kart.armatures
    arms = replace(
        one,
        inverse=np.tile(np.eye(4), (6, 1, 1)),
        parents=np.array([-1, 0, 1, 2, 3, 4]),  # the kart, the driver's four bones, and an eye
        used=6,
        places=np.tile(still, (1, 6, 1)),
    )

    def on(joints: list[int]) -> Surface:
        return replace(box, joints=np.c_[joints, np.full((8, 3), -1)])

    bends, eye = on([1, 2, 3, 4] * 2), on([5] * 8)
    both = on([0] * 4 + [1] * 4)  # only faces whose corners are all the driver's
    driver = driver_of(replace(kart, surfaces=(on([0] * 8), bends, eye, both), armatures=(arms,)))
    assert [len(each.faces) for each in driver.surfaces] == [12, 12, 2]


def test_what_has_no_wheels_is_no_kart(tmp_path: Path) -> None:
    folder = small_supertuxkart(tmp_path)
    (folder / GAME / "data/karts/open/wheel.spm").unlink()
    assert [name for name, _ in models(folder)] == ["stk_drivers__open"]


def test_a_texture_that_may_not_be_taken_leaves_a_small_part_plain_and_a_large_one_out(tmp_path: Path) -> None:
    folder = small_supertuxkart(tmp_path)
    data = folder / GAME / "data"
    (data / "textures").mkdir()
    (data / "karts/open/paint.png").rename(data / "textures/paint.png")
    assert not list(models(folder))
    wheels = data / "karts/open/kart.xml"
    many = wheels.read_text().replace(
        "</wheels>",
        "".join(f'<{side} position="0 0 0" model="wheel.spm"/>' for side in ("front-right", "rear-left", "rear-right"))
        + "</wheels>",
    )
    wheels.write_text(many)
    assert (driver(folder).textures[0] == PLAIN).all()


def test_the_last_paragraph_about_a_file_tells_its_licence(tmp_path: Path) -> None:
    notes = read_copyright(small_supertuxkart(tmp_path), PACKAGE)
    assert notes.licence("data/karts/open/driver.spm") == "CC-BY-SA-3.0"
    assert notes.holders("data/karts/open/driver.spm") == "2020 Somebody"
    assert notes.licence("data/karts/closed/driver.spm") == "GPL-2"
    assert notes.licence("data/textures/paint.png") == "GPL-3+"
    assert notes.is_free(["data/karts/open/driver.spm"])
    assert not notes.is_free(["data/karts/open/driver.spm", "data/textures/paint.png"])


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        *((each, True) for each in ("CC0", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA", "public-domain", "GPL-2 or CC-BY-3.0")),
        *((each, False) for each in ("GPL-2+", "CC-BY-NC-3.0", "CC-BY-ND-4.0", "zlib", "", "GPL")),
    ],
)
def test_licences_that_let_models_be_taken(tmp_path: Path, licence: str, free: bool) -> None:
    folder = small_supertuxkart(tmp_path)
    (folder / "usr/share/doc" / PACKAGE / "copyright").write_text(NOTES.replace("CC-BY-SA-3.0", licence))
    assert read_copyright(folder, PACKAGE).is_free(["data/karts/open/driver.spm"]) == free


def test_a_folder_without_a_copyright_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Motion324Error, match="copyright file"):
        list(models(tmp_path))
