"""The pure function that moves jobs from state to state."""

from __future__ import annotations

import dataclasses

import pytest

CAT, DOG, COW = 11, 22, 33  # session_uid of objects


@pytest.fixture
def job(addon):
    """The modules, as plain names: job.state, job.advance."""

    class Names:
        state = addon("job.state")
        advance = staticmethod(addon("job.transitions").advance)

        def run(self, *events, jobs=None):
            """The jobs after these events, and the effects of the last one, without redrawing."""
            jobs, effects = jobs or self.state.Jobs(), ()
            for event in events:
                jobs, effects = self.advance(jobs, event)
            return jobs, [
                (do.effect.value, do.number, *([do.objects] if do.objects else []))
                for do in effects
                if do.effect is not self.state.Effect.REDRAW
            ]

        def ordered(self, name="Cat", *objects, now=100.0):
            return self.state.Ordered(name, f"{name.lower()}.mp4", objects or (CAT,), now)

    return Names()


def test_jobs_that_wait_can_be_put_in_another_order(job):
    s = job.state
    jobs, _ = job.run(*(job.ordered(str(uid), uid) for uid in (1, 2, 3, 4)))
    assert [each.number for each in jobs.queue] == [2, 3, 4]
    for number, place, order in ((4, 0, [4, 2, 3]), (4, 2, [2, 3, 4]), (3, -5, [3, 2, 4]), (3, 99, [2, 4, 3])):
        jobs, effects = job.run(s.Unqueued(number, place), jobs=jobs)
        assert [each.number for each in jobs.queue] == order and effects == []
    assert job.run(s.Unqueued(1, 1), jobs=jobs)[0] == jobs  # it runs
    jobs, effects = job.run(s.CancelAsked(9.0), jobs=jobs)
    assert jobs.busy.number == 2 and ("start work", 2) in effects


def test_all_can_be_cancelled_at_once_and_nothing_that_waits_begins(job):
    s = job.state
    jobs, _ = job.run(job.ordered("Done", 9), s.Finished(1, 5, 101.0))
    jobs, _ = job.run(*(job.ordered(str(uid), uid) for uid in (1, 2, 3)), jobs=jobs)
    jobs, effects = job.run(s.CancelAsked(120.0, all_of_them=True), jobs=jobs)
    assert effects == [("forget", 3), ("forget", 4), ("hide preview", 2), ("stop work", 2)]
    assert [each.phase for each in jobs.jobs] == [s.Phase.DONE, s.Phase.CANCELLED]
    assert job.run(s.CancelAsked(121.0, all_of_them=True), jobs=jobs)[0] == jobs


def test_a_job_runs_from_start_to_result(job):
    s = job.state
    jobs, effects = job.run(job.ordered())
    assert (jobs.shown.phase, jobs.shown.number, jobs.shown.object_name) == (s.Phase.STARTING, 1, "Cat")
    assert effects == [("start work", 1)]
    jobs, _ = job.run(s.QueueMoved(1, 2), jobs=jobs)
    assert (jobs.shown.phase, jobs.shown.ahead) == (s.Phase.QUEUED, 2)
    jobs, _ = job.run(s.QueueMoved(1, 0), jobs=jobs)
    assert jobs.shown.phase is s.Phase.RUNNING
    jobs, effects = job.run(s.Progressed(1, "reconstruct", 3, 9, 6.5), jobs=jobs)
    assert (jobs.shown.stage, jobs.shown.done, jobs.shown.total, jobs.shown.remaining) == ("reconstruct", 3, 9, 6.5)
    jobs, effects = job.run(s.FramesCame(1, 0), jobs=jobs)
    assert effects == []  # frames that leave a gap at the start cannot be shown
    jobs, effects = job.run(s.FramesCame(1, 2), jobs=jobs)
    assert effects == [("show preview", 1)]
    jobs, effects = job.run(s.FramesCame(1, 4), jobs=jobs)
    assert effects == [("refresh preview", 1)]
    jobs, effects = job.run(s.Finished(1, 9, 130.0, ("overlap 0.4",)), jobs=jobs)
    done = jobs.shown
    assert (done.phase, done.frames, done.seconds(999.0), done.warnings) == (s.Phase.DONE, 9, 30.0, ("overlap 0.4",))
    assert jobs.results == (done,) and effects == [("show result", 1)]
    jobs, effects = job.run(s.Kept(1), jobs=jobs)
    assert jobs.results == () and jobs.shown.phase is s.Phase.IDLE
    assert effects == [("shelve", 1, (CAT,))]


