"""Declares how a turntable is rendered, once, for the operator's keywords and for job files; which files it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motion324.core.errors import EXIT_CANNOT_WRITE, EXIT_USAGE, Motion324Error
from motion324.core.options.animate_options import MAX_FPS
from motion324.core.options.option_group import OptionGroup
from motion324.core.options.option_spec import Choice, Shown, option

WHITE, TRANSPARENT, THREE_POINT = "WHITE", "TRANSPARENT", "THREE_POINT"
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
    elevation: float = option(15.0, "degrees above the horizon", low=-89, high=89, shown=Shown("Up"))
    azimuth: float = option(
        0.0,
        "degrees of the first view, or where the round begins; 0 is the front (-Y), 90 is +X",
        shown=Shown("Starts At"),
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


def is_video(path: Path) -> bool:
    """Whether a turntable of that name is one video; else it is a folder of pictures."""
    return path.suffix.lower() == ".mp4" and not path.is_dir()


def quarters(settings: Turntable) -> list[float]:
    """Degrees of the four fixed views."""
    return [(settings.azimuth + 90.0 * quarter) % 360 for quarter in range(4)]


def written(path: Path, settings: Turntable) -> list[Path]:
    """The videos, or the folders of pictures, that a turntable becomes."""
    names = [f"{azimuth:03.0f}" for azimuth in quarters(settings)] if settings.layout == SEPARATE else [""]
    if is_video(path):
        return [path.with_stem(f"{path.stem}_{name}") if name else path for name in names]
    return [path / name for name in names]


def check_settings(path: Path, settings: Turntable) -> None:
    """Whether a turntable can be so, and be written there: before anything takes its time.

    Raises Motion324Error: "turntable-path", "turntable-setting" or "turntable-transparent".
    """
    if path.suffix and not is_video(path) and not path.is_dir():
        raise Motion324Error(
            "turntable-path",
            f"A turntable cannot be written as '{path.name}'.",
            "Use a name that ends in .mp4, or a folder for PNG pictures.",
            EXIT_CANNOT_WRITE,
        )
    settings.check()
    if is_video(path) and settings.look == TRANSPARENT:
        raise Motion324Error(
            "turntable-transparent",
            "An MP4 cannot be transparent.",
            "Choose a folder for PNG pictures, or another background.",
            EXIT_USAGE,
        )


def _of_turntable(error: Motion324Error) -> Motion324Error:
    sentence = error.sentence.replace("The option", "The turntable's option", 1)
    return Motion324Error("turntable-setting", sentence, "Correct it.", error.exit_code)
