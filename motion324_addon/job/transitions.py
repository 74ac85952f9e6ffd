"""The one place where the state of a job changes: (state, event) -> (state, effects). No bpy, no clocks, no threads."""

from __future__ import annotations

from dataclasses import replace

from .state import (
    CancelAsked,
    Discarded,
    Effect,
    Event,
    Failed,
    Finished,
    FramesCame,
    JobState,
    Kept,
    Phase,
    Progressed,
    QueueMoved,
    Started,
    Stopped,
)

Step = tuple[JobState, tuple[Effect, ...]]


def advance(state: JobState, event: Event) -> Step:
    """An event that does not fit the state, such as one of an earlier job, changes nothing."""
    if isinstance(event, Started):
        return _start(state, event)
    if isinstance(event, CancelAsked):
        return _cancel(state)
    if isinstance(event, Kept | Discarded):
        return _leave(state, event)
    if event.number != state.number:
        return state, ()
    if isinstance(event, Failed) and state.phase is Phase.DONE:  # the result came, but could not be shown
        failed, effects = _end(state, event)
        return failed, (*effects, Effect.FORGET_RESULT)
    if not state.busy:
        return state, ()
    if state.phase is Phase.CANCELLING:
        return _while_cancelling(state, event)
    return _while_working(state, event)


def _start(state: JobState, event: Started) -> Step:
    if state.busy:
        return state, ()
    fresh = JobState(
        phase=Phase.STARTING,
        number=state.number + 1,
        object_name=event.object_name,
        video_name=event.video_name,
        began=event.now,
        warnings=event.warnings,
    )
    clean = (Effect.HIDE_PREVIEW, Effect.FORGET_RESULT) if state.phase is Phase.DONE else ()
    return fresh, (*clean, Effect.START_WORK, Effect.REDRAW)


def _cancel(state: JobState) -> Step:
    if not state.busy or state.phase is Phase.CANCELLING:
        return state, ()
    return replace(state, phase=Phase.CANCELLING), (Effect.STOP_WORK, Effect.REDRAW)


def _leave(state: JobState, event: Kept | Discarded) -> Step:
    if state.busy or state.phase is Phase.IDLE:
        return state, ()
    effects = [Effect.FORGET_RESULT, Effect.REDRAW]
    if isinstance(event, Discarded):
        effects.insert(0, Effect.HIDE_PREVIEW)
    return JobState(number=state.number), tuple(effects)


def _while_working(state: JobState, event: Event) -> Step:
    if isinstance(event, QueueMoved):
        phase = Phase.QUEUED if event.ahead else Phase.RUNNING
        return replace(state, phase=phase, ahead=event.ahead), (Effect.REDRAW,)
    if isinstance(event, Progressed):
        moved = replace(
            state,
            phase=Phase.RUNNING,
            ahead=0,
            stage=event.stage,
            done=event.done,
            total=event.total,
            remaining=event.remaining,
        )
        return moved, (Effect.REDRAW,)
    if isinstance(event, FramesCame):
        first = state.frames_ready == 0 and event.frames_ready > 0
        effect = Effect.SHOW_PREVIEW if first else Effect.REFRESH_PREVIEW
        return replace(state, frames_ready=event.frames_ready), (effect,) if event.frames_ready else ()
    return _end(state, event)


def _while_cancelling(state: JobState, event: Event) -> Step:
    """Progress is of no interest any more, but a job that ends in another way just now has ended."""
    if isinstance(event, Finished):
        # Cancel came too late to stop the work, not too late to mean it.
        event = Stopped(event.number, event.now)
        ended, effects = _end(state, event)
        return ended, (*effects, Effect.FORGET_RESULT)
    return _end(state, event)


def _end(state: JobState, event: Event) -> Step:
    if isinstance(event, Finished):
        done = replace(
            state,
            phase=Phase.DONE,
            ended=event.now,
            frames=event.frames,
            frames_ready=event.frames,
            warnings=state.warnings + event.warnings,
        )
        return done, (Effect.SHOW_RESULT, Effect.REDRAW)
    if isinstance(event, Failed):
        failed = replace(state, phase=Phase.FAILED, ended=event.now, problem=event.problem)
        return failed, (Effect.HIDE_PREVIEW, Effect.REDRAW)
    if isinstance(event, Stopped):
        return replace(state, phase=Phase.CANCELLED, ended=event.now), (Effect.HIDE_PREVIEW, Effect.REDRAW)
    return state, ()
