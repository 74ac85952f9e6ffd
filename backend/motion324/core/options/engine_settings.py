"""What may be done to a motion before it goes to another program, and what it becomes for a game engine: each option is
declared here, once, as those of motion324.core.options.animate_options are.
"""

from __future__ import annotations

from dataclasses import dataclass

from motion324.core.options.animate_options import MAX_FPS
from motion324.core.options.option_group import OptionGroup
from motion324.core.options.option_spec import Choice, Flag, Section, Shown, option

UNREAL, UNITY, GODOT = "unreal", "unity", "godot"
ENDINGS = {UNREAL: ".fbx", UNITY: ".fbx", GODOT: ".glb"}
MOST_INFLUENCES = 8
EXR, PNG = "exr", "png"
SMALLEST, LARGEST = 64, 16384  # pixels of a side
KEEP, IN_PLACE, ROOT = "keep", "in-place", "root"
_MOTION = Section("motion", "What is done to the motion, in this order.")


@dataclass(frozen=True)
class EngineSettings(OptionGroup):
    """All files have one root bone above the others, bones that move vertices and no others, and no leaf bones."""

    engine: str = option(
        GODOT,
        "what the file is for",
        choices=(
            Choice(UNREAL, "Unreal", "FBX in centimetres, Z up, nothing scaled or turned but the bones"),
            Choice(UNITY, "Unity", "FBX in metres, Y up, axes baked: nothing scaled or turned but the bones"),
            Choice(GODOT, "Godot and Web", "GLB with skin and animation"),
        ),
        shown=Shown("Engine"),
    )
    influences: int = option(
        4,
        "how many bones move a vertex at most; the lightest weights are left out",
        low=1,
        high=MOST_INFLUENCES,
        shown=Shown("Influences"),
    )
    key_tolerance: float = option(
        0.0,
        "keys are left out where no vertex moves by more than this, in metres; 0 keeps one per frame",
        low=0,
        shown=Shown("Key Tolerance", soft_high=0.1, precision=4, unit="LENGTH"),
    )


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
        shown=Shown(
            "Frame Rate", "Frames per second of the file, by smooth curves through the frames; 0 takes the scene's"
        ),
    )


@dataclass(frozen=True)
class VertexTextures(OptionGroup):
    """How the pictures are written."""

    pictures: str = option(
        EXR,
        "what the pictures are",
        choices=(
            Choice(EXR, "EXR, Half Floats", "Most engines read it; errors of at most 1/4096 of the way from the mesh"),
            Choice(PNG, "PNG, 16 Bit", "Even steps of 1/65535 of the whole range; not for engines that read 8 bits"),
        ),
        shown=Shown("Pictures"),
    )
    power_of_two: bool = option(False, "make both sides of the pictures powers of two", shown=Shown("Power of Two"))
    longest_side: int = option(
        4096,
        "the longest side of a picture, in pixels",
        low=SMALLEST,
        high=LARGEST,
        shown=Shown("Longest Side"),
    )
