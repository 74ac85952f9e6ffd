"""Normalised space is Y up, centred, with longest side 1, and there is a way back."""

from __future__ import annotations

import dataclasses

import numpy as np

from motion324.core.reference_mesh import Normalisation, normalised_mesh


def test_normalised_mesh_is_centred_with_longest_side_one(box):
    mesh, normalisation = normalised_mesh(box)
    low, high = mesh.positions.min(axis=0), mesh.positions.max(axis=0)
    np.testing.assert_allclose(low, -high, atol=1e-6)
    np.testing.assert_allclose(high - low, np.array([1, 2, 3]) / 3, atol=1e-6)
    assert np.isclose(normalisation.scale, 1 / 3)
    np.testing.assert_array_equal(mesh.faces, box.faces)


def test_z_up_becomes_y_up(box):
    blender = dataclasses.replace(box, up="Z")
    mesh, normalisation = normalised_mesh(blender)
    assert mesh.up == "Y"
    moved = (box.positions - box.positions.mean(axis=0)) / 3
    np.testing.assert_allclose(mesh.positions, np.stack([moved[:, 0], moved[:, 2], -moved[:, 1]], axis=1), atol=1e-6)
    up = normalisation.to_source(np.array([[0, 0.5, 0]])) - normalisation.to_source(np.zeros((1, 3)))
    np.testing.assert_allclose(up, [[0, 0, 1.5]], atol=1e-5)


def test_there_and_back_is_exact_to_float32(box):
    generator = np.random.default_rng(0)
    for up in ("Y", "Z"):
        positions = (generator.normal(size=(500, 3)) * 30 + [100, -50, 7]).astype(np.float32)
        faces = generator.integers(0, 500, (900, 3)).astype(np.int32)
        mesh = dataclasses.replace(box, positions=positions, faces=faces, up=up)
        normalisation = Normalisation.of(mesh)
        back = normalisation.to_source(normalisation.to_normalised(positions))
        np.testing.assert_allclose(back, positions, rtol=0, atol=2e-5)  # float32 at 200 units is good for 1.5e-5
        many = np.stack([positions, positions + 1])
        assert normalisation.to_source(normalisation.to_normalised(many)).shape == (2, 500, 3)


def test_a_stray_vertex_does_not_shrink_the_model(box):
    stray = np.concatenate([box.positions, np.float32([[1000, 0, 0]])])
    mesh, _ = normalised_mesh(dataclasses.replace(box, positions=stray))
    np.testing.assert_allclose(np.ptp(mesh.positions[:-1], axis=0).max(), 1, atol=1e-6)
