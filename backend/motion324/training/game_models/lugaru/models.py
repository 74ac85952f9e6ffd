"""Makes skinned models of Lugaru's rabbits and wolves: stiff parts between joints, with the game's fights.

N vertices, J joints, M muscles (parts between two joints), T poses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from motion324.training.game_models.game_errors import missing_data
from motion324.training.game_models.lugaru.files import (
    LugaruAnimation,
    LugaruSkeleton,
    read_animation,
    read_skeleton,
    read_solid,
)
from motion324.training.game_models.outward_faces import inside_out
from motion324.training.game_models.textured_model import TexturedModel

GAME = "usr/share/games/lugaru"
POSES_A_SECOND = 24.0
SHORTEST, LONGEST = 12, 96  # poses of a clip
# Labels of joints: each limb's from the trunk outwards, and which way its middle bends, seen from the line of its ends.
LIMBS = (((2, 3, 4, 5), 1), ((6, 7, 8, 9), 1), ((11, 14, 15, 16), -1), ((12, 17, 18, 19), -1))
FEET = (16, 19)
FORWARD_TOO = 0.4  # how much the trunk's own way counts beside the bend of a limb
FEET_DOWN = 0.3
LOOPS = ("Run", "RabbitRunning", "WolfRunning", "Walk", "Sneak", "Idle", "FightIdle", "HurtIdle", "TalkIdle", "Sit")
# The body, its skeleton, its fur and what it wears. Looks of one body share its animations out among them.
LOOKS = {
    "lugaru_rabbit__bare": ("Body", "BasicFigure", "FurBrownWhite.jpg", ()),
    "lugaru_rabbit__leather": ("Body", "BasicFigure", "FurLynx.jpg", ("LeatherArmor.png", "LeatherPants.png")),
    "lugaru_rabbit__shirt": ("Body", "BasicFigure", "FurOtter.jpg", ("Pants.png", "Shirt.png", "FootWrap.png")),
    "lugaru_rabbit__gi": ("Body", "BasicFigure", "FurWhite.jpg", ("GiBottom.png", "GiTop.png", "HeadBand.png")),
    "lugaru_wolf__grey": ("Wolf", "BasicFigureWolf", "FurWolfGrey.jpg", ()),
    "lugaru_wolf__dark": ("Wolf", "BasicFigureWolf", "FurWolfDark.jpg", ()),
}


def models(folder: Path) -> Iterator[tuple[str, Callable[[], TexturedModel | None]]]:
    """Names, and what makes the model of a name.

    folder: of the unpacked package lugaru-data. Raises Motion324Error("game-data-missing", "game-file-broken").
    """
    data = folder / GAME
    if not (data / "Animations").is_dir():
        raise missing_data(folder, "animations of Lugaru", "lugaru-data")
    for name in LOOKS:
        yield name, partial(build_model, data, name)


def build_model(data: Path, name: str) -> TexturedModel:
    body, figure, fur, worn = LOOKS[name]
    path = data / "Models" / f"{body}.solid"
    solid = read_solid(path.read_bytes(), str(path))
    path = data / "Skeleton" / figure
    skeleton = read_skeleton(path.read_bytes(), str(path))
    owner = np.zeros(len(solid.vertices), np.int64)
    for muscle, vertices in enumerate(skeleton.vertices):
        owner[vertices[vertices < len(owner)]] = muscle
    bind = np.linalg.inv(frames(skeleton, skeleton.places[None]))
    clips = []
    alike = [each for each, (other, *_) in LOOKS.items() if other == body]
    for path in sorted((data / "Animations").iterdir())[alike.index(name) :: len(alike)]:
        animation = read_animation(path.read_bytes(), str(path))
        if animation.places.shape[1:] == skeleton.places.shape and len(animation.places) > 1:
            poses = at_even_times(animation, goes_round=path.name in LOOPS)
            clips.append((frames(skeleton, poses) @ bind)[:, :, :3])
    turned = inside_out(solid.vertices, solid.faces, np.zeros_like(solid.vertices))
    order = np.where(turned[:, None], [0, 2, 1], [0, 1, 2])
    return TexturedModel(
        name=name,
        vertices=solid.vertices,
        faces=np.take_along_axis(solid.faces, order, axis=1),
        uv=np.take_along_axis(solid.uv, order[:, :, None], axis=1),
        texture=np.zeros(len(solid.faces), np.int64),
        textures=[dressed(data / "Textures", fur, worn)],
        joints=np.c_[owner, np.zeros((len(owner), 3), np.int64)],
        weights=np.c_[np.ones(len(owner)), np.zeros((len(owner), 3))],
        clips=clips,
    )


def at_even_times(animation: LugaruAnimation, goes_round: bool) -> np.ndarray:
    """(P, J, 3): the joints' places, POSES_A_SECOND, on straight ways between the key poses."""
    places, speeds = animation.places, np.maximum(animation.speeds, 1e-3)
    if goes_round:
        places, speeds = np.concatenate([places, places[:1]]), np.r_[speeds, speeds[:1]]
    times = np.r_[0, np.cumsum(1 / speeds[:-1])]
    poses = int(np.clip(round(times[-1] * POSES_A_SECOND), SHORTEST, LONGEST))
    wanted = np.linspace(0, times[-1], poses, endpoint=not goes_round)
    flat = places.reshape(len(places), -1)
    return np.stack([np.interp(wanted, times, column) for column in flat.T], axis=1).reshape(poses, *places.shape[1:])


