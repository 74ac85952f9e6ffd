"""What may be done to a motion before it goes to another program: declared once, as motion324.core.options are."""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.option_group import OptionGroup
from motion324.core.option_spec import Choice, Flag, Section, Shown, option
from motion324.core.options import MAX_FPS

KEEP, IN_PLACE, ROOT = "keep", "in-place", "root"
_MOTION = Section("motion", "What is done to the motion, in this order.")


@dataclass(frozen=True)
class MotionEdits(OptionGroup):
    """In the order in which they are done. What each of them means is its help."""

    clip: tuple[int | None, int | None, int] = option(
        (None, None, 1),
        "these frames of the result only, counted from 0, as a Python slice",
        flag=Flag(metavar="A:B:STEP", default="all frames", section=_MOTION),
    )
    root_motion: str = option(
        KEEP,
        "the body's travel and turn over the ground: left in the vertices, taken away, or put onto the root",
        choices=(
            Choice(KEEP, "Keep", "In the vertices"),
            Choice(IN_PLACE, "In Place", "The body stays where it begins"),
            Choice(ROOT, "On the Root", "On the node or bone that carries the body"),
        ),
        flag=Flag(section=_MOTION),
        shown=Shown("Root Motion"),
    )
    loop: bool = option(
        False,
        "make a loop: find the frames that follow each other best, and close the cut",
        flag=Flag(section=_MOTION),
        shown=Shown("Loop"),
    )
    loop_at_least: int = option(
        0,
        "frames that the loop has at least; 0 is half of them",
        low=0,
        flag=Flag(metavar="N", section=_MOTION),
        shown=Shown("Loop at Least", "Frames that the loop has at least; 0 is half of them"),
    )
    resample: float | None = option(
        None,
        "frames per second of what is written, by smooth curves through the frames",
        low=0,
        above_low=True,
        high=MAX_FPS,
        flag=Flag(metavar="F", default="as many as the result has", section=_MOTION),
        shown=Shown("Frames per Second", "Of the file, by smooth curves through the frames; 0 takes the scene's"),
    )
