"""Masks of an object in front of any background: what is salient, made exact by colours and by what stands still."""

from __future__ import annotations

import cv2
import numpy as np

from motion324.progress import Progress
from motion324.video.foreground.background_plate import (
    BackgroundPlate,
    clear_of_object,
    distance_beyond_shadow,
    estimate_plate,
    exposure_offset,
)
from motion324.video.foreground.colour_distance import colour_distance, squared_length
from motion324.video.foreground.coverage import coverage_from_evidence, disc
from motion324.video.foreground.guided_filter import fit_to_colours
from motion324.video.foreground.saliency import salient_masks

_WORKING_SIDE = 720  # larger frames are masked at this size: the network itself sees 320 pixels
_SMOOTHING_SIDE = 256
_SMOOTHING_FRAMES = 4
_SMOOTHING_COLOUR = 18.0


def object_masks(frames: np.ndarray, progress: Progress) -> np.ndarray:
    """frames (T, H, W, 3) uint8 -> (T, H, W) float32 in [0, 1].

    U2-Net-P says in each frame what stands out. Frames near in time agree on pixels of the same colour; a guided filter
    fits the guess to the frame's edges; and where the camera stands still, the background behind the object is
    reconstructed from all frames, and a pixel's distance from it decides.
    """
    height, width = frames.shape[1:3]
    scale = _WORKING_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
        masks = object_masks(small, progress)
        return np.stack([cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) for mask in masks])
    count = len(frames)
    # The network takes most of the time: three quarters of the progress.
    masks = salient_masks(frames, lambda stage, done, total: progress(stage, round(done * 3 / 4), total))
    plate = estimate_plate(frames, masks, lambda: progress("foreground", round(count * 3 / 4), count))
    small_frames, small_masks = _small(frames), _small(masks)
    for index, frame in enumerate(frames):
        progress("foreground", round((3 * count + index) / 4), count)
        change = _agreed(small_frames, small_masks, index) - small_masks[index]
        guess = np.clip(masks[index] + cv2.resize(change, (width, height)), 0, 1)
        masks[index] = coverage_from_evidence(_evidence(frame, fit_to_colours(guess, frame), plate))
    return masks


def _small(images: np.ndarray) -> np.ndarray:
    """images (T, H, W, ...) -> (T, h, w, ...), the longer side at most _SMOOTHING_SIDE."""
    height, width = images.shape[1:3]
    scale = min(1.0, _SMOOTHING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def _agreed(frames: np.ndarray, masks: np.ndarray, index: int) -> np.ndarray:
    """The mean mask (h, w) of the frames around `index`, each pixel weighed by how alike its colours are."""
    here = frames[index].astype(np.float32)
    total, weight = masks[index].copy(), np.ones(masks.shape[1:], np.float32)
    for other in range(max(0, index - _SMOOTHING_FRAMES), min(len(frames), index + _SMOOTHING_FRAMES + 1)):
        if other != index:
            squared = squared_length(frames[other].astype(np.float32) - here)
            alike = np.exp(squared * np.float32(-0.5 / _SMOOTHING_COLOUR**2))
            total += alike * masks[other]
            weight += alike
    return total / weight


def _evidence(frame: np.ndarray, saliency: np.ndarray, plate: BackgroundPlate) -> np.ndarray:
    """(H, W) float32: 1 and more where the pixel is probably the object's (see coverage_from_evidence)."""
    scale = min(saliency.shape) / 512
    background = clear_of_object(saliency, scale) & plate.seen
    colour = frame.astype(np.float32)
    behind = plate.colour + exposure_offset((colour - plate.colour)[background])
    distance = colour_distance(colour - behind)
    distance = np.where(saliency < 0.3, np.minimum(distance, distance_beyond_shadow(colour, behind)), distance)
    different = distance / plate.tolerance
    # Where the background moves, likeness to it means nothing, but a large difference still supports a fair guess.
    supported = 2 * saliency + np.maximum(different - 1, 0) * np.clip((saliency - 0.2) / 0.3, 0, 1)
    evidence = plate.trust * different + (1 - plate.trust) * supported
    around = _dilated(saliency > 0.15, 8 * scale) | _strongly_joined(evidence, saliency, scale)
    deep = ~_dilated(saliency <= 0.9, 8 * scale) & ~(plate.seen & (distance < 0.6 * plate.tolerance))
    evidence = np.where(around, evidence, 0.0)
    return np.where(deep, np.maximum(evidence, 2.0), evidence).astype(np.float32)


def _strongly_joined(evidence: np.ndarray, saliency: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: what the network missed: clearly not background, joined to what it found, and not far from it."""
    candidates = (evidence > 2.5) | ((evidence > 1) & (saliency > 0.15))
    count, labels = cv2.connectedComponents(candidates.view(np.uint8), connectivity=4)
    found = np.zeros(count, bool)
    found[labels[(saliency > 0.5) & (evidence > 1)]] = True
    found[0] = False
    joined = found[labels] & _dilated(saliency > 0.3, 40 * scale)
    return _dilated(joined, 2 * scale)


def _dilated(area: np.ndarray, radius: float) -> np.ndarray:
    """area (H, W) bool, grown by `radius` pixels."""
    if radius <= 10:
        return cv2.dilate(area.view(np.uint8), disc(max(1, round(radius)))) > 0
    return cv2.distanceTransform((~area).view(np.uint8), cv2.DIST_L2, 3) <= radius
