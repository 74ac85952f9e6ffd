"""The installation's state in words: for panels, the terminal and tooltips. No bpy."""

from __future__ import annotations

from ..running.words import readable_size, stage_label
from .state import BYTES, Condition, InstallationState, Phase, Task

TASK_LABELS = {Task.INSTALL: "Starting", Task.CHECK: "Checking", Task.REMOVE: "Removing"}
# What is wrong, and what the button says that mends it.
CONDITIONS = {
    Condition.MISSING: ("The backend is not installed yet", "Install Backend"),
    Condition.UNFINISHED: ("The installation was interrupted; what was downloaded is kept", "Continue Installation"),
    Condition.OUTDATED: ("The backend is of another version than this extension", "Update Backend"),
    Condition.PYTHON_GONE: ("The Python that the backend was installed with is gone", "Repair Backend"),
    Condition.DAMAGED: ("The backend does not work", "Repair Backend"),
    Condition.READY: ("The backend is installed", "Install Again"),
}


def headline(state: InstallationState) -> str:
    """What a running task does now, such as "Downloading scipy"."""
    if state.phase is Phase.CANCELLING:
        return "Cancelling"
    if not state.stage or state.task is Task.CHECK:
        return TASK_LABELS[state.task]
    label = stage_label(state.stage)
    return f"{label}: {state.item}" if state.item else label


def amount(state: InstallationState) -> str:
    """How far the stage is: "34 of 210 MB", "7 of 34 packages", or ""."""
    if state.unit == BYTES:
        done, total = readable_size(state.done), readable_size(state.total)
        return f"{done.removesuffix(total[-3:])} of {total}" if state.total else done
    if state.total:
        return f"{state.done} of {state.total} packages"
    return f"{state.done} packages" if state.done else ""


def describe(state: InstallationState, now: float) -> str:
    """One line for a terminal."""
    parts = [headline(state), amount(state), f"{state.seconds(now):.0f} s"]
    if state.remaining is not None:
        parts.append(f"about {state.remaining:.0f} s left")
    return ", ".join(part for part in parts if part)
