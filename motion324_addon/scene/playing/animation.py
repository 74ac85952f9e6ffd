"""Holds a finished animation that waits to be kept, and the object that it belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from motion324.core.errors import EXIT_BAD_MESH, Motion324Error
from motion324.core.motion.doubt import doubt_of_frames
from motion324.core.motion.tweak import Tweak, tweaked
from motion324.core.reference_mesh import Normalisation

from .timing import Timing


@dataclass(frozen=True)
class Target:
    """An object by what outlives undo, which makes new Python objects of everything, and renaming."""

    name: str
    uid: int

    @classmethod
    def of(cls, obj: bpy.types.Object) -> Target:
        return cls(obj.name, obj.session_uid)

    def find(self) -> bpy.types.Object | None:
        """The object in the file that is open, or None."""
        named = bpy.data.objects.get(self.name)
        if named is not None and named.session_uid == self.uid:
            return named
        return next((obj for obj in bpy.data.objects if obj.session_uid == self.uid), None)

    def get(self) -> bpy.types.Object:
        """The object. Raises Motion324Error("object-gone")."""
        obj = self.find()
        if obj is None:
            sentence = f"The object '{self.name}' that was animated is no longer there."
            raise Motion324Error("object-gone", sentence, "Undo its removal, or animate another.", EXIT_BAD_MESH)
        return obj


def has_other_pose(report: Mapping[str, Any]) -> bool:
    """Whether the backend tells that its result begins with another pose than the mesh's own."""
    return report.get("pose", {}).get("taken", "first-frame") != "first-frame"


def with_overlaps(report: dict[str, Any], overlaps: Sequence[float]) -> dict[str, Any]:
    """The report with the overlaps of these frames, in the place of all that it tells of others."""
    told = {key: value for key, value in report.items() if key != "fit"}
    return {**told, "fit": {"overlap": list(overlaps)}} if overlaps else told


@dataclass(frozen=True)
class Animation:
    """The animation of one object; a job of several objects leaves one for each.

    positions (T, N, 3) float32: object space, Blender's vertex order; may be mapped from a file.
    topology: the hash of the mesh that was sent. report: what the backend tells about the job, plain JSON values.
    frame_numbers (T,): of the video. fps: at which the video shows them. view: the camera that the job found.
    space: between the job's normalised space, in which the view is, and the world. matrix (4, 4): the object's
    matrix_world when it was read, as `space` has it. video: its path. camera_to_first: as AnimationResult has it.
    own_pose (N, 3) float32: the mesh as it was sent, where the animation begins with another pose; None where it begins
    with this one.
    doubt (T, N), or (1, N) for all frames alike, float16 in [0, 1]: how far each vertex may lie off; None where that is
    not known.
    name: of the take, for people. take: by which it is known on its object, "" before it was kept.
    base: as the job found it, None where this is it. tweak: what has been changed of that.
    """

    target: Target
    topology: str
    positions: np.ndarray
    timing: Timing
    frame_numbers: np.ndarray
    fps: float
    view: Any
    report: dict[str, Any]
    space: Normalisation | None = None
    matrix: np.ndarray | None = None
    video: Path | None = None
    camera_to_first: np.ndarray | None = None
    own_pose: np.ndarray | None = None
    name: str = ""
    take: str = ""
    doubt: np.ndarray | None = None
    base: Animation | None = None
    tweak: Tweak = dataclasses.field(default_factory=Tweak)

    def changed(self, tweak: Tweak) -> Animation:
        """As the job found it, but for this tweak, whatever has been changed before. Takes as long as computing does.

        Raises what `motion324.core.motion.tweak.tweaked` raises.
        """
        base = self.base or self
        found = tweaked(base.positions, tweak, base.own_pose, base.smoothed)
        start = base.timing.start if tweak.start is None else tweak.start
        moving = base.camera_to_first
        return dataclasses.replace(
            base,
            positions=found.positions,
            timing=Timing(start, base.timing.step / tweak.speed, len(found.positions)),
            frame_numbers=base.frame_numbers[found.frames],
            fps=base.fps * tweak.speed,
            camera_to_first=None if moving is None else moving[found.frames],
            doubt=doubt_of_frames(base.doubt, base.frame_numbers, base.frame_numbers[found.frames]),
            name=self.name,
            take=self.take,
            base=base,
            tweak=tweak,
        )

    def as_if_found(self) -> Animation:
        """The animation as it is shown, with all that was changed of it, as if a job had found it so: what was changed
        can then no longer be taken back, and changes count from here on."""
        return dataclasses.replace(self, report=self.report_now, take="", base=None, tweak=Tweak())

    @property
    def report_now(self) -> dict[str, Any]:
        """The report with the low-pass and the frames that the animation has now."""
        told = dict(self.report)
        if self.tweak.smoothing is not None:
            told["options"] = {**told.get("options", {}), "smooth": self.tweak.smoothing}
        return with_overlaps(told, self.overlaps)

    @property
    def smoothed(self) -> float:
        """The standard deviation, in frames, of the low-pass that the job has sent the result through."""
        return float(self.report.get("options", {}).get("smooth", 0.0))

    @property
    def overlaps(self) -> tuple[float, ...]:
        """Of the silhouettes of result and video, for each frame; empty where the job has not told them."""
        base = self.base or self
        told = base.report.get("fit", {}).get("overlap", ())
        known = dict(zip(base.frame_numbers.tolist(), told, strict=False))
        found = tuple(known.get(number) for number in self.frame_numbers.tolist())
        return () if None in found else found

    @property
    def aspect(self) -> float | None:
        """The video's width over its height."""
        width, height = self.report.get("video", {}).get("size") or (0, 0)
        return width / height if height else None

    def from_own_pose(self) -> Animation:
        """With the mesh's own pose at the result's frame before the first, so that there is a way from one to the
        other; itself where it begins with that pose."""
        if self.own_pose is None:
            return self
        moving = self.camera_to_first
        numbers = np.concatenate([self.frame_numbers[:1], self.frame_numbers])
        return dataclasses.replace(
            self,
            positions=np.concatenate([self.own_pose[None], self.positions]),
            timing=Timing(self.timing.start - self.timing.step, self.timing.step, self.timing.count + 1),
            frame_numbers=numbers,
            camera_to_first=None if moving is None else np.concatenate([moving[:1], moving]),
            doubt=doubt_of_frames(self.doubt, self.frame_numbers, numbers),
            own_pose=None,
            base=self.base or self,
        )
