"""Declares how a turntable is rendered, once, for the operator's keywords and for job files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motion324.core.errors import Motion324Error
from motion324.core.option_group import OptionGroup
from motion324.core.option_spec import Choice, Shown, option
from motion324.core.options import MAX_FPS

from .studio import THREE_POINT, TRANSPARENT, WHITE

ORBIT, FOUR_VIEWS, SEPARATE = "ORBIT", "FOUR_VIEWS", "SEPARATE"
DAY = 24 * 3600  # seconds


@dataclass(frozen=True)
class Turntable(OptionGroup):
    """What is rendered. Each frame of the scene becomes one picture.

    FOUR_VIEWS puts four fixed views into one picture, two by two; SEPARATE makes a video, or a folder, of each of these
    views. The size is made even.
    """

    engine: str = option(
        "WORKBENCH",
        "what renders",
        choices=(
            Choice("WORKBENCH", "Workbench", "Fast, plain light"),
            Choice("EEVEE", "EEVEE", "Materials as in the viewport's render preview"),
            Choice("CYCLES", "Cycles", "Path tracing; needs no graphics driver"),
        ),
        shown=Shown("Engine"),
    )
    size: int = option(512, "pixels of both sides of a view", low=1, high=4096, shown=Shown("Size", low=16))
    look: str = option(
        WHITE,
        "background and light",
        choices=(
            Choice(WHITE, "White", "Soft light before white"),
            Choice(TRANSPARENT, "Transparent", "Soft light before nothing; only for PNG pictures"),
            Choice(THREE_POINT, "Three-Point Light", "Key, fill and rim light before grey"),
        ),
        shown=Shown("Look"),
    )
    layout: str = option(
        ORBIT,
        "from where the object is seen",
        choices=(
            Choice(ORBIT, "Around", "The camera goes around the object"),
            Choice(FOUR_VIEWS, "Four Views", "Four fixed views in one picture, a quarter turn apart"),
            Choice(SEPARATE, "Four Files", "Four fixed views, each in a video or folder of its own"),
        ),
        shown=Shown("Views", name="layout_kind"),
    )
    seconds: float = option(
        0.0,
        "how long it lasts; the animation begins anew where it is shorter. 0 takes its own length",
        low=0,
        high=DAY,
        shown=Shown("Seconds", soft_high=60),
    )
    turns: float = option(1.0, "rounds of the camera in that time", shown=Shown("Turns"))
    elevation: float = option(15.0, "degrees above the horizon", low=-89, high=89, shown=Shown("Elevation"))
    azimuth: float = option(
        0.0,
        "degrees of the first view, or where the round begins; 0 is the front (-Y), 90 is +X",
        shown=Shown("Azimuth"),
    )
    fps: float = option(
        0.0, "frames per second of the video; 0 takes the scene's", low=0, high=MAX_FPS, shown=Shown("Frame Rate")
    )
    samples: int = option(16, "per pixel; not for Workbench", low=1, high=65536, shown=Shown("Samples"))

    @classmethod
    def of_job(cls, values: Any) -> Turntable:
        """From a line of a job file. Raises Motion324Error("turntable-setting")."""
        try:
            return cls.from_dict(values)
        except Motion324Error as error:
            raise _of_turntable(error) from error

    def check(self) -> None:
        """Raises Motion324Error("turntable-setting")."""
        try:
            super().check()
        except Motion324Error as error:
            raise _of_turntable(error) from error


USUAL = Turntable()
# Still views at right angles, as benchmarks of animated meshes compare them.
BENCHMARK = Turntable(size=512, look=WHITE, layout=SEPARATE, elevation=0.0, azimuth=0.0, fps=16.0)


def _of_turntable(error: Motion324Error) -> Motion324Error:
    sentence = error.sentence.replace("The option", "The turntable's option", 1)
    return Motion324Error("turntable-setting", sentence, "Correct it.", error.exit_code)
