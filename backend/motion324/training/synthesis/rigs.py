"""Rigged, animated models read from .npz files: V, F, C, J, W and clip0, clip1, ..., as in backend/README.md.

Clips have 24 poses a second.
"""

from __future__ import annotations

import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.training.synthesis.skeleton import Skeleton, guess_skeleton

POSES_FOR_SKELETON = 24


@dataclass(frozen=True)
class Rig:
    """One model. N vertices, F faces, J joints.

    vertices (N, 3) float32: bind space. faces (F, 3) int64. colours (N, 3) float32: sRGB. joints (N, 4) int64 and
    weights (N, 4) float32: skin. clips: each (T, J, 3, 4) float32, skinning matrices into a space with Y up in which
    the first pose of the first clip is centred and has longest side 1. rest (N, 3) float32: that pose.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    joints: np.ndarray
    weights: np.ndarray
    clips: tuple[np.ndarray, ...]
    rest: np.ndarray
    skeleton: Skeleton


def read_rigs(folder: Path, names: frozenset[str] | None = None, processes: int = 1) -> list[Rig]:
    """All rigs of a folder, or those named, by name. processes: that read at once, since skeletons take long to guess.

    Raises Motion324Error("rigs-missing" or "rig-broken").
    """
    paths = sorted(path for path in folder.glob("*.npz") if names is None or path.stem in names)
    if not paths or (names is not None and len(paths) < len(names)):
        raise Motion324Error(
            "rigs-missing",
            f"The folder '{folder}' holds {len(paths)} of the rigged models (.npz) that training needs.",
            "Give their folder with --rigs, or under `motion324 train` with the key synthetic.rigs.",
            EXIT_BAD_MESH,
        )
    if processes < 2:
        return [read_rig(path) for path in paths]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(read_rig, paths, chunksize=4))


def read_rig(path: Path) -> Rig:
    """Raises Motion324Error("rig-broken") where the file is no rig."""
    try:
        with np.load(path, allow_pickle=False) as file:
            clips = [file[f"clip{i}"].astype(np.float64) for i in range(sum(key.startswith("clip") for key in file))]
            vertices, faces = file["V"].astype(np.float64), file["F"].astype(np.int64)
            colours, joints = file["C"].astype(np.float32), file["J"].astype(np.int64)
            weights = file["W"].astype(np.float64)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _broken(path) from error
    if not clips or not all(np.isfinite(part).all() for part in (vertices, weights, *clips)):
        raise _broken(path)
    clips, rest = in_normalised_space(clips, skinned(vertices, joints, weights, clips[0][0]))
    dense = np.zeros((len(vertices), clips[0].shape[1]))
    np.add.at(dense, (np.arange(len(vertices))[:, None], joints), weights)
    poses = np.concatenate(clips)
    poses = poses[np.linspace(0, len(poses) - 1, min(POSES_FOR_SKELETON, len(poses))).astype(int)]
    return Rig(
        name=path.stem,
        vertices=vertices.astype(np.float32),
        faces=faces,
        colours=colours.clip(0, 1),
        joints=joints,
        weights=weights.astype(np.float32),
        clips=tuple(clip.astype(np.float32) for clip in clips),
        rest=rest.astype(np.float32),
        skeleton=guess_skeleton(rest, faces, dense, clips[0][0], poses),
    )


def in_normalised_space(clips: list[np.ndarray], rest: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """clips (T, J, 3, 4) each, rest (N, 3): their first pose -> both where that is centred with longest side 1."""
    low, high = rest.min(axis=0), rest.max(axis=0)
    scale = 1.0 / float((high - low).max())
    moved = [clip * scale for clip in clips]
    for clip in moved:
        clip[..., 3] -= scale * (low + high) / 2
    return moved, (rest - (low + high) / 2) * scale


def skinned(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """vertices (N, 3), joints and weights (N, 4), pose (J, 3, 4) -> (N, 3)."""
    mixed = np.einsum("nk,nkab->nab", weights, pose[joints])
    return np.einsum("nab,nb->na", mixed, np.c_[vertices, np.ones(len(vertices))])


def _broken(path: Path) -> Motion324Error:
    return Motion324Error(
        "rig-broken",
        f"The file '{path}' is no rigged model for training.",
        "It needs finite arrays V, F, C, J, W and clip0, clip1, and so on.",
        EXIT_BAD_MESH,
    )
