"""A small rig for the tests of training: a bar of boxes on a chain of joints, and a folder of such rigs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

BOX = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (0.0, 1.0) for z in (-0.5, 0.5)])
BOX_FACES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ]
)


def bar_rig(joints: int, seed: int) -> dict[str, np.ndarray]:
    """`joints` boxes on top of each other, each bound to one joint; two clips that bend the bar, one stronger."""
    generator = np.random.default_rng(seed)
    vertices = np.concatenate([BOX + np.array([0, level, 0]) for level in range(joints)])
    faces = np.concatenate([BOX_FACES + 8 * level for level in range(joints)])
    parts = np.repeat(np.arange(joints), 8)
    weights = np.zeros((len(vertices), 4))
    weights[:, 0] = 1
    rig = {
        "V": vertices.astype(np.float32),
        "F": faces.astype(np.int32),
        "C": generator.random((joints, 3))[parts].astype(np.float16),
        "J": np.stack([parts, parts * 0, parts * 0, parts * 0], axis=1).astype(np.uint8),
        "W": weights.astype(np.float16),
    }
    for clip, bend in enumerate((0.3, 0.6)):
        rig[f"clip{clip}"] = np.stack([_bent(joints, bend * np.sin(t / 3)) for t in range(20)]).astype(np.float32)
    return rig


def _bent(joints: int, angle: float) -> np.ndarray:
    """(J, 3, 4): each joint turned by `angle` about the z axis at its box's bottom, with all that are above it."""
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrices, above = [], np.eye(4)
    for joint in range(joints):
        pivot, back = np.eye(4), np.eye(4)
        pivot[1, 3], back[1, 3] = joint, -joint
        above = above @ (pivot @ turn @ back)
        matrices.append(above[:3])
    return np.stack(matrices)


def write_rigs(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        np.savez(folder / f"{name}.npz", **bar_rig(2 + seed % 3, seed))
    return folder
