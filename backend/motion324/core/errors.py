"""Defines the errors that reach people: one sentence that says what happened, to which file or object, and what
to do.
"""

from __future__ import annotations

# Exit codes of every `motion324` command and of the headless batch; README.md documents them.
EXIT_OK = 0
EXIT_INTERNAL = 1  # a defect of ours, a failed item of a batch, a clip without scores, or what `doctor` found
EXIT_USAGE = 2  # argparse's own code for a wrong command line
EXIT_BAD_MESH = 3
EXIT_BAD_VIDEO = 4
EXIT_NO_FOREGROUND = 5
EXIT_CANNOT_WRITE = 6
EXIT_BACKEND = 7  # the backend process died, cannot be reached, or lacks memory
EXIT_STOPPED = 8  # training was told to stop by a signal, and has saved a checkpoint
EXIT_CANCELLED = 130


class Motion324Error(Exception):
    """An error with advice.

    code: short and stable, in kebab-case ("mesh-empty"), for programs.
    sentence: what happened, to which file or object, for people.
    hint: what to do about it; may be empty where `sentence` already says it.
    exit_code: one of the EXIT_ constants above.
    """

    def __init__(self, code: str, sentence: str, hint: str = "", exit_code: int = EXIT_INTERNAL) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


class Cancelled(Motion324Error):
    """The user asked to stop; raised by a progress callback, so that every reporting loop stops by itself."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The job was cancelled.", exit_code=EXIT_CANCELLED)
