"""A tiny Lugaru: a body of a box for each limb, between joints, with one animation, made byte by byte."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
from PIL import Image
from training_rig import BOX, BOX_FACES

from motion324.training.game_models.lugaru.files import SIZE
from motion324.training.game_models.lugaru.models import GAME, LIMBS, LOOKS

FUR, CLOTH = (90, 70, 50), (20, 160, 200)
PLACES = {  # by label: the head, the neck and the belly, two arms and two legs, from the trunk outwards
    0: (0.0, 9, 0),
    1: (0, 8, 0),
    10: (0, 6, 0),
    13: (0, 5, 0),
    2: (1.0, 7, 0),
    3: (1, 6, -0.1),
    4: (1, 5, 0),
    5: (1, 4.5, 0),
    6: (-1.0, 7, 0),
    7: (-1, 6, -0.1),
    8: (-1, 5, 0),
    9: (-1, 4.5, 0),
    11: (0.5, 5, 0),
    14: (0.5, 3, 0.1),
    15: (0.5, 1, 0),
    16: (0.5, 0.6, 0.6),
    12: (-0.5, 5, 0),
    17: (-0.5, 3, 0.1),
    18: (-0.5, 1, 0),
    19: (-0.5, 0.6, 0.6),
}
LABELS = sorted(PLACES)
JOINTS = np.array([PLACES[label] for label in LABELS], np.float64)
LIMB = LIMBS[0][0]  # an arm
PARTS = [(0, 1), (1, 10), *((a, b) for labels, _ in LIMBS for a, b in itertools.pairwise(labels))]


def solid() -> bytes:
    """A small box about the middle of each part."""
    boxes = [BOX * 0.2 + np.add(PLACES[a], PLACES[b]) / 2 for a, b in PARTS]
    vertices = np.concatenate(boxes) / (SIZE, -SIZE, -SIZE)
    faces = np.concatenate([BOX_FACES + 8 * part for part in range(len(PARTS))])
    out = struct.pack(">hh", len(vertices), len(faces)) + vertices.astype(">f4").tobytes()
    for a, b, c in faces:
        out += struct.pack(">6h6f", a, b, b, c, c, 0, *[0.5] * 6)
    return out


def skeleton() -> bytes:
    out = struct.pack(">i", len(LABELS))
    for label in LABELS:
        out += struct.pack(">5f2bi2b2ibi", *PLACES[label], 0, 1, 0, 0, 0, 0, 0, label, 0, 0, -1)
    out += struct.pack(">i", len(PARTS))
    for part, ends in enumerate(PARTS):
        out += struct.pack(">5f2i8i", *[0.0] * 5, 0, 8, *range(8 * part, 8 * part + 8))
        out += struct.pack(">bii", 1, *(LABELS.index(label) for label in ends))
    return out + struct.pack(">6i", *(LABELS.index(label) for label in (6, 2, 10, 11, 12, 10)))


def animation(poses: np.ndarray, speed: float) -> bytes:
    """poses (T, J, 3)."""
    out = struct.pack(">ii", *poses.shape[:2])
    for pose in poses:
        out += pose.astype(">f4").tobytes() + bytes(5 * len(pose)) + struct.pack(">f", speed)
    return out + bytes(100)


def punching(angle: float) -> np.ndarray:
    """(J, 3): the arm turned about x, where it hangs on the shoulder."""
    pose = JOINTS.copy()
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    arm = [LABELS.index(label) for label in LIMB]
    pose[arm] = (pose[arm] - PLACES[LIMB[0]]) @ turn.T + PLACES[LIMB[0]]
    return pose


def small_lugaru(folder: Path) -> Path:
    data = folder / GAME
    for room in ("Models", "Skeleton", "Animations", "Textures"):
        (data / room).mkdir(parents=True)
    for body, figure, fur, worn in LOOKS.values():
        (data / "Models" / f"{body}.solid").write_bytes(solid())
        (data / "Skeleton" / figure).write_bytes(skeleton())
        Image.new("RGB", (8, 8), FUR).save(data / "Textures" / fur, quality=100)
        for each in worn:
            Image.new("RGBA", (4, 4), (*CLOTH, 255)).save(data / "Textures" / each)
    punches = np.stack([JOINTS, punching(-1.0), punching(-1.5), punching(-1.0)])
    for name in ("Jab", "Kick", "Punch", "Roll", "Run"):
        (data / "Animations" / name).write_bytes(animation(punches, 4.0))
    return folder
