"""What a reader of a game's files hands over: a skinned, animated model with image textures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TexturedModel:
    """One model of a game.

    vertices (N, 3) float64: bind pose, Y up. faces (F, 3) int64: counter-clockwise seen from outside.
    uv (F, 3, 2) float64: where the corners of faces lie in their texture, v from its top; None: all of a texture's
    colours are its mean. texture (F,) int64 into textures: each (H, W, 3) uint8, sRGB, with what the game mixes in,
    or (H, W, 4) with opacity, and then with colours also where nothing is seen, since faces show means of texels.
    joints (N, 4) int64 and weights (N, 4) float64: skin. clips: each (T, J, 3, 4) float64, skinning matrices from bind
    space, 24 poses a second, 8 to 96 of them.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray | None
    texture: np.ndarray
    textures: list[np.ndarray]
    joints: np.ndarray
    weights: np.ndarray
    clips: list[np.ndarray]