def frames(skeleton: LugaruSkeleton, places: np.ndarray) -> np.ndarray:
    """places (T, J, 3) -> (T, M, 4, 4): each muscle's middle, and its axes: along it, and the way it faces."""
    one, two = places[:, skeleton.ends[:, 0]], places[:, skeleton.ends[:, 1]]
    along = unit(two - one)
    facing = facing_of(skeleton, places)
    across = unit(np.cross(along, facing))
    result = np.zeros((*along.shape[:2], 4, 4))
    result[..., :3, 0], result[..., :3, 1], result[..., :3, 2] = across, along, np.cross(across, along)
    result[..., :3, 3] = (one + two) / 2
    result[..., 3, 3] = 1
    return result


def facing_of(skeleton: LugaruSkeleton, places: np.ndarray) -> np.ndarray:
    """(T, M, 3): the way each muscle faces: limbs where they bend, and all else as the chest does."""
    chest, hips = (
        unit(np.cross(places[:, b] - places[:, a], places[:, c] - places[:, a])) for a, b, c in skeleton.forward
    )
    joint = {int(label): index for index, label in enumerate(skeleton.labels)}
    facing = np.repeat(chest[:, None], len(skeleton.ends), axis=1)
    firsts = skeleton.labels[skeleton.ends[:, 0]]
    for limb, (labels, bend) in enumerate(LIMBS):
        root, middle, end = (places[:, joint[label]] for label in labels[:3])
        trunk = chest if limb < 2 else hips
        way = unit(bend * (middle - (root + end) / 2) + FORWARD_TOO * trunk)
        facing[:, np.isin(firsts, labels)] = way[:, None]
    feet = np.isin(skeleton.labels[skeleton.ends], FEET).any(axis=1)
    facing[:, feet] -= np.array([0, FEET_DOWN, 0])
    return facing


def unit(vectors: np.ndarray) -> np.ndarray:
    result: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return result


def dressed(folder: Path, fur: str, worn: tuple[str, ...]) -> np.ndarray:
    """(H, W, 3) uint8: the fur, and over it what is worn."""
    with Image.open(folder / fur) as picture:
        result = picture.convert("RGBA")
    for each in worn:
        with Image.open(folder / each) as picture:
            result.alpha_composite(picture.convert("RGBA").resize(result.size))
    return np.asarray(result.convert("RGB"))
