"""HDR video (HLG and PQ, ITU-R BT.2100) -> sRGB: what is as bright as paper or darker stays, what shines is compressed.

Written here, since the FFmpeg that PyAV brings along has no zscale, which its own tone mapping needs.
"""

from __future__ import annotations

import functools

import numpy as np

from motion324.core.srgb import linear_to_srgb

PQ, HLG = 16, 18  # FFmpeg's numbers, which are those of ITU-T H.273, "transfer characteristics"
NAMES = {PQ: "PQ", HLG: "HLG"}
_PAPER = 203.0  # cd/m2 of diffuse white, ITU-R BT.2408
_PEAK = 1000.0 / _PAPER  # of the display that both are mastered for, most often
_KNEE = 0.6  # of paper white: below it nothing changes
# ITU-R BT.2087: from BT.2020's primaries to those of BT.709, which are sRGB's. Rows: red, green, blue.
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # fmt: skip
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)


def to_sdr(values: np.ndarray, transfer: int) -> np.ndarray:
    """values (H, W, 3) uint16: R'G'B' of BT.2020 over the whole range; transfer: PQ or HLG -> (H, W, 3) uint8 sRGB."""
    light = _curve(transfer)[values]
    if transfer == HLG:  # light of the scene -> of a display of 1000 cd/m2, whose system gamma is 1.2
        luminance = light @ _LUMINANCE_2020
        light = light * (np.maximum(luminance, 1e-6) ** np.float32(0.2) * np.float32(_PEAK))[..., None]
    light = np.maximum(light @ _TO_709.T, 0)
    strongest = light.max(axis=2, keepdims=True)
    light = light * (_compressed(strongest) / np.maximum(strongest, 1e-6))
    return (linear_to_srgb(light.astype(np.float32)) * 255 + 0.5).astype(np.uint8)


def _compressed(light: np.ndarray) -> np.ndarray:
    """Light of 0 .. _PEAK -> 0 .. 1, the same up to the knee, and with no bend there."""
    steepness = (_PEAK - _KNEE) / (1 - _KNEE)
    above = np.clip((light - _KNEE) / (_PEAK - _KNEE), 0, 1)
    return np.where(light <= _KNEE, light, _KNEE + (1 - _KNEE) * steepness * above / (1 + (steepness - 1) * above))


@functools.cache
def _curve(transfer: int) -> np.ndarray:
    """(65536,) float32: light by code value, of PQ in units of paper white, of HLG in 0 .. 1 (BT.2100, tables 4, 5)."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        root = signal ** (1 / 78.84375)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        return (light * 10000 / _PAPER).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)
