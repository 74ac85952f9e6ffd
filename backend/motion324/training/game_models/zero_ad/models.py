"""Puts a unit of 0 A.D. together: its body, what hangs on it, and how all of it moves, as one textured model."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

from motion324.training.game_models.textured_model import TexturedModel
from motion324.training.game_models.zero_ad.actors import Actor, Archive, read_actor
from motion324.training.game_models.zero_ad.files import POSES_A_SECOND, Mesh, read_animation, read_mesh

MOST_DEEP = 6  # things that hang on things
POSES = (8, 96)  # of a clip, the fewest and the most
A_SECOND = 24.0
SHORTEST, LONGEST = 0.4, 8.0  # seconds: animations are played faster or more slowly to stay within
SEEN = 0.03  # faces whose texture is less opaque on average are not there
OPAQUE = 128  # of 255: texels below have no colour of their own
WAYS = ("walk", "run")  # their speed depends on the unit's, and is not the file's
IDLE = "idle"
FIRST = ("idle", "walk", "run")  # clips begin with these, since the first pose of the first clip sets size and place


@dataclass
class Part:
    """An actor's mesh with what hangs on it."""

    actor: Actor
    mesh: Mesh | None
    hung: list[Hung] = field(default_factory=list)

    @property
    def is_moved(self) -> bool:
        return bool(self.actor.animations) and self.mesh is not None and len(self.mesh.bones) > 0

    def all(self) -> Iterator[Part]:
        yield self
        for one in self.hung:
            yield from one.part.all()


@dataclass
class Hung:
    """point: its name. bone: that it moves with, -1: none. place (4, 4): on the bone."""

    point: str
    bone: int
    place: np.ndarray
    part: Part


def build_model(archive: Archive, whole: Part, name: str, seed: int) -> TexturedModel | None:
    """The model of a part and all that hangs on it; the seed draws the player's colour.

    None where there is no mesh that animations move.
    """
    player = PLAYERS[seed % len(PLAYERS)]
    leading = max(whole.all(), key=lambda part: (part is whole and part.is_moved, len(part.actor.animations)))
    clips = read_clips(archive, leading)
    if not clips:
        return None
    still = [np.tile(np.eye(4), (len(times), 1, 1)) for _, times in clips]
    return joined(name, list(placed(archive, whole, player, np.eye(4), still, clips)))


# Colours that the game gives to its players.
PLAYERS = [(21, 55, 149), (150, 20, 20), (86, 180, 31), (231, 200, 5), (50, 170, 170), (160, 80, 200), (220, 115, 16)]


def read_part(archive: Archive, name: str, choose: np.random.Generator, depth: int = 0) -> Part | None:
    """None where there is no such actor."""
    actor = read_actor(archive, name, choose)
    if actor is None:
        return None
    data = archive.mesh(actor.mesh) if actor.mesh else None
    mesh = None if data is None else read_mesh(data, actor.mesh)
    part = Part(actor, mesh)
    for point, hung in actor.props if depth < MOST_DEEP else ():
        bone, place = (-1, np.eye(4)) if mesh is None or point not in mesh.points else mesh.points[point]
        if mesh is not None and point not in mesh.points and point != "root":
            continue
        child = read_part(archive, hung, choose, depth + 1)
        if child is not None:
            part.hung.append(Hung(point, bone, place, child))
    return part


def read_texture(archive: Archive, actor: Actor, player: tuple[int, int, int]) -> np.ndarray | None:
    """(H, W, 4) uint8: with the player's or the object's colour mixed in; alpha: what is seen. None: not there."""
    data = archive.texture(actor.texture) if actor.texture else None
    if data is None:
        return None
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    kind = actor.material
    if kind.startswith("basic_trans"):
        return with_colours_everywhere(picture)
    own = player if kind.startswith("player") else None
    if kind.startswith("objectcolor"):
        own = actor.colour or (255, 255, 255)
    mixed = picture[..., :3].astype(np.float32)
    if own is not None:
        share = picture[..., 3:].astype(np.float32) / 255
        mixed = (mixed * share + (1 - share) * np.array(own, np.float32)).astype(np.float32)
    return np.dstack([mixed.round().astype(np.uint8), np.full(picture.shape[:2], 255, np.uint8)])


