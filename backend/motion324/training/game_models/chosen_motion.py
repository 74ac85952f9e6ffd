"""Chooses the clips of a model that are worth training on, and leaves out joints that nothing needs.

N vertices, F faces, J joints, T poses.
"""

from __future__ import annotations

import numpy as np

from motion324.training.game_models.division import edges_of
from motion324.training.synthesis.rigs import skinned

MOST_CLIPS = 12
HARDLY_MOVES = 0.01  # of the longest side, on average over poses and vertices
TORN = 12.0  # times an edge's length
TINY_EDGE = 0.01  # of the longest side: shorter edges count as this long
FEWEST_POSES = 8
JUMP = 2.5  # times the steps beside it: the first or last step of a clip that is no motion
SMALL_STEP = 4e-3  # of the longest side, on average over vertices: steps that are smaller are no jumps
SAMPLES = 300  # vertices by which motions are compared
POSES = 12  # of each clip by which it is compared
SAME_MOTION = 1e-3  # of the longest side: joints whose motions differ by less move as one
FAR_AWAY = 3.0  # longest sides: what a clip moves farther than this from where the first one begins is lost


def chosen_clips(
    vertices: np.ndarray, faces: np.ndarray, joints: np.ndarray, weights: np.ndarray, clips: list[np.ndarray]
) -> list[np.ndarray]:
    """The clips that move and tear nothing, at most MOST_CLIPS that differ most, in their order."""
    whole = [
        clip for clip in clips if np.isfinite(clip).all() and tears_nothing(vertices, faces, joints, weights, clip)
    ]
    if not whole:
        return []
    sample = np.unique(np.linspace(0, len(vertices) - 1, SAMPLES).astype(int))
    size = float(np.ptp(posed(vertices, joints, weights, whole[0][:1])[0], axis=0).max())
    tracks = []
    moving = []
    for clip in whole:
        track = posed(vertices[sample], joints[sample], weights[sample], clip) / size
        steady = steady_part(track)
        clip, track = clip[steady], track[steady]
        if len(clip) >= FEWEST_POSES and np.linalg.norm(track - track[0], axis=2).mean() > HARDLY_MOVES:
            tracks.append(track[np.linspace(0, len(track) - 1, POSES).astype(int)])
            moving.append(clip)
    if len(moving) <= MOST_CLIPS:
        return moving
    apart = np.array([[np.linalg.norm(a - b, axis=2).mean() for b in tracks] for a in tracks])
    chosen = [0]
    while len(chosen) < MOST_CLIPS:
        chosen.append(int(apart[:, chosen].min(axis=1).argmax()))
    return [moving[index] for index in sorted(set(chosen))]


def steady_part(track: np.ndarray) -> slice:
    """Which poses of a track (T, N, 3) follow on each other: exporters leave a pose of another animation at an end.

    That one may lie between two poses, so that two steps are too long; as many are left out at most.
    """
    steps = np.linalg.norm(np.diff(track, axis=0), axis=2).mean(axis=1)

    def jumps(beside: np.ndarray) -> int:
        count = 0
        while count < 2 and len(beside) > count + FEWEST_POSES:
            usual = max(float(beside[count + 2 : count + 5].max()), SMALL_STEP)
            if beside[count] <= JUMP * usual:
                break
            count += 1
        return count

    return slice(jumps(steps), len(track) - jumps(steps[::-1]))


def posed(vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """vertices (N, 3), clip (T, J, 3, 4) -> (T, N, 3)."""
    return np.stack([skinned(vertices, joints, weights, pose) for pose in clip])


def tears_nothing(
    vertices: np.ndarray, faces: np.ndarray, joints: np.ndarray, weights: np.ndarray, clip: np.ndarray
) -> bool:
    edges, _ = edges_of(faces)
    rest = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    size = float(np.ptp(vertices, axis=0).max())
    poses = posed(vertices, joints, weights, clip[np.linspace(0, len(clip) - 1, POSES).astype(int)])
    lengths = np.linalg.norm(poses[:, edges[:, 0]] - poses[:, edges[:, 1]], axis=2).max(axis=0)
    away = np.linalg.norm(poses - vertices.mean(axis=0), axis=2).max()
    return bool((lengths <= TORN * np.maximum(rest, TINY_EDGE * size)).all() and away < FAR_AWAY * size)


def fewer_joints(
    vertices: np.ndarray, joints: np.ndarray, weights: np.ndarray, clips: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Joints (N, 4) of clips that hold only those which some vertex needs; those that move alike have become one."""
    size = float(np.ptp(vertices, axis=0).max())
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    corners = np.array([[x, y, z, 1] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    poses = np.concatenate([clip[np.linspace(0, len(clip) - 1, POSES).astype(int)] for clip in clips])
    moved = np.einsum("tjab,cb->jtca", poses, corners).reshape(poses.shape[1], -1)
    kept: list[int] = []
    new = np.zeros(poses.shape[1], np.int64)
    for joint in np.unique(joints[weights > 0]):
        same = [i for i, other in enumerate(kept) if np.abs(moved[other] - moved[joint]).max() < SAME_MOTION * size]
        new[joint] = same[0] if same else len(kept)
        if not same:
            kept.append(int(joint))
    return np.where(weights > 0, new[joints], 0), [clip[:, kept] for clip in clips]
