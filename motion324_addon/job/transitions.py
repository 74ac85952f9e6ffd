"""Changes the state of jobs, and is the one place that does: (jobs, event) -> (jobs, effects). No bpy, no
clocks, no threads.
"""

from __future__ import annotations

from dataclasses import replace

from .state import (
    ENDED,
    LOST_CODES,
    REPEATABLE,
    Adopted,
    CancelAsked,
    Discarded,
    Do,
    Effect,
    Event,
    Expected,
    Failed,
    FileLeft,
    Finished,
    FramesCame,
    FromWorker,
    Jobs,
    JobState,
    Kept,
    Ordered,
    Phase,
    Progressed,
    QueueMoved,
    Reopened,
    Restarted,
    Unqueued,
)

SHELVED = 8  # jobs whose results may come back; their files take room
Step = tuple[Jobs, tuple[Do, ...]]
REDRAW = Do(Effect.REDRAW)


def advance(jobs: Jobs, event: Event) -> Step:
    """An event that does not fit the state, such as one of a job that has ended, changes nothing."""
    if isinstance(event, Ordered):
        return _order(jobs, event)
    if isinstance(event, CancelAsked):
        return _cancel(jobs, event)
    if isinstance(event, FileLeft):
        return _leave_file(jobs, event)
    if isinstance(event, Adopted):
        return _adopt(jobs, event)
    job = jobs.get(event.number)
    if job is None:
        return jobs, ()
    if isinstance(event, Unqueued) and job.phase is not Phase.WAITING:
        return jobs, ()
    if isinstance(event, Unqueued) and event.place is None:
        return _without(jobs, job, Do(Effect.FORGET, job.number))
    if isinstance(event, Unqueued):
        return jobs.reordered(job, event.place), (REDRAW,)
    if isinstance(event, Restarted):
        return _restart(jobs, job, event)
    if isinstance(event, Kept | Discarded):
        return _leave(jobs, job, event)
    if isinstance(event, Reopened):
        return _reopen(jobs, job, event)
    return _work(jobs, job, event)


def _order(jobs: Jobs, event: Ordered) -> Step:
    """Earlier failures of the same objects go, and so does the message that one was cancelled; results still wait."""
    if jobs.occupied(event.objects):
        return jobs, ()
    effects: list[Do] = []
    for old in jobs.jobs:
        if old.phase is Phase.CANCELLED or (old.phase in REPEATABLE and set(old.objects) & set(event.objects)):
            jobs, done = _leave(jobs, old, Discarded(old.number))
            effects += done
    job = JobState(
        phase=Phase.WAITING,
        number=jobs.newest + 1,
        object_name=event.object_name,
        video_name=event.video_name,
        objects=event.objects,
    )
    jobs, started = _start_next(Jobs((*jobs.jobs, job), job.number), event.now)
    return jobs, (*(do for do in effects if do != REDRAW), *started, REDRAW)


def _start_next(jobs: Jobs, now: float) -> Step:
    """The next that waits becomes busy, where none is."""
    if jobs.busy or not jobs.queue:
        return jobs, ()
    job = replace(jobs.queue[0], phase=Phase.STARTING, began=now)
    return _changed(jobs, job), (Do(Effect.START_WORK, job.number),)


def _cancel(jobs: Jobs, event: CancelAsked) -> Step:
    forgotten = tuple(Do(Effect.FORGET, job.number) for job in jobs.queue if event.all_of_them)
    if event.all_of_them:
        jobs = replace(jobs, jobs=tuple(job for job in jobs.jobs if job.phase is not Phase.WAITING))
    job = jobs.busy
    if job is None:
        return jobs, (*forgotten, REDRAW) if forgotten else ()
    return _end(jobs, replace(job, phase=Phase.CANCELLED, ended=event.now), (*forgotten, *_undone(job)))


def _leave_file(jobs: Jobs, event: FileLeft) -> Step:
    """Everything goes but the notice, where there is one, on the job that was shown."""
    effects = []
    for job in jobs.jobs:
        effects += [*_undone(job), Do(Effect.FORGET, job.number)]
    left: tuple[JobState, ...] = ()
    if event.notice:
        left = (replace(jobs.shown, phase=Phase.CANCELLED, ended=event.now, notice=event.notice),)
    return Jobs(left, jobs.newest), (*effects, REDRAW)


