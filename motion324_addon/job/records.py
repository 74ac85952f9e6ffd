"""Keeps what the user asked for (Order) and what is known of all jobs (Records), and tells which results are meant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import numpy as np

from motion324.core.errors import EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import AnimateOptions

from ..scene.playing import keeping, kept_note, timing
from ..scene.playing.animation import Animation, Target
from ..scene.playing.point_cache import Preview
from ..scene.reading.joining import JointReading, read_objects_in_steps
from .backend import Where
from .correction import Correction
from .state import Jobs, JobState
from .worker import JobWorker

WhenDone = Callable[[int], None]


@dataclass(frozen=True)
class Order:
    """start: the scene's frame of the first result frame; mode: see scene.timing.

    others: objects that are animated together with `obj`, as one. where: the backend that does it.
    frames, pixels: how many frames are used, and the pixels of one, for an estimate of the time; None if not known.
    fps: at which the result will show its frames, for the preview before it is there; None if not known.
    when_done: called on the main thread with the job's number, once its result is shown.
    correction: of an earlier result of these objects, which the job then only corrects; None: it makes a new one.
    """

    obj: bpy.types.Object
    video: Path
    options: AnimateOptions
    where: Where
    start: float
    mode: str = timing.KEEP_FRAMES
    others: tuple[bpy.types.Object, ...] = ()
    frames: int | None = None
    pixels: int | None = None
    fps: float | None = None
    when_done: WhenDone | None = None
    correction: Correction | None = None

    @property
    def objects(self) -> tuple[bpy.types.Object, ...]:
        return (self.obj, *self.others)

    @property
    def name(self) -> str:
        """What people read."""
        return f"{self.obj.name} and {len(self.others)} more" if self.others else self.obj.name


@dataclass
class Job:
    """order: None for a result that was read from its objects. targets: the order's objects. steps: of the reading,
    while it goes on; reading: at its end, and None where it failed. previews: what is shown, in members' order.

    wants_start: the work is to begin as soon as the reading is there. folder: of the worker's files.
    changed_from: the first frame of the preview that has changed since it was shown last.
    animations: of all its objects, also of those whose results were kept or discarded. shelf: what shows these results.
    tokens: by which a kept result is known on its object, by session_uid.
    """

    order: Order | None
    targets: tuple[Target, ...]
    steps: Iterator[JointReading | None] | None = None
    reading: JointReading | None = None
    wants_start: bool = False
    worker: JobWorker | None = None
    folder: Path | None = None
    previews: tuple[Preview, ...] = ()
    changed_from: int | None = None
    animations: tuple[Animation, ...] = ()
    shelf: tuple[Preview, ...] = ()
    tokens: dict[int, str] = field(default_factory=dict)

    def begin_reading(self, objects: Sequence[bpy.types.Object]) -> None:
        """Takes the first step of the reading, as `read_on`. objects: the order's, as Blender has them now."""
        self.steps = read_objects_in_steps(objects, self.order.start)
        try:
            self.read_on()
        except BaseException:
            self.steps = None
            raise

    def read_on(self) -> None:
        """Takes one step of the reading. Raises what `joining.read_objects_in_steps` raises."""
        if self.steps is None:
            return
        self.reading = next(self.steps)
        if self.reading is not None:
            self.steps = None

    def read_all(self) -> None:
        while self.steps is not None:
            self.read_on()


