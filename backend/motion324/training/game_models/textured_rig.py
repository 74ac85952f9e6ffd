"""Writes a model with image textures as a rig to train on, whose colours stand at its vertices.

Faces whose texture changes inside are divided first, so that the vertices can hold what the texture shows.
N vertices, F faces, J joints, T poses.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from motion324.training.game_models.chosen_motion import chosen_clips, fewer_joints
from motion324.training.game_models.division import divided
from motion324.training.game_models.texture_colours import CornerColours, corner_colours, pyramid
from motion324.training.game_models.textured_model import TexturedModel

MOST_VERTICES = 5500
VERTICES = 5000  # what faces are divided up to
CLEARLY_DIFFERENT = 0.12  # sRGB, of any channel: the colours of a vertex's faces are no longer averaged
SEEN = 0.5  # opacity of the faces that are kept
SAME_PLACE = 1e-5  # of the longest side: vertices with one skin that lie closer are one
STEPS_OF_WEIGHTS = 2048  # float16 holds multiples of 1/2048 exactly, so that the weights sum to exactly 1


def write_rig(path: Path, model: TexturedModel) -> bool:
    """Writes the .npz; False, and no file, where nothing moves or parts fly apart in all clips."""
    clips = chosen_clips(model.vertices, model.faces, model.joints, model.weights, model.clips)
    if not clips:
        return False
    joints, clips = fewer_joints(model.vertices, model.joints, model.weights, clips)
    model = replace(model, joints=joints, clips=clips)
    vertices, faces, colours, joints, weights = coloured(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(
        unfinished,
        allow_pickle=False,
        V=vertices.astype(np.float32),
        F=faces.astype(np.int32),
        C=colours.astype(np.float16),
        J=joints.astype(np.uint8 if joints.max() < 256 else np.uint16),
        W=exact_weights(weights).astype(np.float16),
        **{f"clip{i}": clip.astype(np.float32) for i, clip in enumerate(clips)},
    )
    unfinished.replace(path)
    return True


def coloured(model: TexturedModel) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (M, 3), faces (G, 3), colours (M, 3) sRGB, joints (M, 4), weights (M, 4): at most MOST_VERTICES."""
    welded = with_one_vertex_a_place(model)
    pyramids = [pyramid(texture) for texture in model.textures]
    budget = VERTICES
    while True:
        finer = divided(welded, pyramids, budget) if len(welded.vertices) < budget else welded
        finer, colours = without_unseen(finer, corner_colours(finer, pyramids))
        for tolerance in (CLEARLY_DIFFERENT, 2 * CLEARLY_DIFFERENT):
            corner, count, mean = split_by_colour(finer.faces, colours, len(finer.vertices), tolerance)
            if count <= MOST_VERTICES:
                break
        if count <= MOST_VERTICES or budget <= len(welded.vertices):
            break
        budget = int(budget * 0.85)
    source = np.zeros(count, np.int64)
    source[corner.ravel()] = finer.faces.ravel()
    parts = finer.vertices[source], corner, mean, finer.joints[source], finer.weights[source]
    return parts if count <= MOST_VERTICES else decimated(*parts)


def with_one_vertex_a_place(model: TexturedModel) -> TexturedModel:
    """Vertices that lie at one place and move alike become one. Faces that have no area then are left out, and
    the back of faces that lie twice at one place, one for each side."""
    size = float(np.ptp(model.vertices, axis=0).max())
    order = np.argsort(-model.weights, axis=1, kind="stable")
    joints = np.take_along_axis(model.joints, order, axis=1)
    weights = np.take_along_axis(model.weights, order, axis=1)
    joints = np.where(weights > 0, joints, joints[:, :1])
    key = np.c_[np.round(model.vertices / (SAME_PLACE * size)), joints, np.round(weights * 200)].astype(np.int64)
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    faces = inverse.reshape(-1)[model.faces]
    kept = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    _, once = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    kept &= np.isin(np.arange(len(faces)), once)
    used, faces = np.unique(faces[kept], return_inverse=True)
    return replace(
        model,
        vertices=model.vertices[first][used],
        faces=faces.reshape(-1, 3),
        uv=None if model.uv is None else model.uv[kept],
        texture=model.texture[kept],
        joints=joints[first][used],
        weights=weights[first][used],
    )


