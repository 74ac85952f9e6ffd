"""Carries out what was asked to be done to a trajectory, and says what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motion324.core.motion.retiming import Loop, closed_loop, find_loop, frame_range, nearest_frames, resample
from motion324.core.motion.root_motion import RootMotion, in_place, root_motion_of
from motion324.core.options.engine_settings import KEEP, ROOT, MotionEdits

WIDE_STEP = 0.05  # of the size: from here on one sees that the frames do not meet


@dataclass(frozen=True)
class EditedMotion:
    """positions (T, N, 3) float32: without what is on the root. source_frames (T,) int: the frames of the trajectory
    that they are, or are nearest to. closed: whether the first frame follows the last.

    root: the body's way, where it was put onto the root: T entries, and in a loop one more, where the next round
    begins. report: plain JSON values. warnings: {"code", "sentence"} each.
    """

    positions: np.ndarray
    fps: float
    source_frames: np.ndarray
    closed: bool = False
    root: RootMotion | None = None
    report: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[dict[str, str], ...] = ()


def edit_motion(positions: np.ndarray, fps: float, up: str, edits: MotionEdits) -> EditedMotion:
    """positions (T, N, 3), whose up axis is "Y" or "Z", at `fps` frames a second; of a slice with a step, the rate
    falls so that the speed stays.

    Raises Motion324Error("bad-option" or "too-short-to-loop").
    """
    frames = frame_range(len(positions), edits.clip)
    fps /= edits.clip[2]
    poses = positions[frames]
    report: dict[str, Any] = {}
    root = None
    if edits.root_motion != KEEP:
        root = root_motion_of(poses, up)
        poses = in_place(poses, root)
        report["root"] = describe_root(root, poses)
    warnings: tuple[dict[str, str], ...] = ()
    if edits.loop:
        loop = find_loop(poses, edits.loop_at_least)
        report["loop"] = describe_loop(loop, frames, poses)
        warnings = step_warnings(report["loop"]["step"])
        poses = closed_loop(poses, loop)
        frames = frames[loop.first : loop.first + loop.count]
        root = None if root is None else rebased(root, slice(loop.first, loop.first + loop.count + 1))
    if edits.resample is not None and edits.resample != fps:
        frames = frames[nearest_frames(len(frames), fps, edits.resample, edits.loop)]
        root = None if root is None else resampled_root(root, fps, edits.resample, edits.loop)
        poses, fps = resample(poses, fps, edits.resample, edits.loop), edits.resample
    return EditedMotion(
        positions=poses,
        fps=fps,
        source_frames=frames,
        closed=edits.loop,
        root=root if edits.root_motion == ROOT else None,
        report=report,
        warnings=warnings,
    )


def describe_loop(loop: Loop, frames: np.ndarray, poses: np.ndarray) -> dict[str, float]:
    """frames (T,): what the frames of poses (T, N, 3) are called. Steps in parts of the longest side."""
    size = float(np.ptp(poses[0], axis=0).max())
    return {
        "first": int(frames[loop.first]),
        "frames": loop.count,
        "step": loop.step / size,
        "mean_step": loop.mean_step / size,
        "step_of_whole": loop.whole_step / size,
    }


def describe_root(root: RootMotion, poses: np.ndarray) -> dict[str, float]:
    """Of the whole way: travel in parts of the longest side, turn in degrees."""
    size = float(np.ptp(poses[0], axis=0).max())
    return {
        "travel": float(np.linalg.norm(root.travel[-1])) / size,
        "turn": float(np.degrees(root.turn[-1])),
    }


def rebased(root: RootMotion, frames: slice) -> RootMotion:
    """The way from the first of the frames on, as if the body had stood there as it did in frame 0."""
    turn, travel = root.turn[frames], root.travel[frames]
    gone = ((travel - travel[0]) @ [1, 1j]) * np.exp(-1j * turn[0])
    return RootMotion(np.stack([gone.real, gone.imag], axis=1), turn - turn[0], root.middle, root.up)


def resampled_root(root: RootMotion, rate: float, new_rate: float, closed: bool) -> RootMotion:
    """In a loop the new frames divide its rounds as `resample` does, and the next round begins where it did."""
    curves = np.concatenate([root.travel, root.turn[:, None]], axis=1)
    if closed:
        count = len(curves) - 1
        new_rate = rate * max(1, round(count * new_rate / rate)) / count
    curves = resample(curves, rate, new_rate)
    return RootMotion(curves[:, :2], curves[:, 2], root.middle, root.up)


def step_warnings(step: float) -> tuple[dict[str, str], ...]:
    if step <= WIDE_STEP:
        return ()
    sentence = (
        f"No frames follow each other well: the loop's end was {100 * step:.0f} % of the size off its beginning, "
        "and was bent to meet it."
    )
    return ({"code": "loop-does-not-meet", "sentence": sentence},)
