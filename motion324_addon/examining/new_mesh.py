"""Has the backend make a mesh of the video's first used frame, and does what follows when it is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace

import bpy
from bpy.app.handlers import persistent

from motion324.core.inside_blender.operator_words import said_by_operator
from motion324.core.result import MadeMesh

from ..settings import new_mesh_settings, preferences, properties
from . import looks
from .examiner import Examiner, Question


class _Making:
    """made: the mesh that the operator `motion324.add_new_mesh` is to add, and video: what it was made from, as the
    settings have it. then: called when it was added."""

    made: MadeMesh | None = None
    video = ""
    then: Callable[[], None] | None = None


def made() -> MadeMesh | None:
    """The mesh that was made last; None before the first."""
    return _Making.made


def question_of(job: properties.JobProperties | SimpleNamespace, new_mesh: SimpleNamespace) -> Question:
    """Raises Motion324Error where something is missing."""
    options = looks.options_of_look(job)
    settings = new_mesh_settings.mesh_settings_of(new_mesh, job.seed)
    return Question(
        (job.video, settings), properties.video_of(job), options, preferences.connection(), mesh_settings=settings
    )


def begin(question: Question, video: str, then: Callable[[], None] | None) -> None:
    """Makes the mesh and adds it; in the background it is there when this returns.

    video: as the settings have it. then: called when the mesh was added.
    Raises in the background the Motion324Error that ended it, and what `then` raises; a window shows it.
    """
    _Making.video, _Making.then = video, then
    if bpy.app.background:
        mesh_look.ask(question)
    else:
        mesh_look.start(question)


def _add(found: MadeMesh) -> None:
    """By an operator of its own, so that it is one step for undo."""
    _Making.made = found
    then, _Making.then = _Making.then, None
    with _window():
        bpy.ops.motion324.add_new_mesh("EXEC_DEFAULT", True, video=_Making.video)
        if then is None:
            return
        if bpy.app.background:
            then()
            return
        try:
            then()
        except RuntimeError as error:  # how operators that Python calls report their errors
            _pop_up(said_by_operator(error))


def _window() -> contextlib.AbstractContextManager[object]:
    """A timer has no window of its own, and operators need one."""
    windows = bpy.context.window_manager.windows
    if bpy.context.window is not None or not len(windows):
        return contextlib.nullcontext()
    return bpy.context.temp_override(window=windows[0])


def _pop_up(error: str) -> None:
    sentence = error.strip().removeprefix("Error: ")

    def draw(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
        menu.layout.label(text=sentence, translate=False)

    bpy.context.window_manager.popup_menu(draw, title="Motion324", icon="ERROR")


mesh_look = Examiner("new mesh", when_found=_add)


@persistent
def _before_load(*_: object) -> None:
    mesh_look.stop()


def register() -> None:
    new_mesh_settings.register()
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    mesh_look.stop()
    bpy.app.handlers.load_pre.remove(_before_load)
    new_mesh_settings.unregister()
