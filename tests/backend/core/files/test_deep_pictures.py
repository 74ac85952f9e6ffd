"""Deep pictures as other readers, OpenEXR and OpenCV, find them: bit for bit."""

from __future__ import annotations

import cv2
import numpy as np
import OpenEXR
import pytest

from motion324.core.files.deep_pictures import write_exr, write_png16


def read_exr(path):
    """(H, W, 3) float16, by OpenEXR itself."""
    return OpenEXR.File(str(path)).channels()["RGB"].pixels


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 5), (37, 64)])
def test_half_floats_come_back_bit_for_bit(tmp_path, height, width):
    smooth = np.linspace(-2, 2, height * width * 3).reshape(height, width, 3)
    pixels = (smooth + np.random.default_rng(0).normal(size=smooth.shape) * 0.01).astype(np.float16)
    write_exr(tmp_path / "picture.exr", pixels)
    np.testing.assert_array_equal(read_exr(tmp_path / "picture.exr"), pixels)


def test_noise_that_cannot_be_compressed_comes_back_as_well(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 30000, (40, 33, 3)).astype(np.uint16).view(np.float16)
    write_exr(tmp_path / "picture.exr", pixels)
    np.testing.assert_array_equal(read_exr(tmp_path / "picture.exr"), pixels)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (16, 5), (37, 64)])
def test_sixteen_bits_come_back_bit_for_bit(tmp_path, height, width):
    pixels = np.random.default_rng(0).integers(0, 65536, (height, width, 3)).astype(np.uint16)
    write_png16(tmp_path / "picture.png", pixels)
    found = cv2.imread(str(tmp_path / "picture.png"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[..., ::-1], pixels)
