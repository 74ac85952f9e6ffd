"""What a look at one part of this installation found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

REINSTALL = "Install the backend anew: pip install --force-reinstall motion324."


class Verdict(Enum):
    FINE = "fine"
    WARNING = "warning"  # works, but something is missing or slow
    PROBLEM = "problem"  # does not work


@dataclass(frozen=True)
class Finding:
    """subject: what was looked at. text: what was found. remedy: what to do, unless it is fine."""

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""
