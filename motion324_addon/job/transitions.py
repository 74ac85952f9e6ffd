"""Changes the state of jobs, and is the one place that does: (jobs, event) -> (jobs, effects). No bpy, no
clocks, no threads.
"""

from __future__ import annotations

from dataclasses import replace

from .state import (
    ENDED,
    LOST_CODES,
    REPEATABLE,
    AllCancelled,
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
    Reordered,
    Restarted,
    Unqueued,
)

Step = tuple[Jobs, tuple[Do, ...]]
REDRAW = Do(Effect.REDRAW)


def advance(jobs: Jobs, event: Event) -> Step:
    """An event that does not fit the state, such as one of a job that has ended, changes nothing."""
    if isinstance(event, Ordered):
        return _order(jobs, event)
    if isinstance(event, CancelAsked):
        return _cancel(jobs, event)
    if isinstance(event, AllCancelled):
        return _cancel_all(jobs, event)
    if isinstance(event, FileLeft):
        return _leave_file(jobs, event)
    job = jobs.get(event.number)
    if job is None:
        return jobs, ()
    if isinstance(event, Unqueued):
        return _without(jobs, job, Do(Effect.FORGET, job.number)) if job.phase is Phase.WAITING else (jobs, ())
    if isinstance(event, Reordered):
        return _reorder(jobs, job, event.place)
    if isinstance(event, Restarted):
        return _restart(jobs, job, event)
    if isinstance(event, Kept | Discarded):
        return _leave(jobs, job, event)
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
    job = jobs.busy
    if job is None:
        return jobs, ()
    return _end(jobs, replace(job, phase=Phase.CANCELLED, ended=event.now), _undone(job))


def _cancel_all(jobs: Jobs, event: AllCancelled) -> Step:
    """Those that wait go first, so that none of them starts."""
    effects: list[Do] = []
    for waiting in jobs.queue:
        jobs, done = _without(jobs, waiting, Do(Effect.FORGET, waiting.number))
        effects += (do for do in done if do != REDRAW)
    jobs, cancelled = _cancel(jobs, CancelAsked(event.now))
    return jobs, (*effects, *(do for do in cancelled if do != REDRAW), REDRAW)


def _reorder(jobs: Jobs, job: JobState, place: int) -> Step:
    """Among those that wait; all others keep their places."""
    if job.phase is not Phase.WAITING:
        return jobs, ()
    others = [waiting for waiting in jobs.queue if waiting.number != job.number]
    place = min(max(place, 0), len(others))
    queue = iter([*others[:place], job, *others[place:]])
    ordered = tuple(next(queue) if each.phase is Phase.WAITING else each for each in jobs.jobs)
    return replace(jobs, jobs=ordered), (REDRAW,)


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
    if job.phase not in ENDED:
        return jobs, ()
    left = tuple(uid for uid in job.objects if event.objects and uid not in event.objects)
    gone = tuple(uid for uid in job.objects if uid not in left) if left else ()
    effects = [Do(Effect.FORGET, job.number, gone), REDRAW]
    if isinstance(event, Discarded) and job.phase is Phase.DONE:
        effects.insert(0, Do(Effect.HIDE_PREVIEW, job.number, gone))
    if left:
        return _changed(jobs, replace(job, objects=left)), tuple(effects)
    return _without(jobs, job, *effects[:-1])


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
    effects: list[Do] = []
    for old in jobs.results:
        same = tuple(uid for uid in old.objects if uid in job.objects)
        if same:
            jobs, left = _leave(jobs, old, Discarded(old.number, same))
            effects += (do for do in left if do != REDRAW)
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
    return replace(
        job,
        phase=Phase.RUNNING,
        ahead=0,
        stage=event.stage,
        done=event.done,
        total=event.total,
        remaining=event.remaining,
    )


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
