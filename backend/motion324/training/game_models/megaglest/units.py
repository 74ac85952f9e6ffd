"""Joins the files of a MegaGlest unit, one for each of its animations, into skinned models.

Files that hold the same surface, whatever their vertices are numbered like, become the clips of one model.
T key poses, F faces, N vertices.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from motion324.training.game_models.megaglest.g3d_files import G3DMesh, read_g3d
from motion324.training.game_models.megaglest.same_surfaces import numbered_like
from motion324.training.game_models.moving_skin import TOLERANCE, skin_of_motion
from motion324.training.game_models.outward_faces import inside_out
from motion324.training.game_models.textured_model import TexturedModel

ENDS = ("dy", "die", "death", "destr", "dead", "constr")  # in the names of files: what does not begin again
SHARED = 0.85  # of a file's faces: another that has as many of them is an animation of the same body
SLOWEST, FASTEST = 2.5, 0.5  # seconds of an animation
USUAL = 1.0  # likewise, where the unit does not say
FEWEST_KEYS = 2
PLAYERS = ((200, 40, 30), (30, 70, 200), (30, 140, 60), (220, 180, 40), (230, 230, 225), (110, 50, 150))


@dataclass(frozen=True)
class Animation:
    path: Path
    meshes: tuple[G3DMesh, ...]
    seconds: float

    @cached_property
    def ends(self) -> bool:
        return any(word in self.path.stem.lower() for word in ENDS)

    @property
    def faces(self) -> int:
        return sum(len(mesh.faces) for mesh in self.meshes)

    def found(self, others: tuple[G3DMesh, ...]) -> list[G3DMesh | None]:
        """The mesh here that is the same surface as each of the others, numbered like it."""
        left = list(self.meshes)
        result: list[G3DMesh | None] = []
        for other in others:
            same = ((mesh, numbered_like(mesh, other)) for mesh in left)
            mesh, found = next(((mesh, found) for mesh, found in same if found is not None), (None, None))
            result.append(found)
            left = [each for each in left if each is not mesh]
        return result


def read_unit(folder: Path) -> list[Animation]:
    """The animations of a unit's folder: files with several key poses."""
    seconds = durations(folder)
    found = []
    for path in sorted(folder.glob("models/*.g3d")):
        meshes = read_g3d(path.read_bytes(), str(path))
        keys = {len(mesh.positions) for mesh in meshes}
        if len(keys) == 1 and min(keys) >= FEWEST_KEYS:
            found.append(Animation(path, tuple(meshes), seconds.get(path.name.lower(), USUAL)))
    return found


def durations(folder: Path) -> dict[str, float]:
    """Seconds of a unit's animations by the names of their files: 100 by the speed that its skills play them with."""
    result: dict[str, float] = {}
    for unit in sorted(folder.glob("*.xml")):
        text = unit.read_text("utf-8", "replace")
        for speed, path in re.findall(r'<anim-speed value="(\d+)"\s*/>.*?<animation path="([^"]+)"', text, re.DOTALL):
            if int(speed):
                name = path.replace("\\", "/").rsplit("/", 1)[-1].lower()
                result.setdefault(name, min(max(100 / int(speed), FASTEST), SLOWEST))
    return result


def bodies(animations: list[Animation]) -> list[tuple[tuple[G3DMesh, ...], list[Animation]]]:
    """Bodies and their animations, those of one body together, that with most motion first."""
    left, result = list(animations), []
    while left:
        groups = []
        for base in left:
            own = [
                each
                for each in left
                if sum(len(mesh.faces) for mesh in each.found(base.meshes) if mesh is not None) >= SHARED * base.faces
            ]
            groups.append((sum(not each.ends for each in own), len(own), base.faces, base, own))
        *_, base, own = max(groups, key=lambda group: group[:3])
        everywhere = [all(each.found((mesh,))[0] is not None for each in own) for mesh in base.meshes]
        meshes = tuple(mesh for mesh, shared in zip(base.meshes, everywhere, strict=True) if shared)
        own = [each for each in own if all(mesh is not None for mesh in each.found(meshes))]
        if not meshes or not own:
            left.remove(base)
            continue
        result.append((meshes, own))
        left = [each for each in left if each not in own]
    return result


