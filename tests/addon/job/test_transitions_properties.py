"""Whatever happens in whatever order, the jobs stay consistent, and no work is left running or undone."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not in this environment")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

OBJECTS = (11, 22, 33)
# The fixture gives modules, which stay the same.
QUICK = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
objects = st.lists(st.sampled_from(OBJECTS), min_size=1, max_size=2, unique=True).map(tuple)
some_objects = st.lists(st.sampled_from(OBJECTS), max_size=2, unique=True).map(tuple)
numbers = st.integers(0, 6)
codes = st.sampled_from(["no-foreground", "backend-lost", "internal"])
# An event by its name and what it is made of; its time is the place in the list.
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("Ordered"), objects),
        st.tuples(st.just("QueueMoved"), numbers, st.integers(0, 2)),
        st.tuples(st.just("Progressed"), numbers, st.integers(0, 9)),
        st.tuples(st.just("FramesCame"), numbers, st.integers(0, 9)),
        st.tuples(st.just("Finished"), numbers),
        st.tuples(st.just("Failed"), numbers, codes),
        st.tuples(st.just("CancelAsked")),
        st.tuples(st.just("Unqueued"), numbers),
        st.tuples(st.just("Restarted"), numbers),
        st.tuples(st.just("FileLeft"), st.sampled_from(["", "Another file was opened."])),
        st.tuples(st.just("Kept"), numbers, some_objects),
        st.tuples(st.just("Discarded"), numbers, some_objects),
        st.tuples(st.just("Reopened"), numbers, some_objects),
        st.tuples(st.just("Adopted"), objects),
    ),
    max_size=40,
)


@pytest.fixture
def names(addon):
    return addon("job.state"), addon("job.transitions").advance


def event_of(s, name, details, now):
    if name == "Ordered":
        return s.Ordered("It", "it.mp4", *details, now)
    if name == "Adopted":
        return s.Adopted("It", "it.mp4", *details, 9, now)
    if name == "Progressed":
        return s.Progressed(details[0], "reconstruct", details[1], 9)
    if name == "Finished":
        return s.Finished(details[0], 9, now)
    if name == "Failed":
        return s.Failed(details[0], s.Problem(details[1], "It failed."), now)
    if name == "Restarted":
        return s.Restarted(details[0], now)
    if name == "CancelAsked":
        return s.CancelAsked(now)
    if name == "FileLeft":
        return s.FileLeft(now, *details)
    return getattr(s, name)(*details)


def check_consistent(s, jobs):
    given_numbers = [job.number for job in jobs.jobs]
    assert len(set(given_numbers)) == len(given_numbers) and max(given_numbers, default=0) <= jobs.newest
    assert sum(job.busy for job in jobs.jobs) <= 1
    assert jobs.busy or not jobs.queue  # nothing waits for nothing
    pending = [uid for job in jobs.jobs if job.busy or job.phase is s.Phase.WAITING for uid in job.objects]
    assert len(set(pending)) == len(pending)  # an object has one order at a time
    shown = [uid for job in jobs.results for uid in job.objects]
    assert len(set(shown)) == len(shown)  # and one result
    assert (
        all(job.objects or job.notice or job.kept or job.discarded for job in jobs.jobs)
        and jobs.shown.number <= jobs.newest
    )
    assert all((job.problem is not None) == (job.phase in s.REPEATABLE) for job in jobs.jobs)


@QUICK
@given(happenings)
def test_any_series_of_events_leaves_consistent_jobs(names, happenings):
    s, advance = names
    jobs, working, shown = s.Jobs(), set(), set()
    for now, (name, *details) in enumerate(happenings):
        before = jobs
        jobs, effects = advance(jobs, event_of(s, name, details, float(now)))
        check_consistent(s, jobs)
        assert jobs.newest >= before.newest
        for do in effects:
            if do.effect is s.Effect.START_WORK:
                assert do.number not in working and not working  # one at a time
                working.add(do.number)
            elif do.effect in (s.Effect.STOP_WORK, s.Effect.SHOW_RESULT):
                working.discard(do.number)
            if do.effect in (s.Effect.SHOW_PREVIEW, s.Effect.SHOW_RESULT, s.Effect.SHOW_AGAIN):
                shown.add(do.number)
            elif (do.effect in (s.Effect.HIDE_PREVIEW, s.Effect.FORGET) and not do.objects) or (
                do.effect is s.Effect.SHELVE and jobs.get(do.number).phase is not s.Phase.DONE
            ):
                shown.discard(do.number)
            if do.effect in (s.Effect.SHOW_PREVIEW, s.Effect.REFRESH_PREVIEW, s.Effect.SHOW_RESULT):
                assert jobs.get(do.number) is not None
        assert working == ({jobs.busy.number} if jobs.busy else set())
        assert shown <= {job.number for job in jobs.jobs if job.busy or job.phase is s.Phase.DONE}
