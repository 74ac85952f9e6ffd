"""Changes the state of the installation, and is the one place that does: (state, event) -> (state, effects). No
bpy, no clocks.
"""

from __future__ import annotations

from dataclasses import replace

from .state import (
    CancelAsked,
    ChoiceChanged,
    Condition,
    Dismissed,
    Effect,
    Event,
    Failed,
    Finished,
    InstallationState,
    Looked,
    MachineSeen,
    Moved,
    Phase,
    Started,
    Stopped,
    Task,
)

Step = tuple[InstallationState, tuple[Effect, ...]]


def advance(state: InstallationState, event: Event) -> Step:
    """An event that does not fit the state, such as one of an earlier task, changes nothing."""
    if isinstance(event, Looked):
        return _look(state, event)
    if isinstance(event, MachineSeen):
        return replace(state, machine=event.machine), (Effect.REDRAW,)
    if isinstance(event, Started):
        return _start(state, event)
    if isinstance(event, CancelAsked):
        return _cancel(state)
    if isinstance(event, Dismissed):
        return _dismiss(state)
    if isinstance(event, ChoiceChanged):
        return _forget_check(state)
    if event.number != state.number or not state.busy:
        return state, ()
    if isinstance(event, Moved):
        return _move(state, event)
    return _end(state, event)


def _look(state: InstallationState, event: Looked) -> Step:
    """While a task runs, what lies on the disk is in its hands."""
    if state.busy or event.condition is state.condition:
        return state, ()
    report = state.report if event.condition in (Condition.READY, Condition.DAMAGED) else None
    return replace(state, condition=event.condition, report=report), (Effect.REDRAW,)


def _start(state: InstallationState, event: Started) -> Step:
    if state.busy:
        return state, ()
    fresh = InstallationState(
        condition=state.condition,
        phase=Phase.WORKING,
        number=state.number + 1,
        task=event.task,
        began=event.now,
        machine=state.machine,
        report=state.report if event.task is Task.CHECK else None,
    )
    return fresh, (Effect.START_WORK, Effect.REDRAW)


def _cancel(state: InstallationState) -> Step:
    if state.phase is not Phase.WORKING or state.task is Task.REMOVE:
        return state, ()  # what is half removed would only have to be removed again
    return replace(state, phase=Phase.CANCELLING), (Effect.STOP_WORK, Effect.REDRAW)


def _dismiss(state: InstallationState) -> Step:
    if state.busy or state.phase is Phase.IDLE:
        return state, ()
    return replace(state, phase=Phase.IDLE, task=None, problem=None), (Effect.REDRAW,)


def _forget_check(state: InstallationState) -> Step:
    if state.busy:
        return state, ()
    return replace(state, phase=Phase.IDLE, task=None, problem=None, report=None), (Effect.REDRAW,)


def _move(state: InstallationState, event: Moved) -> Step:
    moved = replace(
        state,
        stage=event.stage,
        item=event.item,
        done=event.done,
        total=event.total,
        unit=event.unit,
        remaining=event.remaining,
    )
    return moved, (Effect.REDRAW,)


def _end(state: InstallationState, event: Finished | Failed | Stopped) -> Step:
    ended = replace(state, condition=event.condition, ended=event.now, stage="", item="", remaining=None)
    if isinstance(event, Failed):
        return replace(ended, phase=Phase.FAILED, problem=event.problem, report=None), (Effect.REDRAW,)
    if isinstance(event, Stopped):
        return replace(ended, phase=Phase.CANCELLED), (Effect.REDRAW,)
    report = event.report or state.report
    return replace(ended, phase=Phase.IDLE, task=None, report=report), (Effect.REDRAW,)