def _restart(jobs: Jobs, job: JobState, event: Restarted) -> Step:
    """Before all others that wait."""
    if job.phase not in REPEATABLE or jobs.occupied(job.objects):
        return jobs, ()
    again = JobState(
        phase=Phase.WAITING,
        number=job.number,
        object_name=job.object_name,
        video_name=job.video_name,
        objects=job.objects,
    )
    jobs, effects = _start_next(_changed(jobs, again), event.now)
    return jobs, (*effects, REDRAW)


def _leave(jobs: Jobs, job: JobState, event: Kept | Discarded) -> Step:
    """A message is forgotten; a result may come back, of those that are discarded the last one."""
    if job.phase not in ENDED:
        return jobs, ()
    if job.phase is not Phase.DONE:
        return _without(jobs, job, Do(Effect.FORGET, job.number))
    gone = tuple(uid for uid in job.objects if not event.objects or uid in event.objects)
    left = tuple(uid for uid in job.objects if uid not in gone)
    job = replace(job, objects=left, phase=Phase.DONE if left else Phase.SHELVED)
    if isinstance(event, Kept):
        jobs, effects = _changed(jobs, replace(job, kept=(*job.kept, *gone))), ()
    else:
        jobs, effects = _without_discarded(jobs)
        jobs = _changed(jobs, replace(job, discarded=gone))
        effects = (*effects, Do(Effect.HIDE_PREVIEW, job.number, gone))
    jobs, pruned = _pruned(jobs)
    return jobs, (*effects, Do(Effect.SHELVE, job.number, gone), *pruned, REDRAW)


def _without_discarded(jobs: Jobs) -> Step:
    """What was discarded before cannot come back any more."""
    effects: list[Do] = []
    for old in jobs.jobs:
        if old.discarded and old.phase is Phase.SHELVED and not old.kept:
            jobs, done = _without(jobs, old, Do(Effect.FORGET, old.number))
            effects += (do for do in done if do != REDRAW)
        elif old.discarded:
            jobs = _changed(jobs, replace(old, discarded=()))
    return jobs, tuple(effects)


def _pruned(jobs: Jobs) -> Step:
    effects: list[Do] = []
    shelved = [job for job in jobs.jobs if job.phase is Phase.SHELVED]
    for old in shelved[: max(len(shelved) - SHELVED, 0)]:
        jobs, done = _without(jobs, old, Do(Effect.FORGET, old.number))
        effects += (do for do in done if do != REDRAW)
    return jobs, tuple(effects)


def _reopen(jobs: Jobs, job: JobState, event: Reopened) -> Step:
    """Not on objects where another result waits by now."""
    taken = {uid for other in jobs.results for uid in other.objects}
    back = tuple(uid for uid in (*job.kept, *job.discarded) if uid in event.objects and uid not in taken)
    if not back:
        return jobs, ()
    again = replace(
        job,
        phase=Phase.DONE,
        objects=(*job.objects, *back),
        kept=tuple(uid for uid in job.kept if uid not in back),
        discarded=tuple(uid for uid in job.discarded if uid not in back),
    )
    return _changed(jobs, again), (Do(Effect.SHOW_AGAIN, job.number, back), REDRAW)


def _adopt(jobs: Jobs, event: Adopted) -> Step:
    """It takes the place of results that wait on the same objects."""
    jobs, effects = _replaced(jobs, event.objects)
    job = JobState(
        phase=Phase.DONE,
        number=jobs.newest + 1,
        object_name=event.object_name,
        video_name=event.video_name,
        objects=event.objects,
        frames=event.frames,
        frames_ready=event.frames,
        began=event.now,
        ended=event.now,
    )
    jobs = Jobs((*jobs.jobs, job), job.number)
    return jobs, (*effects, Do(Effect.SHOW_AGAIN, job.number, event.objects), REDRAW)


