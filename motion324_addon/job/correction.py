"""Holds what corrects an earlier result, and turns that into what the backend is asked for. No bpy: the worker uses it.

The object may have been moved, or been animated together with others, since: the camera of the earlier result is then
taken over into the space of the job that corrects it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from motion324.core.motion.pins import Pins
from motion324.core.reference_mesh import Normalisation
from motion324.core.result import AnimationResult
from motion324.core.view import View

from ..scene.playing.animation import Animation
from ..scene.playing.timing import Timing
from ..scene.reading.joining import JointReading
from ..scene.reading.orientation import Z_UP_FROM_Y_UP


@dataclass(frozen=True)
class Correction:
    """animations: of the job's objects, in their order. timing: at which the corrected result is shown.

    pins: of the objects, once their shares of the job's mesh are known; to be called on Blender's main thread.
    moved (4, 4): what the first object's matrix was multiplied with, from the left, since; None: nothing.
    """

    animations: tuple[Animation, ...]
    pins: Callable[[JointReading], Pins]
    timing: Timing
    moved: np.ndarray | None = None

    def last(self, reading: JointReading) -> AnimationResult:
        """The earlier result as a whole, in the space of the mesh that was read."""
        first = self.animations[0]
        parts = [share.joint(each.positions) for share, each in zip(reading.shares, self.animations, strict=True)]
        view = first.view
        if first.space is not None:
            view = carried_view(view, first.space, reading.space, self.moved)
        return AnimationResult(
            positions=np.concatenate(parts, axis=1).astype(np.float32),
            frame_numbers=np.asarray(first.frame_numbers),
            fps=first.fps,
            view=view,
            report=first.report,
            camera_to_first=first.camera_to_first,
            doubt=None if any(each.doubt is None for each in self.animations) else self._doubt(),
        )

    def _doubt(self) -> np.ndarray:
        known = [each.doubt for each in self.animations if each.doubt is not None]
        frames = max(len(doubt) for doubt in known)
        return np.concatenate([np.broadcast_to(doubt, (frames, doubt.shape[1])) for doubt in known], axis=1)


def carried_view(view: View, before: Normalisation, now: Normalisation, moved: np.ndarray | None = None) -> View:
    """The same camera, given relative to a mesh in another normalised space. before, now: to the world; moved (4, 4):
    what the mesh has been moved by in between, camera and all."""
    world = np.eye(4) if moved is None else np.linalg.inv(moved)
    whole = np.linalg.inv(_to_world(before)) @ world @ _to_world(now)
    grown = float(np.cbrt(np.linalg.det(whole[:3, :3])))
    rotation = view.rotation @ whole[:3, :3] / grown
    return dataclasses.replace(
        view, rotation=rotation, translation=(view.rotation @ whole[:3, 3] + view.translation) / grown
    )


def _to_world(space: Normalisation) -> np.ndarray:
    """(4, 4): normalised space to the space that it normalises."""
    matrix = np.eye(4)
    matrix[:3, :3] = (Z_UP_FROM_Y_UP if space.up == "Z" else np.eye(3)) / space.scale
    matrix[:3, 3] = space.centre
    return matrix