def test_orders_wait_for_the_one_that_runs_and_start_by_themselves(job):
    s = job.state
    jobs, effects = job.run(job.ordered(), job.ordered("Dog", DOG), job.ordered("Cow", COW))
    assert [waiting.object_name for waiting in jobs.queue] == ["Dog", "Cow"] and effects == []
    assert jobs.shown.object_name == "Cat"
    jobs, effects = job.run(s.Finished(1, 9, 130.0), jobs=jobs)
    assert effects == [("show result", 1), ("start work", 2)]
    assert (jobs.shown.object_name, jobs.shown.began) == ("Dog", 130.0)
    assert [done.object_name for done in jobs.results] == ["Cat"]
    jobs, effects = job.run(s.CancelAsked(140.0), jobs=jobs)
    assert effects == [("hide preview", 2), ("stop work", 2), ("start work", 3)]
    jobs, effects = job.run(s.Failed(3, s.Problem("no-foreground", "Nothing moves."), 150.0), jobs=jobs)
    assert effects == [("hide preview", 3), ("stop work", 3)]
    assert jobs.shown.object_name == "Cow" and [done.object_name for done in jobs.results] == ["Cat"]


def test_one_that_waits_can_be_taken_out_and_one_that_runs_cannot(job):
    s = job.state
    jobs, _ = job.run(job.ordered(), job.ordered("Dog", DOG), job.ordered("Cow", COW))
    assert job.run(s.Unqueued(1), jobs=jobs) == (jobs, [])
    jobs, effects = job.run(s.Unqueued(2), jobs=jobs)
    assert [waiting.object_name for waiting in jobs.queue] == ["Cow"] and effects == [("forget", 2)]


def test_an_object_has_one_order_at_a_time(job):
    jobs, _ = job.run(job.ordered(), job.ordered("Dog and Cow", DOG, COW))
    assert job.run(job.ordered(now=101.0), jobs=jobs) == (jobs, [])
    assert job.run(job.ordered("Cow", COW), jobs=jobs) == (jobs, [])
    assert jobs.occupied((COW,)).object_name == "Dog and Cow" and jobs.occupied((44,)) is None


def test_cancel_ends_the_job_at_once_and_what_its_worker_still_says_is_ignored(job):
    s = job.state
    jobs, effects = job.run(job.ordered(), s.FramesCame(1, 3), s.CancelAsked(120.0))
    assert jobs.shown.phase is s.Phase.CANCELLED and jobs.shown.seconds(999.0) == 20.0
    assert effects == [("hide preview", 1), ("stop work", 1)]
    for late in (s.CancelAsked(121.0), s.Progressed(1, "read", 4, 9), s.FramesCame(1, 4), s.Finished(1, 9, 122.0)):
        assert job.run(late, jobs=jobs) == (jobs, [])
    jobs, effects = job.run(job.ordered("Dog", DOG), jobs=jobs)
    assert [each.object_name for each in jobs.jobs] == ["Dog"]  # the message goes when somebody goes on


def test_a_failure_keeps_its_problem_until_it_is_closed_or_the_object_is_animated_again(job):
    s = job.state
    problem = s.Problem("no-foreground", "Nothing moves.", "Choose another video.")
    jobs, effects = job.run(job.ordered(), s.Failed(1, problem, 104.0))
    assert (jobs.shown.phase, jobs.shown.problem, jobs.failures) == (s.Phase.FAILED, problem, (jobs.shown,))
    assert effects == [("hide preview", 1), ("stop work", 1)]
    assert job.run(s.Discarded(1), jobs=jobs)[0] == s.Jobs(newest=1)
    other, _ = job.run(job.ordered("Dog", DOG), jobs=jobs)
    assert other.failures == jobs.failures and other.shown.object_name == "Dog"
    again, effects = job.run(job.ordered(), jobs=jobs)
    assert (again.shown.phase, again.shown.number, again.failures) == (s.Phase.STARTING, 2, ())
    assert effects == [("forget", 1), ("start work", 2)]


