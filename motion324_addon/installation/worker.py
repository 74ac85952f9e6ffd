"""Is the worker thread of a task: it installs, checks or removes the backend, and posts events.

IT MUST NOT TOUCH BPY. All that it needs is in its Work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from motion324.core.errors import EXIT_BACKEND, Cancelled, Motion324Error
from motion324.core.files.write_aside import explained_write_errors

from ..job import backend
from ..job.backend import Local, Where
from ..runner_base.state import problem_of
from ..runner_base.worker import Worker
from . import check, environment, plan
from .packages import Installer, Source
from .place import Bundle, Place, find_bundle, only_one
from .plan import Wishes
from .state import Condition, Event, Failed, Finished, MachineSeen, Moved, Stage, Stopped, Task


@dataclass(frozen=True)
class Work:
    """All that the thread needs to know. extension: its folder, with the wheels that it brings.

    where: the backend that is to be checked. blender: its executable.
    """

    number: int
    task: Task
    place: Place
    extension: Path
    source: Source
    wishes: Wishes
    where: Where
    blender: Path


class TaskWorker(Worker):
    """Does one Work."""

    def __init__(self, work: Work, post: Callable[[Worker, Event], None]) -> None:
        super().__init__(work.task.value, post)
        self.work = work

    def _work(self) -> Finished:
        report = self._do_task()
        return Finished(self.work.number, self._condition(), time.monotonic(), report)

    def _ended_by(self, error: Exception) -> Failed | Stopped:
        if isinstance(error, Cancelled):
            return Stopped(self.work.number, self._condition(), time.monotonic())
        problem = problem_of(error, self.work.place.log, "The installation")
        return Failed(self.work.number, self._condition(), problem, time.monotonic())

    def _do_task(self) -> check.Report | None:
        place, task = self.work.place, self.work.task
        if task is Task.CHECK:
            self._begin_log("a")  # a check adds to what the installation wrote
            return self._check()
        with only_one(place):
            self._begin_log("w")
            backend.stop()  # its files are about to change
            if task is Task.INSTALL:
                return self._install(find_bundle(self.work.extension))
            environment.remove_tree(place.environment)
            environment.remove_tree(place.downloads)
            return None

    def _begin_log(self, mode: str) -> None:
        place = self.work.place
        with explained_write_errors(place.log):
            place.log.parent.mkdir(parents=True, exist_ok=True)
            with place.log.open(mode, encoding="utf-8") as out:
                print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {self.work.task.value} {place.environment}", file=out)

    def _install(self, bundle: Bundle) -> check.Report:
        """Does what the state of the environment asks for, no more: a repair that needs no download makes none."""
        place = self.work.place
        self._report(Stage.PREPARE)
        condition = environment.inspect(place, bundle)
        if condition is Condition.PYTHON_GONE and environment.change_python(place, self.gives_up):
            report = self._verify()
            if not report.damage:
                old = environment.read_stamp(place)
                self._finish(bundle, old.extras if old else "")
                return report
        seen = plan.look(place.folder)
        self.tell(MachineSeen(seen))
        planned = plan.make_plan(seen, self.work.wishes)
        anew = condition is not Condition.OUTDATED
        if anew:
            have = environment.size_of(place.downloads) if place.downloads.exists() else 0
            plan.check_room(planned, seen, place.folder, have)
            environment.create(place, self.gives_up)
        source = self.work.source
        installer = Installer(place, bundle, source, self._report, self.gives_up)
        self._report(Stage.RESOLVE)
        packages = installer.resolve(planned.extras, planned.constraints, anew=anew)
        installer.fetch(packages)
        place.stamp.unlink(missing_ok=True)  # from here on it is neither what it was nor what it will be
        self._report(Stage.UNPACK)
        installer.unpack(packages)
        environment.leave_out_unused(place)
        report = self._verify()
        if report.damage:
            raise Motion324Error(
                "installed-but-broken",
                f"The backend was installed, but does not work: {report.damage}.",
                "The log has the details; check the installation, and send its report if you need help.",
                EXIT_BACKEND,
            )
        self._finish(bundle, planned.extras)
        environment.remove_tree(place.downloads)
        return report

    def _verify(self) -> check.Report:
        self._report(Stage.VERIFY)
        return check.examine(
            Local(self.work.place.python), self.work.blender, self.work.place.log, gives_up=self.gives_up
        )

    def _finish(self, bundle: Bundle, extras: str) -> None:
        """Writes the stamp, by which the environment counts as whole."""
        place = self.work.place
        stamp = environment.Stamp(
            version=bundle.version,
            wheel_sha256=bundle.own_hash,
            extras=extras,
            python=environment.running_version(),
            base=str(environment.recorded_base(place)),
            packages=environment.installed_count(place),
            size=environment.size_of(place.environment),
        )
        environment.write_stamp(place, stamp)

    def _check(self) -> check.Report:
        """Remembers where the environment that was installed here turns out to be broken."""
        place, where = self.work.place, self.work.where
        own = isinstance(where, Local) and where.python == place.python
        self._report(Stage.VERIFY)
        try:
            report = check.examine(where, self.work.blender, place.log, self.gives_up)
        except Cancelled:
            raise
        except Motion324Error as error:
            if own:
                environment.mark_damaged(place, error.sentence)
            raise
        if own and report.damage:
            environment.mark_damaged(place, report.damage)
        return report

    def _report(
        self,
        stage: Stage,
        item: str = "",
        done: int = 0,
        total: int = 0,
        unit: str = "",
        remaining: float | None = None,
    ) -> None:
        self.tell(Moved(self.work.number, stage, item, done, total, unit, remaining))

    def _condition(self) -> Condition:
        return condition_of(self.work.place, self.work.extension)


class MachineLook(Worker):
    """Asks the machine what decides about the installation; tells MachineSeen."""

    def __init__(self, folder: Path, post: Callable[[Worker, Event], None]) -> None:
        """folder: of the installation."""
        super().__init__("look at the machine", post)
        self._folder = folder

    def _work(self) -> MachineSeen:
        return MachineSeen(plan.look(self._folder))

    def _ended_by(self, error: Exception) -> MachineSeen:
        return MachineSeen(None)


def condition_of(place: Place, extension: Path) -> Condition:
    """What lies in the place; MISSING where the extension itself lacks what is installed from."""
    try:
        return environment.inspect(place, find_bundle(extension))
    except Motion324Error:
        return Condition.MISSING
