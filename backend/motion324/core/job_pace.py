"""Estimates how long a whole job still takes: from its plan, and from how what has passed compares with it."""

from __future__ import annotations

from motion324.core.job_plan import JobPlan, PlannedStage
from motion324.core.pace import Pace

# So much counts as if it had taken what was expected: a share of the whole plan, and seconds.
PRIOR, PRIOR_SECONDS = 0.005, 1.5
STAGE_PRIOR = 0.3  # of a stage: so much of it counts as if it had gone at the job's pace
# Progress at which all of a stage's start counts as over, and half of it before: what is told first may have needed
# no work.
STARTED = 0.15
LEAST_LEFT = 0.4  # of what was left at a stage's last progress, however long ago that was


class JobPace:
    """Fed with a job's progress reports, gives the seconds until its end; without a plan, those of the present stage.

    A stage of the plan that is left out counts for nothing once a later one has begun. Reports of a stage before the
    present one, and of stages that are not in the plan, count as time of the present one.
    """

    def __init__(self) -> None:
        self._stage_pace = Pace()
        self._plan: JobPlan = ()
        self._place = 0
        self._share = 0.0  # of the present stage's time that is over, as its progress tells
        self._began = self._advanced = 0.0  # when the present stage did, and when it last told new progress
        self._passed: dict[str, float] = {}  # seconds of the stages that are over
        self._first_report: float | None = None

    def expect(self, plan: JobPlan) -> None:
        """Takes a plan, or one that knows more in place of another; what has passed still counts."""
        present = self._plan[self._place].name if self._plan else plan[0].name
        self._plan = plan
        self._place = next((place for place, stage in enumerate(plan) if stage.name == present), 0)

    def update(self, stage: str, done: int, total: int, now: float) -> float | None:
        """now: seconds of a monotonic clock. None while nothing is known."""
        of_stage = self._stage_pace.update(stage, done, total, now)
        if self._first_report is None:
            self._first_report = self._began = self._advanced = now
        if not self._plan:
            return of_stage
        place = next((place for place, planned in enumerate(self._plan) if planned.name == stage), None)
        if place is not None and place > self._place:
            self._passed[self._plan[self._place].name] = now - self._began
            self._place, self._share, self._began, self._advanced = place, 0.0, now, now
        if place == self._place and total > 0:
            share = _share_of_time(self._plan[place], done / total)
            if share > self._share:
                self._share, self._advanced = share, now
        return self._left(self._advanced - self._began, now - self._advanced)

    def _left(self, elapsed: float, since: float) -> float:
        """elapsed: seconds of the present stage until its last progress; since: seconds from then on."""
        present = self._plan[self._place]
        seen = [(stage, self._passed.get(stage.name, 0.0), stage.seconds) for stage in self._plan[: self._place]]
        seen.append((present, elapsed if self._share else 0.0, present.seconds * self._share))
        known = [(time, planned) for stage, time, planned in seen if time > (planned if stage.guessed else 0.0)]
        prior = PRIOR_SECONDS + PRIOR * sum(stage.seconds for stage in self._plan)
        took, expected = sum(time for time, _ in known), sum(planned for _, planned in known)
        slowness = (took + prior) / (expected + prior)
        to_come = sum(stage.seconds for stage in self._plan[self._place + 1 :])
        return _left_of(present, self._share, elapsed, since, slowness) + slowness * to_come


def _left_of(stage: PlannedStage, share: float, elapsed: float, since: float, slowness: float) -> float:
    """Of the present stage."""
    whole = stage.seconds * slowness
    left = (elapsed + STAGE_PRIOR * whole) / (share + STAGE_PRIOR) * (1 - share)
    return max(left - since, LEAST_LEFT * left)


def _share_of_time(stage: PlannedStage, progress: float) -> float:
    before, after = min(2 * progress, 1.0), max(2 * min(progress, 1.0) - 1, 0.0)
    if progress <= 0:
        return 0.0
    started = stage.start * (1 + min(progress / STARTED, 1.0)) / 2
    return started + (1 - stage.start) * (before * stage.half + after * (1 - stage.half))