class Records:
    """jobs: the states. held: what belongs to each job, by its number."""

    def __init__(self) -> None:
        self.jobs = Jobs()
        self.held: dict[int, Job] = {}

    def items(self) -> list[tuple[int, Job]]:
        """What is held, as it is now: it may change while the caller goes through it."""
        return list(self.held.items())

    @property
    def reading(self) -> bool:
        """Whether the mesh of any job is still being read."""
        return any(job.steps is not None for job in self.held.values())

    @property
    def animations(self) -> tuple[Animation, ...]:
        """All that wait to be kept, the newest job's last; a job of several objects has one for each."""
        return tuple(animation for job in self.jobs.results for animation in self.animations_of(job.number))

    @property
    def animation(self) -> Animation | None:
        """That of the active object, or else the newest job's first; None where none waits."""
        active = bpy.context.view_layer.objects.active if bpy.context.view_layer else None
        results = self.jobs.results
        newest = self.animations_of(results[-1].number) if results else ()
        own = (each for each in self.animations if active is not None and each.target.uid == active.session_uid)
        return next(own, newest[0] if newest else None)

    def animations_of(self, number: int) -> tuple[Animation, ...]:
        """Those of one job that wait; none while it has no result."""
        job, state = self.held.get(number), self.jobs.get(number)
        return tuple(each for each in job.animations if each.target.uid in state.objects) if job and state else ()

    def queued(self, index: int) -> JobState:
        """The job at that place of the queue. Raises Motion324Error("not-queued") where there is none."""
        if not 0 <= index < len(self.jobs.queue):
            raise Motion324Error("not-queued", f"No job waits at place {index}.", exit_code=EXIT_USAGE)
        return self.jobs.queue[index]

    def result_of(self, obj: bpy.types.Object | None) -> JobState | None:
        """The job whose result waits on this object."""
        return next((job for job in self.jobs.results if obj is not None and obj.session_uid in job.objects), None)

    def frames_of(self, obj: bpy.types.Object) -> tuple[int, int]:
        """First and last whole frame: of the result that waits on the object, or of the one that was kept on it; the
        scene's own range where there is neither.
        """
        for animation in self.animations:
            if animation.target.uid == obj.session_uid:
                return animation.timing.whole_frames
        return keeping.animated_range(obj)

    def waiting(self, name: str = "", number: int = 0) -> tuple[Animation, ...]:
        """The animations that wait to be kept: all of the job of that number, or only the one of the object of that
        name, whose number need not be given; without both all of the job that the active object belongs to, or else of
        the newest.

        Raises Motion324Error("no-result").
        """
        if name:
            among = self.animations_of(number) if number else self.animations
            found = tuple(each for each in among if name in (each.target.name, _name_now(each)))
        else:
            found = self.animations_of(number) if number else self._shown_together()
        if not found:
            sentence = f"No result waits for '{name}'." if name else "There is no result to keep."
            raise Motion324Error("no-result", sentence, "Animate it first.", EXIT_USAGE)
        return found

    def check_free(self, objects: tuple[int, ...]) -> None:
        """Raises Motion324Error("already-animating") where a job runs or waits for one of these (session_uids)."""
        other = self.jobs.occupied(objects)
        if other is not None:
            doing = "is being animated" if other.busy else "already waits to be animated"
            sentence = f"'{other.object_name}' {doing}."
            raise Motion324Error("already-animating", sentence, "Wait until it is done, or cancel it.", EXIT_USAGE)

    def owners(self, animations: Iterable[Animation] | None) -> list[tuple[int, tuple[int, ...]]]:
        """The numbers of the jobs that these animations (None: those of `waiting()`) belong to, and their objects."""
        chosen = self._shown_together() if animations is None else tuple(animations)
        owners = []
        for job in self.jobs.results:
            own = [each for each in self.animations_of(job.number) if any(each is other for other in chosen)]
            if own:
                owners.append((job.number, tuple(each.target.uid for each in own)))
        return owners

    def note_tokens(self, number: int, objects: Iterable[int]) -> None:
        """Remembers what the kept results of these objects (session_uids) are known by."""
        job = self.held[number]
        for target in job.targets:
            obj = target.find() if target.uid in objects else None
            if obj is not None:
                job.tokens[target.uid] = kept_note.token_of(obj)

    def tokens_now(self) -> dict[int, str]:
        """Of each object that any result was kept on: its session_uid, and what that is known by now."""
        targets = {target.uid: target for job in self.held.values() for target in job.targets if job.tokens}
        found = ((uid, target.find()) for uid, target in targets.items())
        return {uid: kept_note.token_of(obj) for uid, obj in found if obj is not None}

    def moved_by_undo(self, before: dict[int, str]) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
        """(number, objects whose result was unkept, objects whose result was kept again) since `tokens_now` was
        `before`."""
        now = self.tokens_now()
        moved = []
        for number, job in self.items():
            state = self.jobs.get(number)
            known = [uid for uid, token in job.tokens.items() if uid in now and before.get(uid) != now[uid]]
            undone = tuple(uid for uid in known if uid in state.kept and before.get(uid) == job.tokens[uid])
            redone = tuple(uid for uid in known if uid in state.objects and now[uid] == job.tokens[uid])
            if undone or redone:
                moved.append((number, undone, redone))
        return moved

    def previews(self) -> list[Preview]:
        """What is shown on objects now: of each the newest, which hides a result that still waits below it."""
        return list({shown.target.uid: shown for _, job in sorted(self.items()) for shown in job.previews}.values())

    def preview_doubt(self, obj: bpy.types.Object, frame: float) -> np.ndarray | None:
        """(N,) float16: what the job that runs on the object tells of its preview at that frame of the scene; None
        where it tells nothing, or none runs."""
        for number, job in self.items():
            state = self.jobs.get(number)
            if job.worker is None or job.reading is None or state is None or not state.busy:
                continue
            shares = job.reading.shares if job.previews else ()  # there are none before the first frame
            for shown, share in zip(job.previews, shares, strict=True):
                if shown.target.uid == obj.session_uid:
                    ready = dataclasses.replace(shown.timing, count=max(state.frames_ready, 1))
                    doubt = job.worker.doubts.get(ready.index(frame))
                    return None if doubt is None else share.of(doubt)
        return None

    def _shown_together(self) -> tuple[Animation, ...]:
        """All animations of the job that `animation` belongs to."""
        animation = self.animation
        groups = (self.animations_of(job.number) for job in self.jobs.results)
        return next((group for group in groups if any(each is animation for each in group)), ())


def _name_now(animation: Animation) -> str:
    obj = animation.target.find()
    return obj.name if obj is not None else ""
