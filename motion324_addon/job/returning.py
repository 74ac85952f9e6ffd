"""Has results wait again: those that were discarded, that undo has unkept, or that are read from their objects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..running.runner import Runner, redraw_sidebars
from ..scene.playing import point_cache
from ..scene.playing.animation import Animation
from ..scene.playing.point_cache import Preview
from .records import Job, Records
from .state import Adopted, JobState, Kept, Reopened


class ReturningResults(Runner):
    """A part of `job.runner.JobRunner`, which dispatches the events."""

    _records: Records

    @property
    def discarded(self) -> JobState | None:
        """The job whose results were discarded last; `bring_back` has them wait again."""
        return self._records.jobs.discarded

    def bring_back(self) -> None:
        """Has the results wait again that were discarded last."""
        if self.discarded is not None:
            self._dispatch(Reopened(self.discarded.number, self.discarded.discarded))

    def adopt(self, animations: Sequence[Animation], previews: Sequence[Preview], folder: Path | None) -> int:
        """Has results wait again that were read from their objects; returns the number that they have as a job.

        previews: what shows them. folder: in which their files lie; it goes with the job.
        """
        number = self._records.jobs.newest + 1
        targets = tuple(each.target for each in animations)
        job = Job(None, targets, folder=folder, animations=tuple(animations), shelf=tuple(previews))
        self._records.held[number] = job
        video = animations[0].video.name if animations[0].video else ""
        objects = tuple(target.uid for target in targets)
        frames = len(animations[0].positions)
        self._dispatch(Adopted(targets[0].name, video, objects, frames, time.monotonic()))
        return number

    def replace(self, number: int, animations: Sequence[Animation], previews: Sequence[Preview]) -> None:
        """Puts others in the place of a job's animations and of what shows them: those of the same objects."""
        job = self._records.held.get(number)
        if job is None:
            return
        new = {each.target.uid: each for each in animations}
        shown = {each.target.uid: each for each in previews}
        job.animations = tuple(new.get(each.target.uid, each) for each in job.animations)
        job.shelf = tuple(shown.get(each.target.uid, each) for each in job.shelf)
        job.previews = tuple(shown.get(each.target.uid, each) for each in job.previews)
        for each in job.previews:
            if each.target.uid in shown:
                point_cache.show_preview(each)
        redraw_sidebars()

    def folder_of(self, number: int) -> Path | None:
        """Where a job's files lie."""
        job = self._records.held.get(number)
        return job.folder if job else None

    def tokens_now(self) -> dict[int, str]:
        """What kept results are known by on their objects now, to be compared after undo and redo."""
        return self._records.tokens_now()

    def follow_undo(self, before: dict[int, str]) -> None:
        """To be called after undo and redo: what it has unkept waits again, what it has kept again does not.

        before: `tokens_now` before it.
        """
        for number, undone, redone in self._records.moved_by_undo(before):
            if undone:
                self._dispatch(Reopened(number, undone))
            if redone:
                self._dispatch(Kept(number, redone))
