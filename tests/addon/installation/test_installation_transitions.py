"""The pure function that moves the backend's installation from state to state."""

from __future__ import annotations

import pytest


@pytest.fixture
def names(addon):
    """The modules, as plain names: names.state, names.advance."""

    class Names:
        state = addon("installation.state")
        advance = staticmethod(addon("installation.transitions").advance)
        check = addon("installation.check")
        machine = addon("installation.plan")
        problem = addon("job.state").Problem("index-unreachable", "It did not answer.")

    return Names


def after(names, *events, state=None):
    state = state or names.state.InstallationState()
    effects = ()
    for event in events:
        state, effects = names.advance(state, event)
    return state, effects


def test_an_installation_runs_from_its_start_to_a_backend_that_is_ready(names):
    s = names.state
    state, effects = after(names, s.Started(s.Task.INSTALL, 10.0))
    assert (state.phase, state.task, state.number, state.busy) == (s.Phase.WORKING, s.Task.INSTALL, 1, True)
    assert effects == (s.Effect.START_WORK, s.Effect.REDRAW)
    moved = s.Moved(1, s.Stage.DOWNLOAD, "scipy", 30, 200, s.BYTES, 4.0)
    state, effects = names.advance(state, moved)
    assert (state.stage, state.item, state.done, state.total, state.remaining) == (
        s.Stage.DOWNLOAD,
        "scipy",
        30,
        200,
        4.0,
    )
    report = names.check.Report((names.check.Finding("numpy", "fine", "2.2"),))
    state, effects = names.advance(state, s.Finished(1, s.Condition.READY, 30.0, report))
    assert (state.phase, state.condition, state.ready, state.report) == (
        s.Phase.IDLE,
        s.Condition.READY,
        True,
        report,
    )
    assert state.seconds(99.0) == 20.0 and state.stage == ""


def test_a_second_task_changes_nothing_while_one_runs(names):
    s = names.state
    state, _ = after(names, s.Started(s.Task.INSTALL, 1.0))
    assert names.advance(state, s.Started(s.Task.REMOVE, 2.0)) == (state, ())
    assert names.advance(state, s.Looked(s.Condition.READY)) == (state, ())
    assert names.advance(state, s.Dismissed()) == (state, ())


def test_cancelling_stops_the_worker_and_waits_for_its_end(names):
    s = names.state
    state, effects = after(names, s.Started(s.Task.INSTALL, 1.0), s.CancelAsked())
    assert state.phase is s.Phase.CANCELLING and s.Effect.STOP_WORK in effects
    assert names.advance(state, s.CancelAsked()) == (state, ())
    state, _ = names.advance(state, s.Stopped(1, s.Condition.UNFINISHED, 2.0))
    assert (state.phase, state.condition, state.busy) == (s.Phase.CANCELLED, s.Condition.UNFINISHED, False)
    state, _ = names.advance(state, s.Dismissed())
    assert (state.phase, state.condition) == (s.Phase.IDLE, s.Condition.UNFINISHED)


def test_an_installation_that_was_whole_before_the_cancel_counts(names):
    s = names.state
    state, _ = after(names, s.Started(s.Task.INSTALL, 1.0), s.CancelAsked(), s.Finished(1, s.Condition.READY, 2.0))
    assert state.phase is s.Phase.IDLE and state.ready


def test_removing_cannot_be_cancelled_in_the_middle(names):
    s = names.state
    state, _ = after(names, s.Started(s.Task.REMOVE, 1.0))
    assert names.advance(state, s.CancelAsked()) == (state, ())


def test_events_of_an_earlier_task_change_nothing(names):
    s = names.state
    state, _ = after(
        names,
        s.Started(s.Task.CHECK, 1.0),
        s.Failed(1, s.Condition.DAMAGED, names.problem, 2.0),
        s.Started(s.Task.INSTALL, 3.0),
    )
    assert state.number == 2 and state.problem is None
    assert names.advance(state, s.Moved(1, s.Stage.UNPACK)) == (state, ())
    assert names.advance(state, s.Finished(1, s.Condition.READY, 4.0)) == (state, ())


def test_a_failure_keeps_its_problem_until_it_is_dismissed_or_tried_again(names):
    s = names.state
    state, _ = after(names, s.Started(s.Task.INSTALL, 1.0), s.Failed(1, s.Condition.UNFINISHED, names.problem, 2.0))
    assert (state.phase, state.problem, state.ready) == (s.Phase.FAILED, names.problem, False)
    assert names.advance(state, s.Dismissed())[0].problem is None
    assert names.advance(state, s.Started(s.Task.INSTALL, 3.0))[0].problem is None


def test_a_look_at_the_disk_notices_what_happened_outside(names):
    s = names.state
    state, effects = after(names, s.Looked(s.Condition.READY))
    assert state.ready and effects == (s.Effect.REDRAW,)
    assert names.advance(state, s.Looked(s.Condition.READY)) == (state, ())
    assert not names.advance(state, s.Looked(s.Condition.PYTHON_GONE))[0].ready


def test_the_backend_may_be_used_while_it_is_checked_but_not_while_it_is_replaced(names):
    s = names.state
    ready = s.InstallationState(condition=s.Condition.READY)
    assert names.advance(ready, s.Started(s.Task.CHECK, 1.0))[0].ready
    assert not names.advance(ready, s.Started(s.Task.INSTALL, 1.0))[0].ready


def test_the_machine_is_remembered_over_tasks(names):
    s = names.state
    machine = names.machine.Machine("linux", "x64", None, 10**12)
    state, _ = after(names, s.MachineSeen(machine), s.Started(s.Task.INSTALL, 1.0))
    assert state.machine == machine


def test_what_was_found_about_a_backend_is_forgotten_when_another_one_is_chosen(names):
    s = names.state
    report = names.check.Report(())
    state, _ = after(names, s.Started(s.Task.CHECK, 1.0), s.Finished(1, s.Condition.READY, 2.0, report))
    assert state.report == report
    assert names.advance(state, s.ChoiceChanged())[0].report is None
    state, _ = after(
        names, s.Started(s.Task.CHECK, 3.0), s.Failed(2, s.Condition.READY, names.problem, 4.0), state=state
    )
    assert state.report is None and state.problem == names.problem
    assert names.advance(state, s.ChoiceChanged())[0].problem is None