def _replaced(jobs: Jobs, objects: tuple[int, ...]) -> Step:
    """Results that wait on these objects go for good."""
    effects: list[Do] = []
    for old in jobs.results:
        same = tuple(uid for uid in old.objects if uid in objects)
        left = tuple(uid for uid in old.objects if uid not in objects)
        if not same:
            continue
        effects.append(Do(Effect.HIDE_PREVIEW, old.number, same))
        if left or old.kept or old.discarded:
            phase = Phase.DONE if left else Phase.SHELVED
            jobs = _changed(jobs, replace(old, objects=left, phase=phase))
            effects.append(Do(Effect.SHELVE, old.number, same))
        else:
            jobs, done = _without(jobs, old, Do(Effect.FORGET, old.number))
            effects += (do for do in done if do != REDRAW)
    return jobs, tuple(effects)


def _work(jobs: Jobs, job: JobState, event: FromWorker) -> Step:
    # One that waits fails where its mesh cannot be read to the end; one that is done, where it cannot be shown.
    if isinstance(event, Failed) and (job.busy or job.phase in (Phase.WAITING, Phase.DONE)):
        return _end(jobs, _failed(job, event), _undone(job))
    if not job.busy:
        return jobs, ()
    if isinstance(event, Finished):
        return _finish(jobs, job, event)
    if isinstance(event, FramesCame):
        return _show_frames(jobs, job, event)
    return _changed(jobs, _moved(job, event)), (REDRAW,)


def _finish(jobs: Jobs, job: JobState, event: Finished) -> Step:
    """The result takes the place of those that wait on the same objects, which were there until now."""
    jobs, effects = _replaced(jobs, job.objects)
    done = replace(
        job,
        phase=Phase.DONE,
        ended=event.now,
        frames=event.frames,
        frames_ready=event.frames,
        warnings=event.warnings,
    )
    return _end(jobs, done, (*effects, Do(Effect.SHOW_RESULT, job.number)))


def _moved(job: JobState, event: QueueMoved | Expected | Progressed) -> JobState:
    if isinstance(event, QueueMoved):
        return replace(job, phase=Phase.QUEUED if event.ahead else Phase.RUNNING, ahead=event.ahead)
    if isinstance(event, Expected):
        return replace(job, expected=event.seconds)
    now = {name: getattr(event, name) for name in ("stage", "done", "total", "remaining", "match")}
    return replace(job, phase=Phase.RUNNING, ahead=0, **now)


def _show_frames(jobs: Jobs, job: JobState, event: FramesCame) -> Step:
    if not event.frames_ready:  # frames that leave a gap at the start cannot be shown
        return jobs, ()
    effect = Effect.REFRESH_PREVIEW if job.frames_ready else Effect.SHOW_PREVIEW
    return _changed(jobs, replace(job, frames_ready=event.frames_ready)), (Do(effect, job.number), REDRAW)


def _end(jobs: Jobs, ended: JobState, effects: tuple[Do, ...]) -> Step:
    """The job has ended in one way or another: the next one starts."""
    jobs, started = _start_next(_changed(jobs, ended), ended.ended)
    return jobs, (*effects, *started, REDRAW)


def _failed(job: JobState, event: Failed) -> JobState:
    phase = Phase.LOST if event.problem.code in LOST_CODES else Phase.FAILED
    return replace(job, phase=phase, ended=event.now, problem=event.problem, frames_ready=0)


def _undone(job: JobState) -> tuple[Do, ...]:
    """What takes a job's traces away."""
    shows = job.busy or job.phase is Phase.DONE
    hide = (Do(Effect.HIDE_PREVIEW, job.number),) if shows else ()
    return (*hide, Do(Effect.STOP_WORK, job.number))


def _changed(jobs: Jobs, changed: JobState) -> Jobs:
    return replace(jobs, jobs=tuple(changed if job.number == changed.number else job for job in jobs.jobs))


def _without(jobs: Jobs, gone: JobState, *effects: Do) -> Step:
    return replace(jobs, jobs=tuple(job for job in jobs.jobs if job.number != gone.number)), (*effects, REDRAW)
