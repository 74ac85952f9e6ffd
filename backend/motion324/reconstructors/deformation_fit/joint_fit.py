"""Refines frames together: image, silhouettes and rigidity of each, tied by smoothness in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from motion324.core.processes.side_by_side import side_by_side
from motion324.reconstructors.deformation_fit.fit_problem import FitProblem, Pose, PosedSurface
from motion324.reconstructors.deformation_fit.joint_equations import Window
from motion324.reconstructors.deformation_fit.normal_equations import rotated
from motion324.reconstructors.deformation_fit.observations import Observation, Observer, PointTargets

OVERLAP = 4  # frames that a window takes over, fixed, from the one before it


class Fit(Protocol):
    """What frames are fitted with, one by one or many at once."""

    problem: FitProblem
    observer: Observer
    window: int  # frames refined at once: memory grows with it

    def drawn(self, poses: Sequence[Pose], check: Callable[[], None]) -> list[PosedSurface]:
        """Surfaces whose pictures are made: each once, though three frames look at it. check: often called."""

    def joint_change(
        self, window: Window, seen: list[Observation[PointTargets]], tell: Callable[[int], None]
    ) -> np.ndarray:
        """(T, 6K) of the free frames: one step of all of them together. tell(done): of their frames, often called."""


def fit_jointly(fit: Fit, poses: list[Pose], check: Callable[[int, int], None]) -> Iterator[tuple[int, list[Pose]]]:
    """Refines all poses, window after window -> (first frame, refined poses); frame 0 stays as it is.

    check(done, total) is called for every frame of every step.
    """
    poses = list(poses)
    yield 0, poses[:1]
    start = 1
    while start < len(poses):
        stop = min(start + fit.window, len(poses))
        if len(poses) - stop < fit.window // 4:
            stop = len(poses)
        fixed = min(OVERLAP, start)

        def report(part: float, start: int = start, stop: int = stop) -> None:
            check(start + int(part * (stop - start)), len(poses))

        _fit_window(fit, poses, start - fixed, start, stop, report)
        yield start, poses[start:stop]
        start = stop
    check(len(poses), len(poses))


def _counted(report: Callable[[float], None], done: int, steps: int) -> Callable[[int], None]:
    """Reports how many of the steps are over when so many have come after those that were done before."""
    return lambda more: report((done + more) / steps)


def _fit_window(
    fit: Fit, poses: list[Pose], known: int, start: int, stop: int, report: Callable[[float], None]
) -> None:
    """Changes poses[start:stop]; poses[known:start] tie them to what is already done."""
    s = fit.problem.settings
    count = stop - start
    steps = s.joint_rounds * (1 + s.joint_steps) * count
    done = 0
    for _ in range(s.joint_rounds):
        seen = _looked(fit, poses, start, stop, _counted(report, done, steps))
        done += count
        for _ in range(s.joint_steps):
            window = Window(poses[known:stop], start - known, start)
            change = fit.joint_change(window, seen, _counted(report, done, steps))
            done += count
            for k, pose in enumerate(window.free):
                step = change[k].reshape(-1, 6)
                poses[start + k] = Pose(rotated(pose.rotations, step[:, :3]), pose.translations + step[:, 3:])


def _looked(
    fit: Fit, poses: list[Pose], start: int, stop: int, tell: Callable[[int], None]
) -> list[Observation[PointTargets]]:
    """What the frames start .. stop - 1 say in these poses of all frames."""
    near = range(max(start - 1, 0), min(stop + 1, len(poses)))
    surfaces = dict(zip(near, fit.drawn([poses[t] for t in near], lambda: tell(0)), strict=True))
    seen: list[Observation[PointTargets] | None] = [None] * (stop - start)

    def look(k: int) -> None:
        seen[k] = fit.observer.observe(start + k, surfaces)

    side_by_side(len(seen), look, tell)
    return [observation for observation in seen if observation is not None]
