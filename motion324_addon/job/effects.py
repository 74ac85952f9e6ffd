"""Carries out the effects of a job: its worker begins and ends, its frames and its result are shown and taken away.

`transitions` says which effects there are to be, `runner` calls them; all of them on Blender's main thread.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import bpy
import numpy as np

from motion324.core.options.animate_options import AnimateOptions

from ..runner_base.worker import Worker
from ..scene.playing import point_cache, timing
from ..scene.playing.animation import Animation, has_other_pose
from . import estimate, shown_tweak, storage
from .records import Job, Order
from .state import Do, Effect, Expected, FromWorker, JobState
from .worker import JobWorker, Work

LONGEST = 60.0  # seconds for a worker to end; what is left then goes with Blender's temporary folder
LAST_SECONDS = 2.0


def start_work(number: int, job: Job, post: Callable[[Worker, FromWorker], None], wants_preview: bool) -> Expected:
    """Starts the worker of a job whose mesh has been read; returns how long its stages may take.

    post: gets the worker's events, on its thread. Raises OSError where no folder for its files can be made.
    """
    order = job.order
    job.folder = Path(tempfile.mkdtemp(prefix="motion324-job-", dir=bpy.app.tempdir))
    work = Work(
        number=number,
        reading=job.reading,
        video=order.video,
        options=order.options,
        where=order.where,
        log_path=storage.log_path(),
        folder=job.folder,
        wants_preview=wants_preview,
        correction=order.correction,
        pins=None if order.correction is None else order.correction.pins(job.reading),
    )
    job.worker = JobWorker(work, post)
    job.worker.start()
    if order.correction is not None:
        return Expected(number, ())
    size = estimate.JobSize(len(job.reading.mesh.positions), order.frames or 0, order.pixels or 0)
    expected = estimate.expected_stages(size, order.options, order.where)
    return Expected(number, expected or estimate.guessed_stages(size, order.options, order.where))


def carry_out(do: Do, job: Job, state: JobState | None) -> None:
    """Any effect on a job but those of the runner's own. state: the job's, None where it is forgotten."""
    if do.effect is Effect.STOP_WORK:
        _stop_work(job)
    elif do.effect is Effect.SHOW_PREVIEW:
        _show(job, job.worker.work.preview_paths, _fit(job.order, state.frames_ready, job.order.fps))
    elif do.effect is Effect.SHOW_RESULT:
        _show_result(job)
    elif do.effect is Effect.HIDE_PREVIEW:
        _hide_previews(job, do.objects)
    elif do.effect is Effect.SHOW_AGAIN:
        _show_again(job, do.objects)
    elif do.effect is Effect.SHELVE:
        job.previews = tuple(each for each in job.previews if each.target.uid not in do.objects)
    elif do.effect is Effect.FORGET:
        job.animations = job.previews = job.shelf = ()
        _stop_work(job)


def refresh_previews(jobs: Iterable[Job]) -> None:
    """Shows what has come since the last call."""
    for job in jobs:
        if job.changed_from is not None:
            for shown in job.previews:
                point_cache.refresh_preview(shown, job.changed_from)
            job.changed_from = None


def abandon(jobs: Iterable[Job]) -> None:
    """Stops the workers, and waits until their files are removed; touches no data of Blender's, which may be gone."""
    for job in jobs:
        if job.worker is not None:
            job.worker.stop()
        remove_when_ended(job.worker, job.folder, wait=True)


def _stop_work(job: Job) -> None:
    """Lets go of the worker and its files; what it still posts is dropped."""
    if job.worker is not None:
        job.worker.stop()
    remove_when_ended(job.worker, job.folder)
    job.worker = job.folder = job.changed_from = None


def _show_result(job: Job) -> None:
    """Makes the worker's result the job's animations, plays it, and tells who waits for it."""
    result, order = job.worker.result, job.order
    fitted = _fit(order, len(result.positions), result.fps)
    begins_otherwise = has_other_pose(result.report)
    sent = job.reading.mesh.positions
    job.animations = tuple(
        Animation(
            target=member.target,
            topology=member.topology,
            positions=positions,
            timing=fitted,
            frame_numbers=result.frame_numbers,
            fps=result.fps,
            view=result.view,
            report=result.report,
            space=job.reading.space,
            matrix=member.matrix,
            video=order.video,
            camera_to_first=result.camera_to_first,
            own_pose=share.own(sent).astype(np.float32) if begins_otherwise else None,
            doubt=None if result.doubt is None else share.of(result.doubt),
            name=f"{member.target.name}, {order.video.stem}, {_quality_of(order)}",
        )
        for member, share, positions in zip(job.reading.members, job.reading.shares, job.worker.positions, strict=True)
    )
    for animation in job.animations:
        shown_tweak.show(animation)
    if job.worker.work.wants_preview:
        _show(job, job.worker.work.result_paths, fitted)
        job.shelf = job.previews
    if order.correction is None:
        estimate.learn(result.report, order.options, order.where)
    if order.when_done is not None:
        order.when_done(job.worker.work.number)


def _quality_of(order: Order) -> str:
    """What the panel calls the chosen one."""
    choices = AnimateOptions.specs()["reconstructor"].choices
    return next((each.label for each in choices if each.value == order.options.reconstructor and each.label), "Best")


def _hide_previews(job: Job, objects: tuple[int, ...]) -> None:
    """Takes away what is shown on these objects (session_uids; empty: on all of the job's)."""
    for shown in job.previews:
        obj = shown.target.find()
        if obj is not None and (not objects or shown.target.uid in objects):
            point_cache.hide_preview(obj)
    job.previews = tuple(shown for shown in job.previews if objects and shown.target.uid not in objects)


def _show_again(job: Job, objects: tuple[int, ...]) -> None:
    """Shows what waits again on these objects (session_uids), as it was or as it has been changed meanwhile."""
    back = tuple(shown for shown in job.shelf if shown.target.uid in objects)
    job.previews = (*(each for each in job.previews if each.target.uid not in objects), *back)
    for shown in back:
        point_cache.show_preview(shown)


def _show(job: Job, paths: tuple[Path, ...], fitted: timing.Timing) -> None:
    job.changed_from = None
    job.previews = tuple(
        point_cache.Preview(member.target, path, fitted)
        for member, path in zip(job.reading.members, paths, strict=True)
    )
    for shown in job.previews:
        point_cache.show_preview(shown)


def _fit(order: Order, count: int, fps: float | None) -> timing.Timing:
    if order.correction is not None:
        return order.correction.timing
    scene = bpy.context.scene
    return timing.fit(scene, order.start, count, fps or timing.scene_fps(scene), order.mode)


def remove_when_ended(worker: Worker | None, folder: Path | None, wait: bool = False) -> None:
    """Removes the folder on a thread of its own, since that takes long for long clips; with `wait` here and now."""
    if folder is None:
        return
    if wait:
        _remove(worker, folder, LAST_SECONDS)
        return
    arguments = (worker, folder, LONGEST)
    threading.Thread(target=_remove, args=arguments, name="motion324 removing files", daemon=True).start()


def _remove(worker: Worker | None, folder: Path, seconds: float) -> None:
    if worker is not None:
        worker.join(seconds)
    shutil.rmtree(folder, ignore_errors=True)