def without_unseen(model: TexturedModel, colours: CornerColours) -> tuple[TexturedModel, CornerColours]:
    """Both without the faces whose texture is rather transparent, where any others are left."""
    seen = colours.opacity >= SEEN
    if seen.all() or not seen.any():
        return model, colours
    uv = None if model.uv is None else model.uv[seen]
    left = CornerColours(colours.values[seen], colours.areas[seen], colours.variance[seen], colours.opacity[seen])
    return replace(model, faces=model.faces[seen], uv=uv, texture=model.texture[seen]), left


def split_by_colour(
    faces: np.ndarray, colours: CornerColours, vertices: int, tolerance: float
) -> tuple[np.ndarray, int, np.ndarray]:
    """Corners of faces at one vertex whose colours differ clearly get vertices of their own.

    Returns faces (G, 3) of the new vertices, their number, and their colours (M, 3), means over their corners by area.
    """
    owner = faces.ravel()
    values = colours.values.reshape(-1, 3)
    shares = np.repeat(colours.areas, 3)
    group = np.full(len(owner), -1)
    sums: list[np.ndarray] = []
    weight: list[float] = []
    groups_of: list[list[int]] = [[] for _ in range(vertices)]
    for corner in np.argsort(-shares, kind="stable"):  # the largest faces found the groups
        of_vertex = groups_of[owner[corner]]
        far = [float(np.abs(sums[g] / weight[g] - values[corner]).max()) for g in of_vertex]
        if far and min(far) <= tolerance:
            chosen = of_vertex[int(np.argmin(far))]
        else:
            chosen = len(sums)
            of_vertex.append(chosen)
            sums.append(np.zeros(3))
            weight.append(0.0)
        group[corner] = chosen
        sums[chosen] = sums[chosen] + values[corner] * shares[corner]
        weight[chosen] += shares[corner]
    mean = np.array(sums) / np.array(weight)[:, None]
    return group.reshape(-1, 3), len(sums), mean.clip(0, 1)


def decimated(
    vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, joints: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """About VERTICES vertices; each has the colour and the skin of the nearest one before."""
    import fast_simplification
    from scipy.spatial import cKDTree

    size = float(np.ptp(vertices, axis=0).max())
    _, first, inverse = np.unique(
        np.round(vertices / (SAME_PLACE * size)).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    places, joined = vertices[first], inverse.reshape(-1)[faces]
    sums = np.stack([np.bincount(inverse.reshape(-1), column) for column in colours.T], axis=1)
    colour = sums / np.bincount(inverse.reshape(-1))[:, None]
    points, triangles, share, eagerness = places, joined, VERTICES / len(places), 3
    while len(points) > MOST_VERTICES and share > 0.1:
        points, triangles = fast_simplification.simplify(
            places.astype(np.float32), joined.astype(np.int32), 1 - share, agg=eagerness
        )
        share, eagerness = share * 0.85, min(eagerness + 2, 9)  # it counts faces, and stops early where it hesitates
    used, triangles = np.unique(triangles, return_inverse=True)
    points = np.asarray(points, np.float64)[used]
    _, nearest = cKDTree(places).query(points)
    return points, triangles.reshape(-1, 3), colour[nearest], joints[first][nearest], weights[first][nearest]


def exact_weights(weights: np.ndarray) -> np.ndarray:
    """(N, 4) -> multiples of 1/2048 that sum to exactly 1."""
    scaled = weights / weights.sum(axis=1, keepdims=True) * STEPS_OF_WEIGHTS
    steps = np.floor(scaled)
    missing = (STEPS_OF_WEIGHTS - steps.sum(axis=1)).astype(int)
    rank = np.argsort(np.argsort(-(scaled - steps), axis=1, kind="stable"), axis=1)
    result: np.ndarray = (steps + (rank < missing[:, None])) / STEPS_OF_WEIGHTS
    return result
