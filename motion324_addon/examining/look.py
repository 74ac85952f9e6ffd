"""Holds the state of one quick look, or of the making of a mesh, its events, and the one pure function that
changes it.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from motion324.core.reference_mesh import Normalisation
from motion324.core.result import Examination, MadeMesh

from ..runner_base.state import Problem, Progress


@dataclass(frozen=True)
class Look(Progress):
    """question: what it is about, to be compared with what the settings ask now; None before the first.

    found, space: the answer, and where its view is (see `joining.JointReading`); matrix (4, 4): of the active object as
    it was read. None without a mesh.
    """

    question: Hashable = None
    running: bool = False
    found: Examination | MadeMesh | None = None
    space: Normalisation | None = None
    matrix: np.ndarray | None = None

    @property
    def busy(self) -> bool:
        return self.running

    def answers(self, question: Hashable) -> Examination | MadeMesh | None:
        """What was found, if it is about this very question."""
        return self.found if self.question == question else None


@dataclass(frozen=True)
class Asked:
    """Somebody wants to know."""

    question: Hashable


@dataclass(frozen=True)
class Moved:
    """The backend is so far with it."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Found:
    """The answer; space, matrix: of the mesh that was asked about."""

    found: Examination | MadeMesh
    space: Normalisation | None
    matrix: np.ndarray | None


@dataclass(frozen=True)
class Failed:
    """There is no answer."""

    problem: Problem


@dataclass(frozen=True)
class Dropped:
    """Cancelled, or closed: nothing is known any more."""


Event = Asked | Moved | Found | Failed | Dropped


class Effect(enum.Enum):
    SHOW_FOUND = "show found"
    REDRAW = "redraw"


def advance(look: Look, event: Event) -> tuple[Look, tuple[Effect, ...]]:
    """An event that comes after the look has ended changes nothing."""
    if isinstance(event, Asked):
        return Look(event.question, running=True), (Effect.REDRAW,)
    if isinstance(event, Dropped):
        return Look(), (Effect.REDRAW,)
    if not look.running:
        return look, ()
    if isinstance(event, Moved):
        return replace(look, stage=event.stage, done=event.done, total=event.total), ()
    if isinstance(event, Found):
        found = replace(look, running=False, found=event.found, space=event.space, matrix=event.matrix)
        return found, (Effect.SHOW_FOUND, Effect.REDRAW)
    return replace(look, running=False, problem=event.problem), (Effect.REDRAW,)
