"""Takes masks from the source's own alpha channel."""

from __future__ import annotations

import numpy as np

from motion324.core.clip import VideoClip


def has_meaningful_alpha(clip: VideoClip) -> bool:
    """Whether the alpha channel tells an object from a background: most frames have see-through and solid pixels."""
    if clip.alpha is None:
        return False
    clear = (clip.alpha < 64).mean(axis=(1, 2))
    solid = (clip.alpha > 192).mean(axis=(1, 2))
    return bool(np.median(clear) > 0.01 and np.median(solid) > 0.0005)


def alpha_masks(clip: VideoClip) -> np.ndarray:
    """(T, H, W) float32; the clip has an alpha channel."""
    assert clip.alpha is not None
    return clip.alpha.astype(np.float32) / np.float32(255.0)