@pytest.mark.parametrize(
    ("code", "phase"), [("backend-lost", "LOST"), ("backend-died", "LOST"), ("no-video", "FAILED")]
)
def test_a_lost_backend_is_told_apart_and_the_same_job_can_be_started_again(job, code, phase):
    s = job.state
    failed = s.Failed(1, s.Problem(code, "It ended."), 104.0)
    jobs, effects = job.run(job.ordered(), job.ordered("Dog", DOG), s.FramesCame(1, 3), failed)
    lost = jobs.get(1)
    assert lost.phase is s.Phase[phase] and lost.frames_ready == 0
    assert effects == [("hide preview", 1), ("stop work", 1), ("start work", 2)]  # the next one gets its own chance
    jobs, effects = job.run(s.Restarted(1, 110.0), jobs=jobs)
    assert [waiting.object_name for waiting in jobs.queue] == ["Cat"] and effects == []
    jobs, effects = job.run(s.Finished(2, 9, 120.0), jobs=jobs)
    assert effects == [("show result", 2), ("start work", 1)]
    assert (jobs.shown.object_name, jobs.shown.began, jobs.shown.problem) == ("Cat", 120.0, None)
    assert job.run(s.Restarted(1, 121.0), jobs=jobs) == (jobs, [])


def test_results_of_several_objects_wait_side_by_side(job):
    s = job.state
    jobs, _ = job.run(job.ordered(), s.Finished(1, 5, 101.0), job.ordered("Dog", DOG), s.Finished(2, 5, 103.0))
    assert [done.object_name for done in jobs.results] == ["Cat", "Dog"] and jobs.shown.object_name == "Dog"
    jobs, effects = job.run(s.Discarded(1), jobs=jobs)
    assert [done.object_name for done in jobs.results] == ["Dog"]
    assert effects == [("hide preview", 1, (CAT,)), ("shelve", 1, (CAT,))]
    jobs, effects = job.run(job.ordered("Dog", DOG), jobs=jobs)
    assert [done.number for done in jobs.results] == [2] and effects == [("start work", 3)]


@pytest.mark.parametrize("end", ["cancelled", "failed"])
def test_a_result_waits_until_its_object_has_a_newer_one(job, end):
    s = job.state
    jobs, _ = job.run(job.ordered("Cat and 1 more", CAT, DOG), s.Finished(1, 5, 101.0), job.ordered("Dog", DOG))
    ending = s.CancelAsked(102.0) if end == "cancelled" else s.Failed(2, s.Problem("no-video", "None."), 102.0)
    undone, effects = job.run(ending, jobs=jobs)
    assert undone.results == jobs.results and effects == [("hide preview", 2), ("stop work", 2)]
    jobs, effects = job.run(s.Finished(2, 7, 103.0), jobs=jobs)
    assert effects == [("hide preview", 1, (DOG,)), ("shelve", 1, (DOG,)), ("show result", 2)]
    assert [(done.number, done.objects) for done in jobs.results] == [(1, (CAT,)), (2, (DOG,))]


def test_one_that_waits_fails_where_its_mesh_cannot_be_read_to_the_end(job):
    s = job.state
    failed = s.Failed(2, s.Problem("mesh-zero-extent", "All vertices lie at one place."), 102.0)
    jobs, effects = job.run(job.ordered(), job.ordered("Dog", DOG), failed)
    assert jobs.queue == () and jobs.shown.object_name == "Cat" and effects == [("stop work", 2)]
    assert [failure.object_name for failure in jobs.failures] == ["Dog"]


def test_each_object_of_a_common_job_is_kept_or_discarded_on_its_own(job):
    s = job.state
    jobs, _ = job.run(job.ordered("Cat and 1 more", CAT, DOG), s.Finished(1, 5, 101.0))
    jobs, effects = job.run(s.Kept(1, (CAT,)), jobs=jobs)
    assert jobs.results[0].objects == (DOG,) and effects == [("shelve", 1, (CAT,))]
    jobs, effects = job.run(s.Discarded(1, (DOG,)), jobs=jobs)
    assert jobs.results == () and effects == [("hide preview", 1, (DOG,)), ("shelve", 1, (DOG,))]


def test_what_was_kept_or_discarded_waits_again_when_it_is_asked_for(job):
    s = job.state
    jobs, _ = job.run(job.ordered("Cat and 1 more", CAT, DOG), s.Finished(1, 5, 101.0), s.Kept(1, (CAT,)))
    jobs, _ = job.run(s.Discarded(1), jobs=jobs)
    assert jobs.results == () and jobs.discarded.discarded == (DOG,) and jobs.shown.phase is s.Phase.IDLE
    back, effects = job.run(s.Reopened(1, (DOG,)), jobs=jobs)
    assert back.results[0].objects == (DOG,) and effects == [("show again", 1, (DOG,))] and back.discarded is None
    back, effects = job.run(s.Reopened(1, (CAT,)), jobs=back)
    assert back.results[0].objects == (DOG, CAT) and effects == [("show again", 1, (CAT,))]
    newer, _ = job.run(job.ordered(), s.Finished(2, 5, 103.0), jobs=jobs)
    assert job.run(s.Reopened(1, (CAT,)), jobs=newer) == (newer, [])  # another result waits there by now