def build_model(name: str, meshes: tuple[G3DMesh, ...], animations: list[Animation]) -> TexturedModel | None:
    """None where no skin comes near enough to the vertices' motion."""
    starts = np.cumsum([0, *(mesh.positions.shape[1] for mesh in meshes)])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)])
    calm_first = sorted(animations, key=lambda each: (each.ends, "stand" not in each.path.stem, each.path.stem))
    keys = [np.concatenate(places(each, meshes), axis=1) for each in calm_first]
    rest = keys[0][0]
    skin = skin_of_motion(rest, np.concatenate(keys), faces)
    if skin.error > TOLERANCE:
        return None
    clips, first = [], 0
    for each, poses in zip(calm_first, keys, strict=True):
        clips.append(skin.clip(slice(first, first + len(poses)), each.seconds, goes_round=not each.ends))
        first += len(poses)
    textures = [picture(mesh, animations[0].path.parent, name) for mesh in meshes]
    uv = [np.zeros((len(mesh.faces), 3, 2)) if mesh.uv is None else mesh.uv[mesh.faces] for mesh in meshes]
    turned = np.concatenate([inside_out(mesh.positions[0], mesh.faces, mesh.normals) for mesh in meshes])
    order = np.where(turned[:, None], [0, 2, 1], [0, 1, 2])
    corners = np.concatenate(uv) * (1, -1) + (0, 1)
    return TexturedModel(
        name=name,
        vertices=rest,
        faces=np.take_along_axis(faces, order, axis=1),
        uv=np.take_along_axis(corners, order[:, :, None], axis=1),
        texture=np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes]),
        textures=textures,
        joints=skin.joints,
        weights=skin.weights,
        clips=clips,
    )


def places(animation: Animation, meshes: tuple[G3DMesh, ...]) -> list[np.ndarray]:
    """Key poses (T, N, 3) of the meshes' vertices."""
    result = []
    for mesh, here in zip(meshes, animation.found(meshes), strict=True):
        assert here is not None
        vertex, corner = np.unique(mesh.faces.ravel(), return_index=True)
        poses = np.zeros((len(here.positions), mesh.positions.shape[1], 3))
        poses[:] = here.positions.mean(axis=1, keepdims=True)  # of vertices without faces nobody sees anything
        poses[:, vertex] = here.positions[:, here.faces.ravel()[corner]]
        result.append(poses)
    return result


def picture(mesh: G3DMesh, folder: Path, name: str) -> np.ndarray:
    """(H, W, 3) uint8: the mesh's texture with a player's colour, or the colour that it has without one."""
    path = None if mesh.texture is None else found_picture(folder, mesh.texture)
    if path is None:
        return np.full((1, 1, 3), np.clip(mesh.colour * 255, 0, 255), np.uint8)
    texels = np.asarray(Image.open(path).convert("RGBA"), np.float64)
    alpha = texels[..., 3:] / 255 if mesh.of_player else np.ones((*texels.shape[:2], 1))
    player = np.array(PLAYERS[zlib.crc32(name.encode()) % len(PLAYERS)], np.float64)
    return (texels[..., :3] * alpha + player * (1 - alpha)).round().astype(np.uint8)


def found_picture(folder: Path, name: str) -> Path | None:
    """The picture; games find it with another ending or other capitals as well."""
    stem = Path(name.replace("\\", "/")).name.lower()
    files = {path.name.lower(): path for path in sorted(folder.iterdir())}
    by_stem = {
        Path(each).stem: path for each, path in files.items() if Path(each).suffix in (".png", ".tga", ".bmp", ".jpg")
    }
    return files.get(stem) or by_stem.get(Path(stem).stem)
