"""Masks that lack a part of the object, or have more than it, in the reference frame as in the others."""

from __future__ import annotations

import numpy as np

from motion324.reconstructors.deformation_fit.mask_faults import BESIDE, faults_of

DRAWN = np.zeros((60, 80), bool)
DRAWN[20:40, 10:70] = True
POINTS = np.stack([np.arange(12, 70, 4) + 0.5, np.full(15, 30.5)], axis=1)


def test_a_good_mask_has_no_faults_though_it_is_a_pixel_off():
    for shift in (-1, 1):
        faults = faults_of(np.roll(DRAWN, shift, axis=1), DRAWN, POINTS)
        assert not faults.lacking.any() and not faults.surplus.any()


def test_points_of_a_part_that_the_mask_lacks_are_told():
    mask = DRAWN.copy()
    mask[:, 50:] = False
    faults = faults_of(mask, DRAWN, POINTS)
    assert np.array_equal(faults.lacking, POINTS[:, 0] > 50 + BESIDE)
    assert not faults.surplus.any()


def test_points_next_to_what_the_mask_has_beside_the_mesh_are_told():
    mask = DRAWN.copy()
    mask[40:50, 10:30] = True  # a shadow
    faults = faults_of(mask, DRAWN, POINTS)
    assert faults.surplus.any() and (POINTS[faults.surplus, 0] < 32).all()
    assert not faults.lacking.any()


def test_an_empty_mask_says_nothing():
    faults = faults_of(np.zeros_like(DRAWN), DRAWN, POINTS)
    assert not faults.lacking.any() and not faults.surplus.any()
