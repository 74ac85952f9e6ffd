"""A closed, rounded mesh from one silhouette."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motion324.core.errors import EXIT_NO_FOREGROUND, Motion324Error
from motion324.core.progress import silent
from motion324.mesh.checks import check_mesh
from motion324.mesh_providers.inflate.closed_surface import triangle_quality, zero_surface
from motion324.mesh_providers.inflate.provider import InflateProvider
from motion324.mesh_providers.interface import ObjectPicture
from motion324.view.rasteriser import rasterise, render

HEIGHT, WIDTH = 300, 400
OBJECT, BACKGROUND = (180, 90, 30), (0, 255, 0)


def disc(mask):
    cv2.circle(mask, (150, 140), 90, 1, -1, cv2.LINE_AA)


def animal(mask):
    cv2.ellipse(mask, (200, 140), (110, 45), 0, 0, 360, 1, -1, cv2.LINE_AA)
    for x, lean in ((120, -10), (150, 5), (260, -5), (290, 12)):
        cv2.line(mask, (x, 160), (x + lean, 265), 1, 14, cv2.LINE_AA)
    cv2.circle(mask, (315, 95), 34, 1, -1, cv2.LINE_AA)
    cv2.line(mask, (95, 130), (50, 70), 1, 7, cv2.LINE_AA)


def ring(mask):
    cv2.circle(mask, (200, 150), 100, 1, 50, cv2.LINE_AA)


def two_parts(mask):
    cv2.circle(mask, (110, 150), 70, 1, -1, cv2.LINE_AA)
    cv2.rectangle(mask, (220, 60), (330, 240), 1, -1)
    mask[5:8, 390:393] = 1  # a speck
    cv2.circle(mask, (110, 150), 1, 0, -1)  # and a pinhole


def cut_by_the_border(mask):
    cv2.ellipse(mask, (0, 299), (220, 180), 0, 0, 360, 1, -1, cv2.LINE_AA)


SHAPES = {disc: 1, animal: 1, ring: 1, two_parts: 2, cut_by_the_border: 1}


def mask_of(draw):
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    draw(mask)
    return mask


def inflated(draw):
    mask = mask_of(draw)
    frame = np.where(mask[..., None] > 0.5, np.uint8(OBJECT), np.uint8(BACKGROUND)).astype(np.uint8)
    return mask, InflateProvider().provide(ObjectPicture(frame, mask, "shape.mp4"), silent)


@pytest.fixture(scope="module")
def meshes():
    return {draw: inflated(draw) for draw in SHAPES}


def half_edges(faces):
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def fans(faces, count):
    """(N,) how many closed rings of triangles meet at each vertex: 1 everywhere on a manifold."""
    following = [{} for _ in range(count)]
    for a, b, c in faces:
        for tip, start, end in ((a, b, c), (b, c, a), (c, a, b)):
            assert start not in following[tip]
            following[tip][start] = end
    rings = []
    for around in following:
        number = 0
        while around:
            number += 1
            first = here = next(iter(around))
            while here in around:
                here = around.pop(here)
            assert here == first
        rings.append(number)
    return np.array(rings)


@pytest.mark.parametrize("draw", SHAPES)
def test_the_mesh_is_closed_and_manifold(meshes, draw):
    _, provided = meshes[draw]
    mesh = provided.mesh
    check_mesh(mesh)
    assert 2000 <= len(mesh.positions) <= 20000
    edges = half_edges(mesh.faces.astype(np.int64))
    keys, back = edges @ [len(mesh.positions), 1], edges[:, ::-1] @ [len(mesh.positions), 1]
    assert len(np.unique(keys)) == len(keys)
    assert np.array_equal(np.sort(keys), np.sort(back))  # every edge runs once either way: closed, and oriented
    assert (fans(mesh.faces.tolist(), len(mesh.positions)) == 1).all()
    corners = mesh.positions.astype(np.float64)[mesh.faces]
    assert np.einsum("fa,fa->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0  # turned outwards
    euler = len(mesh.positions) - len(edges) // 2 + len(mesh.faces)
    assert euler == {ring: 0, two_parts: 4}.get(draw, 2)  # a torus, two balls, one ball: no handles of its own


@pytest.mark.parametrize("draw", SHAPES)
def test_its_silhouette_is_the_mask(meshes, draw):
    mask, provided = meshes[draw]
    seen = rasterise(provided.mesh.positions, provided.mesh.faces, provided.view, HEIGHT, WIDTH).mask
    overlap = (seen & (mask > 0.5)).sum() / (seen | (mask > 0.5)).sum()
    assert overlap >= 0.97
    assert provided.details["silhouette_overlap"] == pytest.approx(overlap, abs=1e-3)


@pytest.mark.parametrize("draw", SHAPES)
def test_its_triangles_are_even(meshes, draw):
    _, provided = meshes[draw]
    quality = triangle_quality(provided.mesh.positions.astype(np.float64), provided.mesh.faces)
    assert quality.mean() > 0.93
    assert np.percentile(quality, 1) > 0.7
    assert quality.min() > 0.1


def test_a_disc_becomes_a_lens_and_a_limb_round(meshes):
    low, high = (getattr(meshes[disc][1].mesh.positions, side)(axis=0) for side in ("min", "max"))
    assert (high - low)[2] == pytest.approx(np.sqrt(0.5), abs=0.04)
    assert abs(high + low).max() < 1e-5  # centred, with a back like its front
    assert (high - low).max() == pytest.approx(1, abs=1e-5)


def test_both_sides_have_the_colours_of_the_frame_and_none_of_the_background(meshes):
    mask, provided = meshes[animal]
    texture = provided.mesh.materials[0].texture[..., :3].astype(int)
    assert np.abs(texture - OBJECT).max() <= 2
    image, seen = render(provided.mesh.positions, provided.mesh, provided.view, HEIGHT, WIDTH)
    lit = image[seen & (cv2.erode(mask, np.ones((9, 9))) > 0.5)].astype(float)
    assert np.allclose(lit / lit.sum(axis=1, keepdims=True), np.array(OBJECT) / sum(OBJECT), atol=0.03)


def test_the_front_looks_at_the_camera(meshes):
    _, provided = meshes[animal]
    assert provided.mesh.up == "Y"
    assert abs(provided.view.azimuth) < 25 and abs(provided.view.elevation) < 25
    assert np.allclose(provided.view.rotation, np.diag([1, -1, -1]))


def test_a_thin_part_between_two_thick_ones_holds_together():
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    for x in (90, 310):
        cv2.circle(mask, (x, 150), 60, 1, -1, cv2.LINE_AA)
    cv2.line(mask, (90, 150), (310, 150), 1, 5, cv2.LINE_AA)
    provided = InflateProvider().provide(ObjectPicture(np.zeros((HEIGHT, WIDTH, 3), np.uint8), mask, "bar"), silent)
    mesh = provided.mesh
    assert len(mesh.positions) - len(mesh.faces) * 3 // 2 + len(mesh.faces) == 2


def test_an_empty_mask_is_refused():
    picture = ObjectPicture(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.float32), "empty.mp4")
    with pytest.raises(Motion324Error, match=r"empty\.mp4") as problem:
        InflateProvider().provide(picture, silent)
    assert problem.value.code == "no-foreground" and problem.value.exit_code == EXIT_NO_FOREGROUND


def test_the_lattice_finds_a_ball_and_its_other_side_is_the_mirror_image():
    def ball(points):
        return 1 - (points**2).sum(axis=1)

    positions, faces = zero_surface(ball, np.full(3, -1.3), np.full(3, 1.3), 0.2)
    assert np.allclose(np.linalg.norm(positions, axis=1), 1, atol=0.02)
    assert len(positions) - len(faces) // 2 == 2
    mirrored = np.round(positions * [1, 1, -1], 6)
    assert {tuple(p) for p in np.round(positions, 6) + 0.0} == {tuple(p) for p in mirrored + 0.0}
