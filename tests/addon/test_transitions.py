"""The pure function that moves a job from state to state."""

from __future__ import annotations

import dataclasses

import pytest


@pytest.fixture
def job(addon):
    """The modules, as plain names: job.state, job.advance."""

    class Names:
        state = addon("job.state")
        advance = staticmethod(addon("job.transitions").advance)

    return Names


def started(job):
    return job.advance(job.state.JobState(), job.state.Started("Cat", "cat.mp4", 100.0, ("no picture",)))


def after(job, *events):
    state, effects = started(job)
    for event in events:
        state, effects = job.advance(state, event)
    return state, effects


def test_a_job_runs_from_start_to_result(job):
    s, e = job.state, job.state.Effect
    state, effects = started(job)
    assert (state.phase, state.number, state.object_name) == (s.Phase.STARTING, 1, "Cat")
    assert effects == (e.START_WORK, e.REDRAW)
    state, _ = job.advance(state, s.QueueMoved(1, 2))
    assert (state.phase, state.ahead) == (s.Phase.QUEUED, 2)
    state, _ = job.advance(state, s.QueueMoved(1, 0))
    assert state.phase is s.Phase.RUNNING
    state, effects = job.advance(state, s.Progressed(1, "reconstruct", 3, 9, 6.5))
    assert (state.stage, state.done, state.total, state.remaining) == ("reconstruct", 3, 9, 6.5)
    assert effects == (e.REDRAW,)
    state, effects = job.advance(state, s.FramesCame(1, 0))
    assert effects == ()  # frames that leave a gap at the start cannot be shown
    state, effects = job.advance(state, s.FramesCame(1, 2))
    assert effects == (e.SHOW_PREVIEW,)
    state, effects = job.advance(state, s.FramesCame(1, 4))
    assert effects == (e.REFRESH_PREVIEW,)
    state, effects = job.advance(state, s.Finished(1, 9, 130.0, ("overlap 0.4",)))
    assert (state.phase, state.frames, state.seconds(999.0)) == (s.Phase.DONE, 9, 30.0)
    assert state.warnings == ("no picture", "overlap 0.4")
    assert effects == (e.SHOW_RESULT, e.REDRAW)
    state, effects = job.advance(state, s.Kept())
    assert state == s.JobState(number=1)
    assert effects == (e.FORGET_RESULT, e.REDRAW)


def test_a_second_start_changes_nothing_while_a_job_runs(job):
    state, _ = started(job)
    assert job.advance(state, job.state.Started("Dog", "dog.mp4", 101.0)) == (state, ())


def test_cancel_asks_once_and_takes_the_preview_away_when_the_work_has_stopped(job):
    s, e = job.state, job.state.Effect
    state, effects = after(job, s.FramesCame(1, 3), s.CancelAsked())
    assert state.phase is s.Phase.CANCELLING and effects == (e.STOP_WORK, e.REDRAW)
    assert job.advance(state, s.CancelAsked()) == (state, ())
    assert job.advance(state, s.Progressed(1, "reconstruct", 4, 9)) == (state, ())
    assert job.advance(state, s.FramesCame(1, 4)) == (state, ())
    state, effects = job.advance(state, s.Stopped(1, 120.0))
    assert state.phase is s.Phase.CANCELLED and effects == (e.HIDE_PREVIEW, e.REDRAW)


def test_a_result_that_comes_after_cancel_is_not_shown(job):
    s, e = job.state, job.state.Effect
    state, effects = after(job, s.CancelAsked(), s.Finished(1, 9, 120.0))
    assert state.phase is s.Phase.CANCELLED
    assert effects == (e.HIDE_PREVIEW, e.REDRAW, e.FORGET_RESULT)


def test_a_failure_keeps_its_problem_until_it_is_closed_or_a_new_job_starts(job):
    s, e = job.state, job.state.Effect
    problem = s.Problem("no-foreground", "Nothing moves.", "Choose another video.")
    state, effects = after(job, s.Failed(1, problem, 104.0))
    assert (state.phase, state.problem) == (s.Phase.FAILED, problem)
    assert effects == (e.HIDE_PREVIEW, e.REDRAW)
    assert job.advance(state, s.Discarded())[0].problem is None
    again, effects = job.advance(state, s.Started("Cat", "cat.mp4", 200.0))
    assert (again.phase, again.number, again.problem) == (s.Phase.STARTING, 2, None)
    assert effects == (e.START_WORK, e.REDRAW)


def test_events_of_an_earlier_job_are_ignored(job):
    s = job.state
    state, _ = after(job, s.CancelAsked(), s.Stopped(1, 101.0), s.Started("Dog", "dog.mp4", 102.0))
    assert state.number == 2
    for late in (s.Progressed(1, "read", 1, 2), s.FramesCame(1, 5), s.Finished(1, 5, 103.0), s.Stopped(1, 103.0)):
        assert job.advance(state, late) == (state, ())


def test_a_result_that_waits_goes_when_a_new_job_starts(job):
    s, e = job.state, job.state.Effect
    _, effects = after(job, s.Finished(1, 5, 101.0), s.Started("Cat", "cat.mp4", 102.0))
    assert effects[:2] == (e.HIDE_PREVIEW, e.FORGET_RESULT)


def test_discard_removes_the_preview_and_does_nothing_to_a_running_job(job):
    s, e = job.state, job.state.Effect
    state, _ = started(job)
    assert job.advance(state, s.Discarded()) == (state, ())
    state, effects = after(job, s.Finished(1, 5, 101.0), s.Discarded())
    assert state.phase is s.Phase.IDLE and effects == (e.HIDE_PREVIEW, e.FORGET_RESULT, e.REDRAW)


def test_a_result_that_cannot_be_shown_is_a_failure(job):
    s, e = job.state, job.state.Effect
    failed = s.Failed(1, s.Problem("disk-full", "The disk is full."), 102.0)
    state, effects = after(job, s.Finished(1, 5, 101.0), failed)
    assert state.phase is s.Phase.FAILED and e.FORGET_RESULT in effects


def test_no_state_can_be_changed_in_place(job):
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.state.JobState().phase = job.state.Phase.DONE
