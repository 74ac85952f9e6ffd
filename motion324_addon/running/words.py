"""What panels and terminals say alike: stages, durations and sizes. No bpy."""

from __future__ import annotations

STARTING = "Starting the backend"
# The stages that the backend tells of (see motion324.core.progress), then those of the installation.
STAGE_LABELS = {
    "load": "Loading the model",
    "read": "Reading the video",
    "foreground": "Finding the foreground",
    "mesh": "Making the mesh",
    "sample": "Sampling the surface",
    "view": "Finding the view",
    "warm-up": "Warming up",
    "reconstruct": "Reconstructing",
    "refine": "Refining",
    "smooth": "Smoothing",
    "write": "Writing",
    "prepare": "Making the environment",
    "resolve": "Choosing packages",
    "download": "Downloading",
    "unpack": "Unpacking",
    "verify": "Checking",
}


def stage_label(stage: str) -> str:
    """What a stage is called before people; without one the backend is being started."""
    return STAGE_LABELS.get(stage, stage.capitalize()) if stage else STARTING


def duration(seconds: float) -> str:
    """42 s, 3:07 min, 1:05:00 h"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def readable_size(count: int) -> str:
    """Bytes as people read them: "41 kB", "2.5 MB", "690 MB", "3.2 GB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            digits = 1 if count < 10 * factor else 0
            return f"{f'{count / factor:.{digits}f}'.removesuffix('.0')} {unit}"
    return f"{round(count / 1e3)} kB"
