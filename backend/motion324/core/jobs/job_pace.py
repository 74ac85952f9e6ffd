"""Estimates how long a whole job still takes: from its plan, and from how what has passed compares with it.

How much slower than planned things go is reckoned in logarithms, since what is told shall be right within a factor: the
machine has a pace that what has passed tells, and each stage differs from it by a factor of its own. A pace is a mean
and a variance of such logarithms; paces are put together as independent measurements are, weighted by 1 / variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from motion324.core.jobs.job_plan import JobPlan, PlannedStage
from motion324.core.progress import Pace

_Estimate = tuple[float, float]  # mean and variance of the logarithm of how much slower than planned it goes

UNKNOWN = math.log(2.5) ** 2  # variance of a machine's pace that has shown nothing yet
HASTE = 0.4  # seconds of a piece, below which its time says little
HALVES = 0.25**2  # variance between the two halves of a stage
GUESSED = 1.5**2  # variance of a stage that is not known to be done the long way
LEAST_LEFT = 0.2  # of the time that a start has taken already


@dataclass(frozen=True)
class _Piece:
    """A stage's start, or one of its halves."""

    stage: PlannedStage
    part: int  # 0: the start
    seconds: float


class JobPace:
    """Fed with a job's progress reports, gives the seconds until its end; without a plan, those of the present stage.

    A stage of the plan that is left out counts for nothing once a later one has begun. Reports of a stage before the
    present one, and of stages that are not in the plan, count as time of the present one.
    """

    def __init__(self, slower: float = 1.0) -> None:
        """slower: than an idle machine, as the work of others makes one expect (machine.slower_by_others)."""
        self._unknown: _Estimate = (math.log(slower), UNKNOWN)
        self._stage_pace = Pace()
        self._plan: JobPlan = ()
        self._place = 0
        self._part = 0  # of the present stage
        self._share = 0.0  # of that part
        self._step = 0.0  # the largest by which that has grown
        self._began = self._advanced = 0.0  # when the present part did, and when it last told new progress
        self._passed: dict[tuple[str, int], float] = {}  # seconds of the parts of stages that are over
        self._started = False

    def expect(self, plan: JobPlan) -> None:
        """Takes a plan, or one that knows more in place of another; what has passed still counts."""
        present = self._plan[self._place].name if self._plan else plan[0].name
        self._plan = plan
        self._place = next((place for place, stage in enumerate(plan) if stage.name == present), 0)

    def update(self, stage: str, done: int, total: int, now: float) -> float | None:
        """now: seconds of a monotonic clock. None while nothing is known."""
        of_stage = self._stage_pace.update(stage, done, total, now)
        if not self._started:
            self._started = True
            self._began = self._advanced = now
        if not self._plan:
            return of_stage
        place = next((place for place, planned in enumerate(self._plan) if planned.name == stage), None)
        if place is not None and place > self._place:
            self._go_to(place, 0, now)
        if place == self._place and total > 0:
            self._advance(done, total, now)
        return self._left(now)

    def _go_to(self, place: int, part: int, now: float) -> None:
        self._passed[self._plan[self._place].name, self._part] = now - self._began
        self._place, self._part, self._share, self._step = place, part, 0.0, 0.0
        self._began = self._advanced = now

    def _advance(self, done: int, total: int, now: float) -> None:
        planned = self._plan[self._place]
        if self._part == 0 and (planned.start == 0 or done >= min(planned.first, total)):
            self._go_to(self._place, 1, now)
        if self._part == 1 and 2 * done > total:
            self._go_to(self._place, 2, now)
        share = min(2 * done / total - (self._part - 1), 1.0) if self._part else 0.0
        if share > self._share:
            self._step = max(self._step, share - self._share)
            self._share, self._advanced = share, now
        elif self._part:
            self._step = max(self._step, 2 / total)

    def _left(self, now: float) -> float:
        machine, present = self._unknown, self._plan[self._place]
        for stage in self._plan[: self._place]:
            for measured in self._measured(stage):
                if not stage.guessed or measured[0] > machine[0]:
                    machine = _both(machine, measured)
        start, first, second = _pieces(present)
        took = now - self._began
        if self._part == 0:
            if took > start.seconds * math.exp(machine[0]):  # it will have taken longer than that
                machine = _both(machine, _measure(start, took))
            expected = start.seconds * math.exp(machine[0])
            left = max(expected - took, LEAST_LEFT * took if start.seconds else 0.0)
            left += (first.seconds + second.seconds) * math.exp(machine[0])
        else:
            if start.seconds and (present.name, 0) in self._passed:
                machine = _both(machine, _measure(start, self._passed[present.name, 0]))
            own = (machine[0], machine[1] + (GUESSED if present.guessed else present.spread**2))
            if self._part == 2 and (present.name, 1) in self._passed:
                own = _both(own, _measure(first, self._passed[present.name, 1], spread=0))
                own = (own[0], own[1] + HALVES)
            piece = (start, first, second)[self._part]
            left, own = self._left_of(piece, own, now)
            if self._part == 1:
                left += second.seconds * math.exp(own[0])
            if not present.guessed or own[0] > machine[0]:
                machine = _both(machine, (own[0], max(own[1], present.spread**2)))
        return left + math.exp(machine[0]) * sum(stage.seconds for stage in self._plan[self._place + 1 :])

    def _left_of(self, piece: _Piece, before: _Estimate, now: float) -> tuple[float, _Estimate]:
        """What is left of the present half, and its pace. before: as all else has it."""
        share, elapsed = self._share, self._advanced - self._began
        own = _both(before, _measure(piece, elapsed, share, spread=0)) if share and elapsed > 0 else before
        left = piece.seconds * (1 - share) * math.exp(own[0]) - (now - self._advanced)
        # No less than if the next step were to be told just now.
        next_share = min(share + self._step, 1.0)
        later = _both(before, _measure(piece, now - self._began, next_share, spread=0)) if next_share else before
        least = piece.seconds * (1 - next_share) * math.exp(later[0])
        return (left, own) if left >= least else (least, later)

    def _measured(self, stage: PlannedStage) -> Iterator[_Estimate]:
        """What a stage that is over says of the machine's pace."""
        start, first, second = _pieces(stage)
        if start.seconds and (stage.name, 0) in self._passed:
            yield _measure(start, self._passed[stage.name, 0])
        parts = [piece for piece in (first, second) if (stage.name, piece.part) in self._passed]
        took = sum(self._passed[stage.name, piece.part] for piece in parts)
        seconds = sum(piece.seconds for piece in parts)
        if seconds and took:
            yield _measure(_Piece(stage, 1, seconds), took)


def _pieces(stage: PlannedStage) -> tuple[_Piece, _Piece, _Piece]:
    rest = stage.seconds * (1 - stage.start)
    return (
        _Piece(stage, 0, stage.seconds * stage.start),
        _Piece(stage, 1, rest * stage.half),
        _Piece(stage, 2, rest * (1 - stage.half)),
    )


def _measure(piece: _Piece, took: float, share: float = 1.0, spread: float | None = None) -> _Estimate:
    """What it says that so much of a piece took so many seconds. spread: the stage's own, unless given."""
    expected = piece.seconds * share
    if expected <= 0 or took <= 0:
        return 0.0, math.inf
    variance = (piece.stage.spread if spread is None else spread) ** 2 + HASTE / expected
    return math.log(took / expected), variance


def _both(one: _Estimate, other: _Estimate) -> _Estimate:
    weight = 1 / one[1] + (0.0 if math.isinf(other[1]) else 1 / other[1])
    mean = (one[0] / one[1] + (0.0 if math.isinf(other[1]) else other[0] / other[1])) / weight
    return mean, 1 / weight
