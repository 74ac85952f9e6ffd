"""Ends the first worker that an item comes to, by signal 9, in a given phase of its work, for tests of batches."""

from __future__ import annotations

import importlib
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from stand_in_animator import stand_in


@dataclass
class KilledIn:
    """An Animator of motion324.batches.plain_item that moves as the stand-in does.

    It travels to workers by pickle. As it arrives in another process than its own, `function` is changed there: once
    it has done its work, the process ends. Only the first process to which that happens ends so: it leaves `mark`.

    function: "module:name".
    """

    function: str
    mark: Path
    owner: int = field(default_factory=os.getpid)

    def __call__(self, item, keep, progress):
        return stand_in(item, keep, progress)

    def __setstate__(self, state):
        self.__dict__.update(state)
        if os.getpid() != self.owner and not self.mark.exists():
            module, _, name = self.function.partition(":")
            module = importlib.import_module(module)
            setattr(module, name, self._ending(getattr(module, name)))

    def _ending(self, function):
        def ended(*given, **named):
            answer = function(*given, **named)
            if hasattr(answer, "__enter__"):
                answer.__enter__()
            if not self.mark.exists():
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return ended
