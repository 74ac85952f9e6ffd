"""Carries out what was asked to be done to a motion on bones, as core.motion.edited_motion does to vertices."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.core.motion.edited_motion import describe_loop, describe_root, rebased, resampled_root, step_warnings
from motion324.core.motion.quaternions import same_side, to_quaternion
from motion324.core.motion.retiming import Loop, closed_loop, find_loop, frame_range, resample
from motion324.core.motion.root_motion import root_motion_of
from motion324.core.options.engine_settings import KEEP, ROOT, MotionEdits
from motion324.core.rigs.moving_rig import BoneCurves, MovingRig, curves_of, matrices_of

MEASURED = 1000  # vertices by which a motion is judged


@dataclass(frozen=True)
class EditedRig:
    """rig: of a loop the last frame is the first one again, but for the root, which then is where the next round
    begins. report: plain JSON values. warnings: {"code", "sentence"} each.
    """

    rig: MovingRig
    report: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()


def edit_rig(rig: MovingRig, edits: MotionEdits) -> EditedRig:
    """The first bone of the rig, above all others, is the root that the body's way is put onto.

    Raises Motion324Error("bad-option" or "too-short-to-loop").
    """
    frames = frame_range(len(rig.curves), edits.clip)
    fps = rig.fps / edits.clip[2]
    matrices = rig.matrices(rig.curves.at(frames))
    chosen = np.unique(np.linspace(0, len(rig.positions) - 1, MEASURED).round().astype(int))
    report: dict[str, Any] = {}
    warnings: tuple[dict[str, str], ...] = ()
    root = None
    if edits.root_motion != KEEP:
        root = root_motion_of(rig.skinned(matrices, chosen), "Z")
        matrices = np.linalg.inv(root.matrices())[:, None] @ matrices
        if edits.root_motion == ROOT:  # it is there for that only; else it may hold vertices
            matrices[:, 0] = rig.rest[0]
        report["root"] = describe_root(root, rig.skinned(matrices[:1], chosen))
    curves = curves_of(matrices, rig.parents, rig.rest)
    if edits.loop:
        poses = rig.skinned(matrices, chosen)
        loop = find_loop(poses, edits.loop_at_least)
        report["loop"] = describe_loop(loop, frames, poses)
        warnings = step_warnings(report["loop"]["step"])
        curves = _closed(curves, loop)
        root = None if root is None else rebased(root, slice(loop.first, loop.first + loop.count + 1))
    if edits.resample is not None and edits.resample != fps:
        root = None if root is None else resampled_root(root, fps, edits.resample, edits.loop)
        curves, fps = _resampled(curves, fps, edits.resample, edits.loop), edits.resample
    if edits.loop:
        curves = curves.at(np.arange(len(curves) + 1) % len(curves))
        curves = dataclasses.replace(curves, rotation=same_side(curves.rotation))
    if root is not None and edits.root_motion == ROOT:
        own = curves_of((root.matrices() @ rig.rest[0])[:, None], rig.parents[:1], rig.rest[:1])
        for name in ("location", "rotation", "scale"):
            getattr(curves, name)[:, :1] = getattr(own, name)
    return EditedRig(dataclasses.replace(rig, curves=curves, fps=fps), report, warnings)


def _closed(curves: BoneCurves, loop: Loop) -> BoneCurves:
    """As `closed_loop`; what a turn is off is spread as a turn."""
    first, end = curves.rotation[loop.first], curves.rotation[loop.first + loop.count]
    off = _rotation_vectors(_product(first * [1, -1, -1, -1], end))
    share = np.arange(loop.count) / loop.count - 0.5
    frames = curves.rotation[loop.first : loop.first + loop.count]
    turned = _product(frames, _of_rotation_vectors(-share[:, None, None] * off))
    return BoneCurves(closed_loop(curves.location, loop), same_side(turned), closed_loop(curves.scale, loop))


def _resampled(curves: BoneCurves, rate: float, new_rate: float, closed: bool) -> BoneCurves:
    """Turns by way of their matrices, which know no sides: they may go around once in a loop."""
    still = np.zeros_like(curves.location), np.ones_like(curves.scale)
    matrices = resample(matrices_of(still[0], curves.rotation, still[1])[..., :3, :3], rate, new_rate, closed)
    left, _, right = np.linalg.svd(matrices)
    return BoneCurves(
        resample(curves.location, rate, new_rate, closed),
        same_side(to_quaternion(left @ right)),
        resample(curves.scale, rate, new_rate, closed),
    )


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(..., 4): the turn `other`, then `one`."""
    v, w = one[..., 1:], other[..., 1:]
    real = one[..., :1] * other[..., :1] - (v * w).sum(axis=-1, keepdims=True)
    return np.concatenate([real, one[..., :1] * w + other[..., :1] * v + np.cross(v, w)], axis=-1)


def _rotation_vectors(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) -> (..., 3): axis times angle, of at most half a turn."""
    quaternions = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quaternions[..., :1])
    return np.where(sine > 1e-9, angle / np.maximum(sine, 1e-300), 2.0) * quaternions[..., 1:]


def _of_rotation_vectors(vectors: np.ndarray) -> np.ndarray:
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), 0.5 * np.sinc(angle / (2 * np.pi)) * vectors], axis=-1)