def with_colours_everywhere(picture: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8: transparent texels, which are black mostly, have the colour of the nearest one that is not."""
    clear = picture[..., 3] < OPAQUE
    if clear.all() or not clear.any():
        return picture
    nearest = distance_transform_edt(clear, return_distances=False, return_indices=True)
    return np.dstack([picture[..., :3][tuple(nearest)], picture[..., 3]])


def read_clips(archive: Archive, part: Part) -> list[tuple[str, np.ndarray]]:
    """(the animation's name, where in it (T,) the clip's poses lie, in seconds of the file), each file once."""
    clips: list[tuple[str, np.ndarray]] = []
    seen: set[str] = set()
    for name, file, speed in sorted(
        part.actor.animations, key=lambda one: FIRST.index(one[0]) if one[0] in FIRST else 9
    ):
        data = None if file in seen else archive.animation(file)
        seen.add(file)
        if data is None:
            continue
        length = (len(read_animation(data, file)) - 1) / POSES_A_SECOND
        shown = length * 100 / speed if speed > 0 and name not in WAYS else length
        shown = float(np.clip(shown, SHORTEST, LONGEST))
        if length > 0:
            count = int(np.clip(int(A_SECOND * shown) + 1, *POSES))
            clips.append((f"{name}|{file}", np.linspace(0, length, count)))
    return clips


@dataclass
class Piece:
    """What one mesh adds. joints count from 0 in each piece; clips (T, J, 4, 4) into the whole model's space."""

    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    texture: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    clips: list[np.ndarray]


def placed(
    archive: Archive,
    part: Part,
    player: tuple[int, int, int],
    bind: np.ndarray,
    moving: list[np.ndarray],
    clips: list[tuple[str, np.ndarray]],
    worn: list[np.ndarray] | None = None,
) -> Iterator[Piece]:
    """The pieces of a part. bind (4, 4): where it stands in the bind pose; moving: each clip's (T, 4, 4).

    worn: the bones' places (T, B + 1, 4, 4) of the skeleton that the part is worn on, as a mane or reins are.
    """
    bones = np.zeros((0, 4, 4)) if part.mesh is None else part.mesh.bones
    still = np.concatenate([bones, np.eye(4)[None]])  # the last one is for what no bone moves
    moved = worn or [own_bones(archive, part, still, name, times) for name, times in clips]
    texture = None if part.mesh is None else read_texture(archive, part.actor, player)
    if part.mesh is not None and texture is not None:
        undone = np.linalg.inv(still)
        yield Piece(
            vertices=(np.c_[part.mesh.vertices, np.ones(len(part.mesh.vertices))] @ bind.T)[:, :3],
            faces=part.mesh.faces,
            uv=np.c_[part.mesh.uv[:, 0], 1 - part.mesh.uv[:, 1]][part.mesh.faces],
            texture=texture,
            joints=part.mesh.joints,
            weights=part.mesh.weights,
            clips=[at[:, None] @ own @ undone @ np.linalg.inv(bind) for at, own in zip(moving, moved, strict=True)],
        )
    for one in part.hung:
        there, mesh = still[one.bone] @ one.place, one.part.mesh
        if mesh is not None and len(mesh.bones) == len(bones) > 0 and np.allclose(there, np.eye(4), atol=0.1):
            yield from placed(archive, one.part, player, bind, moving, clips, moved)
        else:
            at = [way @ own[:, one.bone] @ one.place for way, own in zip(moving, moved, strict=True)]
            yield from placed(archive, one.part, player, bind @ there, at, clips)


def own_bones(archive: Archive, part: Part, still: np.ndarray, clip: str, times: np.ndarray) -> np.ndarray:
    """(T, B + 1, 4, 4): where the part's bones stand at the times of a clip; the last stands still."""
    result = np.tile(still, (len(times), 1, 1, 1))
    name, file = clip.split("|", 1)
    if len(still) < 2:
        return result
    of_name = [one for one in part.actor.animations if one[1] == file]
    of_name += [one for one in part.actor.animations if one[0] == name]
    of_name += [one for one in part.actor.animations if one[0] == IDLE]
    for _, own_file, _ in of_name:
        data = archive.animation(own_file)
        if data is None:
            continue
        poses = read_animation(data, own_file)
        if poses.shape[1] == len(still) - 1:
            length = (len(poses) - 1) / POSES_A_SECOND
            where = times if own_file == file or length <= 0 else fitting(times, length)
            result[:, :-1] = between(poses, where * POSES_A_SECOND)
            return result
    return result


def fitting(times: np.ndarray, length: float) -> np.ndarray:
    """Times in an animation of `length` seconds beside one that `times` goes through: as often as fits best."""
    whole = float(times[-1])
    turns = max(1, round(whole / length))
    return np.mod(times / whole * turns, 1.0 + 1e-9) * length


def between(poses: np.ndarray, where: np.ndarray) -> np.ndarray:
    """poses (T, B, 4, 4) at places (S,) between them; rotations stay rotations."""
    low = np.floor(where).astype(int).clip(0, len(poses) - 1)
    high = np.minimum(low + 1, len(poses) - 1)
    share = (where - low)[:, None, None, None]
    mixed = poses[low] * (1 - share) + poses[high] * share
    left, _, right = np.linalg.svd(mixed[..., :3, :3])
    mixed[..., :3, :3] = left @ right
    return mixed


def joined(name: str, pieces: list[Piece]) -> TexturedModel | None:
    if not pieces:
        return None
    textures: list[np.ndarray] = []
    parts: list[tuple[np.ndarray, ...]] = []
    clips: list[list[np.ndarray]] = [[] for _ in pieces[0].clips]
    vertices = joints = 0
    for piece in pieces:
        kept = is_seen(piece)
        number = np.full(int(kept.sum()), len(textures))
        parts.append(
            (piece.vertices, piece.faces[kept] + vertices, piece.uv[kept], number, piece.joints + joints, piece.weights)
        )
        opaque = piece.texture[..., 3].min() == 255
        textures.append(piece.texture[..., :3] if opaque else piece.texture)
        vertices += len(piece.vertices)
        joints += piece.clips[0].shape[1]
        for whole, clip in zip(clips, piece.clips, strict=True):
            whole.append(clip[:, :, :3])
    together = [np.concatenate([part[i] for part in parts]) for i in range(6)]
    used, faces = np.unique(together[1], return_inverse=True)
    return TexturedModel(
        name=name,
        vertices=together[0][used],
        faces=faces.reshape(-1, 3),
        uv=together[2],
        texture=together[3],
        textures=textures,
        joints=together[4][used],
        weights=together[5][used],
        clips=[np.concatenate(whole, axis=1) for whole in clips],
    )


def is_seen(piece: Piece) -> np.ndarray:
    """(F,) bool: whether the texture is opaque where a face lies on it."""
    alpha = piece.texture[..., 3]
    shares = np.array([[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [3, 3, 0.5], [0.5, 3, 3], [3, 0.5, 3]], float)
    points = np.einsum("ki,fic->fkc", shares / shares.sum(axis=1, keepdims=True), piece.uv)
    height, width = alpha.shape
    x = np.floor(points[..., 0] * width).astype(int) % width
    y = np.floor(points[..., 1] * height).astype(int) % height
    seen: np.ndarray = alpha[y, x].mean(axis=1) > SEEN * 255
    return seen
