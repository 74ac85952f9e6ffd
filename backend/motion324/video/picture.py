"""Turns a decoded frame into what is meant to be seen, at the size that is wanted: turned, mirrored, in square pixels,
in sRGB.

HDR video (HLG and PQ, ITU-R BT.2100) becomes sRGB here: what is as bright as paper or darker stays, what shines is
compressed. The FFmpeg that PyAV brings along has no zscale, which its own tone mapping needs.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from motion324.core.srgb import linear_to_srgb

# Without these flags swscale writes RGB with half of the colours' resolution, and 10 bits too dark by 2 of 255.
_EXACT = Interpolation.AREA | Interpolation.FULL_CHR_H_INP | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_FAST = (
    "yuv420p",
    "yuvj420p",
    "yuv422p",
    "yuvj422p",
)  # at their own size they are exact without, in a tenth of the time
_BT2020 = 9  # ITU-T H.273, "matrix coefficients"
_NAMED_UNKNOWN = 2


class Picture(Protocol):
    """size: (width, height) at which it is meant to be seen."""

    @property
    def size(self) -> tuple[int, int]: ...

    def at(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        """(H, W, 3) uint8 sRGB at (width, height), and (H, W) uint8 alpha or None; what is hidden is white."""


@dataclass(frozen=True)
class StillPicture:
    """image (H, W, 3 or 4) uint8, RGB or RGBA."""

    image: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[1], self.image.shape[0]

    def at(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        return reduced(self.image, size)


@dataclass(frozen=True)
class Orientation:
    """Columns become rows first, where `transposed`; then the picture is flipped."""

    transposed: bool = False
    left_right: bool = False
    upside_down: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """As a display matrix says (ISO 14496-12, 6.2.2), whose angle counts as the nearest quarter turn."""
        found: Any = frame.side_data.get("DISPLAYMATRIX")
        if found is None or len(bytes(found)) != 36:
            return cls()
        a, b, _, c, d = struct.unpack("=5i", bytes(found)[:20])  # x' = a x + c y, y' = b x + d y
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    def applied(self, image: np.ndarray) -> np.ndarray:
        if self.transposed:
            image = image.swapaxes(0, 1)
        if self.left_right:
            image = image[:, ::-1]
        return image[::-1] if self.upside_down else image


@dataclass(frozen=True)
class VideoPicture:
    """A decoded frame. aspect: how much wider than high its pixels are."""

    frame: VideoFrame
    aspect: float
    orientation: Orientation
    reformatter: VideoReformatter

    @property
    def size(self) -> tuple[int, int]:
        width, height = self._turned(*self._square_size())
        return width, height

    @property
    def is_interlaced(self) -> bool:
        return bool(self.frame.interlaced_frame)

    @property
    def hdr(self) -> str:
        """The name of its transfer function, or ""."""
        return HDR_NAMES.get(int(self.frame.color_trc), "")

    def at(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
        size = self._turned(*size)
        alpha: np.ndarray | None = None
        if self.hdr:
            colour = to_sdr(self._resized(self._converted("rgb48le", size), size), int(self.frame.color_trc))
        elif any(component.is_alpha for component in self.frame.format.components):
            colour, alpha = reduced(self._without_combs(self._converted("rgba", None)), size)
            alpha = None if alpha is None or alpha.min() == 255 else self.orientation.applied(alpha)
        else:
            colour = self._resized(self._converted("rgb24", size), size)
        return np.ascontiguousarray(self.orientation.applied(colour)), alpha

    def _turned(self, width: int, height: int) -> tuple[int, int]:
        return (height, width) if self.orientation.transposed else (width, height)

    def _square_size(self) -> tuple[int, int]:
        """In square pixels, before it is turned; never fewer of them than there are."""
        width, height = self.frame.width, self.frame.height
        if self.aspect >= 1:
            return round(width * self.aspect), height
        return width, round(height / self.aspect)

    def _converted(self, kind: str, size: tuple[int, int] | None) -> np.ndarray:
        """(h, w, C): smaller at once where that is wanted, which takes a sixth of the time at 4K, else as it is."""
        frame: Any = self.frame
        width, height = frame.width, frame.height
        if size is not None and size[0] < width and size[1] < height and not self.is_interlaced:
            width, height = size
        fast = (width, height) == (frame.width, frame.height) and frame.format.name in _FAST
        return self.reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=kind,
            src_colorspace=_BT2020 if self.hdr and int(frame.colorspace) == _NAMED_UNKNOWN else None,
            interpolation=None if fast else _EXACT,
        ).to_ndarray()

    def _resized(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        return _at_size(self._without_combs(image), size)

    def _without_combs(self, image: np.ndarray) -> np.ndarray:
        """Of two moments that lie in one frame, line by line, the first."""
        return np.ascontiguousarray(image[::2]) if self.is_interlaced else image


def reduced(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """An RGB or RGBA image at (width, height) -> RGB and, if it had one, alpha."""
    if image.shape[2] == 3:
        return _at_size(image, size), None
    colour, alpha = image[..., :3], image[..., 3]
    if size != (image.shape[1], image.shape[0]):  # colours count by how visible they are, or what is hidden bleeds in
        weight = alpha.astype(np.float32)[..., None] / 255.0
        small = _at_size(np.concatenate([colour * weight, weight], axis=2), size)
        colour = np.clip(small[..., :3] / np.maximum(small[..., 3:], 1e-4) + 0.5, 0, 255).astype(np.uint8)
        alpha = (small[..., 3] * 255.0 + 0.5).astype(np.uint8)
    return np.where(alpha[..., None] > 0, colour, np.uint8(255)), alpha


def _at_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = image.shape[:2]
    if size == (width, height):
        return image
    larger = size[0] > width or size[1] > height
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)


PQ, HLG = 16, 18  # FFmpeg's numbers, which are those of ITU-T H.273, "transfer characteristics"
HDR_NAMES = {PQ: "PQ", HLG: "HLG"}
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