def test_of_what_was_discarded_only_the_last_comes_back_and_of_what_was_kept_the_last_few(job):
    s = job.state
    jobs, _ = job.run(job.ordered(), s.Finished(1, 5, 101.0), s.Discarded(1), job.ordered("Dog", DOG))
    jobs, effects = job.run(s.Finished(2, 5, 102.0), s.Discarded(2), jobs=jobs)
    assert ("forget", 1) in effects and jobs.discarded.number == 2 and len(jobs.jobs) == 1
    forgotten = []
    for number in range(3, 13):
        jobs, effects = job.run(job.ordered(), s.Finished(number, 5, 103.0), s.Kept(number), jobs=jobs)
        forgotten += [done for done in effects if done[0] == "forget"]
    assert [kept.number for kept in jobs.jobs] == list(range(5, 13)) and len(forgotten) == 3


def test_a_take_that_is_read_from_its_object_waits_in_the_place_of_an_older_result(job):
    s = job.state
    jobs, _ = job.run(job.ordered(), s.Finished(1, 5, 101.0))
    jobs, effects = job.run(s.Adopted("Cat", "cat.mp4", (CAT,), 7, 102.0), jobs=jobs)
    assert effects == [("hide preview", 1, (CAT,)), ("forget", 1), ("show again", 2, (CAT,))]
    assert (jobs.results[0].number, jobs.results[0].frames, jobs.newest) == (2, 7, 2)


def test_opening_another_file_ends_everything_and_says_so(job):
    s = job.state
    jobs, effects = job.run(
        job.ordered(),
        s.Finished(1, 5, 101.0),
        job.ordered("Dog", DOG),
        job.ordered("Cow", COW),
        s.FileLeft(105.0, "Gone."),
    )
    assert {("hide preview", 1), ("hide preview", 2), ("stop work", 2), ("forget", 3)} <= set(effects)
    assert [each.object_name for each in jobs.jobs] == ["Dog"]
    assert (jobs.shown.phase, jobs.shown.notice) == (s.Phase.CANCELLED, "Gone.")
    assert job.run(s.FileLeft(106.0, ""), jobs=jobs)[0] == s.Jobs(newest=3)
    waiting, _ = job.run(job.ordered(), s.Finished(1, 5, 101.0))
    jobs, effects = job.run(s.FileLeft(105.0, "Gone."), jobs=waiting)
    assert (jobs.shown.phase, jobs.shown.notice, jobs.results) == (s.Phase.CANCELLED, "Gone.", ())
    assert effects == [("hide preview", 1), ("stop work", 1), ("forget", 1)]
    assert job.run(s.FileLeft(106.0, ""), jobs=waiting)[0] == s.Jobs(newest=1)


def test_a_running_job_cannot_be_discarded(job):
    jobs, _ = job.run(job.ordered())
    assert job.run(job.state.Discarded(1), jobs=jobs) == (jobs, [])


def test_a_result_that_cannot_be_shown_is_a_failure(job):
    s = job.state
    failed = s.Failed(1, s.Problem("disk-full", "The disk is full."), 102.0)
    jobs, effects = job.run(job.ordered(), s.Finished(1, 5, 101.0), failed)
    assert jobs.shown.phase is s.Phase.FAILED and effects == [("hide preview", 1), ("stop work", 1)]


def test_the_remaining_time_is_the_backends_and_until_it_tells_one_that_of_earlier_jobs(job):
    s = job.state
    expected = s.Expected(1, (("read", 2.0), ("reconstruct", 10.0), ("smooth", 1.0)))
    jobs, _ = job.run(job.ordered(), s.Progressed(1, "read", 1, 4))
    assert jobs.shown.remaining_total is None
    jobs, _ = job.run(expected, jobs=jobs)
    assert jobs.shown.remaining_total == pytest.approx(1.5 + 10 + 1)
    jobs, _ = job.run(s.Progressed(1, "reconstruct", 1, 4, 30.0), jobs=jobs)
    assert jobs.shown.remaining_total == pytest.approx(30)  # which is the whole job's
    jobs, _ = job.run(s.Progressed(1, "load", 0, 1), jobs=jobs)
    assert jobs.shown.remaining_total is None


def test_no_state_can_be_changed_in_place(job):
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.state.JobState().phase = job.state.Phase.DONE
