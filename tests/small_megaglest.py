"""A tiny MegaGlest: a unit whose body is two boxes, with files for its animations, made byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image
from training_rig import BOX, BOX_FACES

from motion324.training.game_models.megaglest.catalogue import UNITS
from motion324.training.game_models.megaglest.g3d_files import PLAYERS_COLOUR

SKIN = (200, 120, 40)
VERTICES = np.concatenate([BOX, BOX + np.array([0, 1, 0])])
FACES = np.concatenate([BOX_FACES, BOX_FACES + 8])
UV = np.random.default_rng(0).random((len(VERTICES), 2))


def nodding(angles: list[float]) -> np.ndarray:
    """Key poses (T, 16, 3): the upper box turned about x, about the place where it stands on the lower one."""
    poses = np.tile(VERTICES, (len(angles), 1, 1))
    for pose, a in zip(poses, angles, strict=True):
        turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        pose[8:] = (pose[8:] - (0, 1, 0)) @ turn.T + (0, 1, 0)
    return poses


def g3d(poses: np.ndarray, faces: np.ndarray, uv: np.ndarray | None, properties: int = PLAYERS_COLOUR) -> bytes:
    """A file of one mesh, with the texture skin.png unless uv is None."""
    out = b"G3D\x04" + struct.pack("<HB", 1, 0) + b"body".ljust(64, b"\0")
    out += struct.pack("<III", len(poses), poses.shape[1], faces.size)
    out += struct.pack("<3f3fff", 0.5, 0.25, 1.0, 0, 0, 0, 1, 1) + struct.pack("<II", properties, uv is not None)
    if uv is not None:
        out += b"skin.png".ljust(64, b"\0")
    out += poses.astype("<f4").tobytes() + np.zeros_like(poses, "<f4").tobytes()
    if uv is not None:
        out += uv.astype("<f4").tobytes()
    return out + faces.astype("<u4").tobytes()


def renumbered(poses: np.ndarray, seed: int) -> bytes:
    """The same body as others, with its faces and vertices in another order."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(VERTICES))
    faces = np.argsort(order)[FACES][generator.permutation(len(FACES))]
    return g3d(poses[:, order], np.roll(faces, 1, axis=1), UV[order])


def small_megaglest(folder: Path, alpha: int = 255, units: tuple[str, ...] = ("golem",)) -> Path:
    """alpha: of the units' texture. Each unit stands, nods within half a second, and falls for good."""
    for number, unit in enumerate(units):
        models = folder / UNITS / "magic" / "units" / unit / "models"
        models.mkdir(parents=True)
        (models / "golem_standing.g3d").write_bytes(g3d(nodding([0, 0.1, 0.2, 0.1]), FACES, UV))
        (models / "golem_nodding.g3d").write_bytes(renumbered(nodding([0, 0.5, 1.0, 0.5]), 1))
        (models / "golem_dying.g3d").write_bytes(g3d(nodding([0, 0.8, 1.6]), FACES, UV))
        (models / "stone.g3d").write_bytes(g3d(VERTICES[None, :8], BOX_FACES, None))
        Image.new("RGBA", (8, 8), (SKIN[0] - number, *SKIN[1:], alpha)).save(models / "Skin.png")
        (models.parent / f"{unit}.xml").write_text(
            '<unit><skill><anim-speed value="200"/><animation path="models/golem_nodding.g3d"/></skill></unit>'
        )
    return folder
