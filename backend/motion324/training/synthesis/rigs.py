"""Reads rigged, animated models from .npz files: V, F, C, J, W and clip0, clip1, ..., as in backend/README.md.

Clips have 24 poses a second. Since the files store skinning matrices only, the skeleton is guessed from skin weights
and poses: joints that hold neighbouring parts of the surface are linked, and turn about the place where the parts meet.
N vertices, F faces, J joints.
"""

from __future__ import annotations

import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error

POSES_FOR_SKELETON = 24
WELD = 1e-3  # of the longest side: vertices closer than this count as one
SAME_MOTION = 1e-3  # of the longest side: joints whose motions differ by less move as one
SAMPLES = 24  # vertices of a joint that are looked at to find its nearest neighbour


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
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
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


@dataclass(frozen=True)
class Skeleton:
    """leaders (J,): the joint whose motion each joint shares, itself mostly. parents (J,): of leaders; J for the root
    and for joints that are no leaders. pivots (J, 3): where a leader turns, in its own bind space."""

    leaders: np.ndarray
    parents: np.ndarray
    pivots: np.ndarray


def guess_skeleton(
    positions: np.ndarray, faces: np.ndarray, weights: np.ndarray, rest: np.ndarray, poses: np.ndarray
) -> Skeleton:
    """positions (N, 3): posed by `rest`. weights (N, J). rest (J, 3, 4), poses (Q, J, 3, 4): skinning matrices."""
    size = float(np.ptp(positions, axis=0).max())
    leaders = _joints_that_move_alike(positions, weights, rest, poses, SAME_MOTION * size)
    grouped = np.zeros_like(weights)
    for joint, leader in enumerate(leaders):
        grouped[:, leader] += weights[:, joint]
    score, meeting = _where_parts_meet(positions, faces, grouped, WELD * size)
    active = np.flatnonzero(grouped.sum(axis=0) > 1e-4)
    parents = np.full(len(leaders), len(leaders))
    pivots = np.zeros((len(leaders), 3))
    _link(active, grouped, score, meeting, parents, pivots, positions)
    return Skeleton(leaders, parents, _to_bind_space(pivots, rest))


def _joints_that_move_alike(
    positions: np.ndarray, weights: np.ndarray, rest: np.ndarray, poses: np.ndarray, tolerance: float
) -> np.ndarray:
    """(J,): for each joint the first joint with the same motion relative to the rest pose, over all poses."""
    count = rest.shape[0]
    relative = _as_square(poses) @ np.linalg.pinv(_as_square(rest))
    low, high = positions.min(axis=0), positions.max(axis=0)
    corners = np.array(
        [[x, y, z, 1.0] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    moved = np.einsum("qjab,cb->jqca", relative[:, :, :3], corners).reshape(count, -1)
    used = weights.sum(axis=0) > 1e-4
    leaders = np.arange(count)
    for joint in range(count):
        for earlier in range(joint):
            same = leaders[earlier] == earlier and used[earlier] and used[joint]
            if same and np.abs(moved[joint] - moved[earlier]).max() < tolerance:
                leaders[joint] = earlier
                break
    return leaders


def _where_parts_meet(
    positions: np.ndarray, faces: np.ndarray, weights: np.ndarray, weld: float
) -> tuple[np.ndarray, np.ndarray]:
    """How much surface two joints share, (J, J), and the weighted sum of its places, (J, J, 3)."""
    _, welded = np.unique(np.round(positions / weld).astype(np.int64), axis=0, return_inverse=True)
    welded = welded.reshape(-1)
    count = np.bincount(welded).astype(float)[:, None]
    merged = np.stack([np.bincount(welded, column) for column in weights.T], axis=1) / count
    places = np.stack([np.bincount(welded, column) for column in positions.T], axis=1) / count
    edges = np.unique(np.sort(np.concatenate([welded[faces[:, [i, (i + 1) % 3]]] for i in range(3)]), axis=1), axis=0)
    first = np.concatenate([np.arange(len(merged)), edges[:, 0], edges[:, 1]])
    second = np.concatenate([np.arange(len(merged)), edges[:, 1], edges[:, 0]])
    middle = (places[first] + places[second]) / 2
    score = merged[first].T @ merged[second]
    meeting = np.stack([(merged[first] * middle[:, axis : axis + 1]).T @ merged[second] for axis in range(3)], axis=-1)
    return score, meeting


def _link(
    active: np.ndarray,
    weights: np.ndarray,
    score: np.ndarray,
    meeting: np.ndarray,
    parents: np.ndarray,
    pivots: np.ndarray,
    positions: np.ndarray,
) -> None:
    """Fills parents and pivots (in the rest pose) by a tree of the strongest links, from the largest part outwards."""
    holders = weights.argmax(axis=1)
    samples: dict[int, np.ndarray] = {}
    for joint in active:
        own = np.flatnonzero(holders == joint)
        own = own if len(own) else weights[:, joint].argsort()[-4:]
        samples[joint] = positions[own[np.linspace(0, len(own) - 1, min(SAMPLES, len(own))).astype(int)]]
    root = int(active[weights[:, active].sum(axis=0).argmax()])
    pivots[root] = samples[root].mean(axis=0)
    inside, outside = [root], [int(joint) for joint in active if joint != root]
    while outside:
        block = score[np.ix_(inside, outside)]
        if block.max() > 1e-3:
            i, j = np.unravel_index(block.argmax(), block.shape)
            parent, child = inside[i], outside[j]
            pivots[child] = meeting[parent, child] / score[parent, child]
        else:
            parent, child, pivots[child] = _nearest(samples, inside, outside)
        parents[child] = parent
        inside.append(child)
        outside.remove(child)


def _nearest(samples: dict[int, np.ndarray], inside: list[int], outside: list[int]) -> tuple[int, int, np.ndarray]:
    """The closest pair of an inner and an outer joint, and the place between them."""
    ours = np.concatenate([samples[joint] for joint in inside])
    theirs = np.concatenate([samples[joint] for joint in outside])
    our_joint = np.repeat(inside, [len(samples[joint]) for joint in inside])
    their_joint = np.repeat(outside, [len(samples[joint]) for joint in outside])
    distances = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    i, j = np.unravel_index(distances.argmin(), distances.shape)
    return int(our_joint[i]), int(their_joint[j]), (ours[i] + theirs[j]) / 2


def _to_bind_space(points: np.ndarray, rest: np.ndarray) -> np.ndarray:
    inverse = np.linalg.pinv(_as_square(rest))
    return np.einsum("jab,jb->ja", inverse, np.c_[points, np.ones(len(points))])[:, :3]


def _as_square(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 4) -> (..., 4, 4) float64."""
    last = np.broadcast_to([0.0, 0.0, 0.0, 1.0], (*matrices.shape[:-2], 1, 4))
    return np.concatenate([matrices.astype(np.float64), last], axis=-2)
