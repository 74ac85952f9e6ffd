"""Holds the add-on's preferences: which backend is used, and how the one that Motion324 installs is made."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

from motion324.core.errors import EXIT_BACKEND, Motion324Error

from ..installation import drawing, plan
from ..installation.drawing import CONDITIONS
from ..installation.runner import runner
from ..installation.state import Condition
from ..job.backend import Local, Remote, Where
from ..job.storage import ADDON

VARIABLE = "MOTION324_BACKEND_PYTHON"
INSTALLED, PYTHON, REMOTE = "INSTALLED", "PYTHON", "REMOTE"

BACKENDS = (
    (INSTALLED, "Installed Here", "The engine that Motion324 installs into the extension's own folder"),
    (
        PYTHON,
        "Existing Python",
        "A Python environment in which you have installed the motion324 backend, which is the engine, yourself",
    ),
    (REMOTE, "Remote", "An engine that runs already, on another machine behind an SSH tunnel or on this one"),
)
COMPUTATIONS = (
    (plan.AUTO, "Automatic", "With CUDA where this machine has an NVIDIA GPU whose driver can run it"),
    (plan.CPU, "CPU", "The small installation: all but the research model, at full speed"),
    (plan.CUDA, "CUDA", "With PyTorch for NVIDIA GPUs, which the research model uses"),
)


def _forget_check(self: Motion324Preferences, context: bpy.types.Context) -> None:
    runner.forget_check()


def _choose_python(self: Motion324Preferences, context: bpy.types.Context) -> None:
    """Who names a Python means to use it."""
    if self.backend_python:
        self.backend = PYTHON
    runner.forget_check()


class Motion324Preferences(bpy.types.AddonPreferences):
    bl_idname = ADDON

    backend: bpy.props.EnumProperty(
        name="Engine",
        description="The process that computes",
        items=BACKENDS,
        default=INSTALLED,
        update=_forget_check,
    )
    backend_python: bpy.props.StringProperty(
        name="Engine's Python",
        description="The Python of the environment in which the engine (the motion324 backend) is installed, "
        "such as .venv/bin/python of a checkout",
        subtype="FILE_PATH",
        update=_choose_python,
    )
    remote_address: bpy.props.StringProperty(
        name="Address",
        description="Where the engine listens, as host:port; with an SSH tunnel the near end, such as localhost:7324. "
        "The connection itself is not encrypted",
        update=_forget_check,
    )
    remote_token: bpy.props.StringProperty(
        name="Token",
        description="The secret with which that engine was started (MOTION324_TOKEN). Blender keeps it with the "
        "preferences, readable for whoever can read your files",
        subtype="PASSWORD",
    )
    computation: bpy.props.EnumProperty(
        name="Computation", description="What is installed", items=COMPUTATIONS, default=plan.AUTO
    )
    extra_index: bpy.props.StringProperty(
        name="Extra Package Index",
        description="The address of a further package index for pip, such as PyTorch's own: on Windows the Python "
        "package index has PyTorch without CUDA only. Indexes and proxies of your pip configuration are used anyway",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.row().prop(self, "backend", expand=True)
        if self.backend == PYTHON:
            layout.prop(self, "backend_python")
        elif self.backend == REMOTE:
            column = layout.column(align=True)
            column.prop(self, "remote_address", placeholder="localhost:7324")
            column.prop(self, "remote_token")
        else:
            column = layout.column()
            column.enabled = not runner.state.busy
            column.prop(self, "computation")
            column.prop(self, "extra_index")
        drawing.draw_backend(layout, context, self.backend, from_variable=is_from_variable())


def get() -> Motion324Preferences | None:
    """The add-on's preferences; None while Blender has it not switched on."""
    addon = bpy.context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def chosen_backend() -> str:
    """INSTALLED, PYTHON or REMOTE."""
    chosen = get()
    return chosen.backend if chosen else INSTALLED


def is_from_variable() -> bool:
    """Whether MOTION324_BACKEND_PYTHON takes the place of the backend that is installed here."""
    return chosen_backend() == INSTALLED and bool(os.environ.get(VARIABLE))


def is_backend_ready() -> bool:
    """Whether a backend is chosen and, where it is installed here, whole. Cheap enough for every drawing."""
    chosen = get()
    if chosen_backend() == PYTHON:
        return Path(bpy.path.abspath(chosen.backend_python)).is_file()
    if chosen_backend() == REMOTE:
        return bool(chosen.remote_address and chosen.remote_token)
    return is_from_variable() or runner.look().ready


def connection() -> Where:
    """The backend that the user chose. Raises Motion324Error: "backend-not-chosen", "backend-not-installed"."""
    chosen = get()
    if chosen_backend() == REMOTE:
        if chosen.remote_address and chosen.remote_token:
            return Remote(chosen.remote_address, chosen.remote_token)
        raise _not_chosen("The address or the token of the remote backend is missing.", "Enter them")
    if chosen_backend() == PYTHON:
        if chosen.backend_python:
            return Local(Path(bpy.path.abspath(chosen.backend_python)))
        raise _not_chosen("The add-on does not know where the motion324 backend is installed.", "Choose its Python")
    if is_from_variable():
        return Local(Path(os.environ[VARIABLE]))
    state = runner.look()
    if state.ready:
        return Local(runner.place.python)
    raise not_installed(state.condition)


def not_installed(condition: Condition) -> Motion324Error:
    """Why the backend cannot be started from where Motion324 installs it."""
    sentence, button = CONDITIONS[condition]
    button = "Download it" if condition is Condition.MISSING else button
    if condition is Condition.READY:
        sentence, button = "The engine is being installed", "Wait until it is done"
    return Motion324Error(
        "backend-not-installed",
        f"{sentence}.",
        f"{button} in Preferences > Add-ons > Motion324 or with bpy.ops.motion324.install_backend(); or set "
        f"{VARIABLE} to the Python of an existing one.",
        EXIT_BACKEND,
    )


def wishes() -> plan.Wishes:
    """How the backend is to be installed. Raises Motion324Error("bad-index") where the index is no address."""
    chosen = get()
    if chosen is None:
        return plan.Wishes()
    index = chosen.extra_index.strip()
    if index and not index.startswith(("https://", "http://", "file://")):
        raise Motion324Error(
            "bad-index",
            "The extra package index in the preferences is not an address.",
            "It begins with https://; or leave it empty.",
            EXIT_BACKEND,
        )
    return plan.Wishes(chosen.computation, index)


def _not_chosen(sentence: str, remedy: str) -> Motion324Error:
    hint = f"{remedy} in Preferences > Add-ons > Motion324."
    return Motion324Error("backend-not-chosen", sentence, hint, EXIT_BACKEND)
