"""Divides the faces of a model whose texture changes inside, where that shows most, until it has enough vertices.

Edges are halved, and every face of a halved edge is divided with it, so that no gaps open when the model moves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from motion324.training.game_models.texture_colours import Pyramid, corner_colours
from motion324.training.game_models.textured_model import TexturedModel

ROUNDS = 14
SHARE_A_ROUND = 0.35  # of the vertices that may be added: later rounds see where it is still needed
PLAIN = 4e-4  # variance of the colours in a face, below which it is not divided
LONG = 0.75  # of a face's longest edge: edges that are halved with it


def divided(model: TexturedModel, pyramids: list[Pyramid], most: int) -> TexturedModel:
    """The model with at most `most` vertices. Its vertices are one a place (see with_one_vertex_a_place)."""
    if model.uv is None:
        return model
    for _ in range(ROUNDS):
        room = most - len(model.vertices)
        if room < 20:
            break
        edges, of_face = edges_of(model.faces)
        colours = corner_colours(model, pyramids)
        seen = colours.variance * colours.areas * (colours.variance > PLAIN)
        lengths = np.linalg.norm(model.vertices[edges[:, 0]] - model.vertices[edges[:, 1]], axis=1)
        long = lengths[of_face] >= LONG * lengths[of_face].max(axis=1, keepdims=True)
        gain = np.zeros(len(edges))
        np.add.at(gain, of_face[long], np.repeat(seen[:, None], 3, axis=1)[long])
        candidates = np.flatnonzero(gain > 0)
        if not len(candidates):
            break
        count = min(len(candidates), max(int(room * SHARE_A_ROUND), min(room, 60)))
        halved = np.zeros(len(edges), bool)
        halved[candidates[np.argsort(-gain[candidates], kind="stable")[:count]]] = True
        model = with_halved_edges(model, edges, of_face, halved)
    return model


def edges_of(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges (E, 2), and of each face (F, 3) the edges behind its corners 0, 1 and 2."""
    pairs = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1), axis=-1)
    edges, inverse = np.unique(pairs.reshape(-1, 2), axis=0, return_inverse=True)
    return edges, inverse.reshape(-1, 3)


def with_halved_edges(
    model: TexturedModel, edges: np.ndarray, of_face: np.ndarray, halved: np.ndarray
) -> TexturedModel:
    middle = np.full(len(edges), -1)
    middle[halved] = len(model.vertices) + np.arange(halved.sum())
    first, second = edges[halved].T
    joints, weights = mixed_skins(
        model.joints[first], model.weights[first], model.joints[second], model.weights[second]
    )
    assert model.uv is not None  # `divided` looks first
    corners, uv, source = divided_faces(model.faces, model.uv, middle[of_face])
    return replace(
        model,
        vertices=np.concatenate([model.vertices, (model.vertices[first] + model.vertices[second]) / 2]),
        faces=corners,
        uv=uv,
        texture=model.texture[source],
        joints=np.concatenate([model.joints, joints]),
        weights=np.concatenate([model.weights, weights]),
    )


def divided_faces(faces: np.ndarray, uv: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """faces (F, 3), uv (F, 3, 2), middle (F, 3): vertex in the middle of the edge behind each corner, -1: none.

    Returns new faces (G, 3), their uv (G, 3, 2) and the face (G,) that each comes from.
    """
    # Places 0 to 2 are the corners, 3 to 5 the middles of the edges behind them.
    six = np.concatenate([faces, middle], axis=1)
    six_uv = np.concatenate([uv, (uv + np.roll(uv, -1, axis=1)) / 2], axis=1)
    count = (middle >= 0).sum(axis=1)
    parts: list[tuple[np.ndarray, np.ndarray]] = [(np.flatnonzero(count == 0), np.array([[0, 1, 2]]))]
    for edge in range(3):
        turn = np.array([(edge + k) % 3 for k in range(3)] + [3 + (edge + k) % 3 for k in range(3)])
        only = (count == 1) & (middle[:, edge] >= 0)
        parts.append((np.flatnonzero(only), turn[[[0, 3, 2], [3, 1, 2]]]))
        missing = (count == 2) & (middle[:, (edge + 2) % 3] < 0)  # edges `edge` and the one after it are halved
        parts.append((np.flatnonzero(missing), turn[[[3, 1, 4], [0, 3, 4], [0, 4, 2]]]))
    parts.append((np.flatnonzero(count == 3), np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]])))
    new, new_uv, source = [], [], []
    for rows, triangles in parts:
        for triangle in triangles:
            new.append(six[rows][:, triangle])
            new_uv.append(six_uv[rows][:, triangle])
            source.append(rows)
    return np.concatenate(new), np.concatenate(new_uv), np.concatenate(source)


def mixed_skins(
    joints_a: np.ndarray, weights_a: np.ndarray, joints_b: np.ndarray, weights_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The means of pairs of skins, (E, 4) each: the four largest weights of up to eight."""
    joints = np.concatenate([joints_a, joints_b], axis=1)
    weights = np.concatenate([weights_a, weights_b], axis=1) / 2
    same = joints[:, :, None] == joints[:, None, :]
    first = same.argmax(axis=2)
    summed = np.zeros_like(weights)
    np.add.at(summed, (np.arange(len(joints))[:, None], first), weights)
    order = np.argsort(-summed, axis=1, kind="stable")[:, :4]
    best = np.take_along_axis(summed, order, axis=1)
    return np.take_along_axis(joints, order, axis=1), best / best.sum(axis=1, keepdims=True)
